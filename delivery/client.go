package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// Client delivers updates to devices. It is safe for concurrent use; one client
// serves any number of devices and keeps a bounded number of connections to them.
type Client struct {
	cfg       Config
	protocol  protocol
	transport exchange.Transport
	sessions  sessionPool
	stats     counters
	dice      *dice
	budget    *budget
	breakers  *breakers
	known     *identities // nil: no device has credentials of its own
	secrets   []string    // from the configuration; no error may show them
	closed    atomic.Bool
}

// New returns a client. Its error names everything that is wrong with the configuration.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	c := &Client{cfg: cfg, protocol: native{}, dice: newDice(cfg.Random), budget: newBudget(cfg.Budget, time.Now()), breakers: newBreakers(cfg.Breaker)}
	c.secrets = secretsOf(cfg.Header)
	if cfg.ForDevice != nil {
		c.known = newIdentities(cfg)
	}
	c.transport = cfg.newTransport(&c.stats.Counters)
	return c, nil
}

// Close closes the connections that no operation uses; those in use are closed as
// their operations end. Operations that begin afterwards fail with ErrClosed.
func (c *Client) Close() {
	if !c.closed.Swap(true) {
		c.transport.Close()
	}
}

// Stats returns the client's counters.
func (c *Client) Stats() Stats {
	s := c.stats.snapshot()
	s.BreakersOpened = c.breakers.opened.Load()
	s.RetriesLeft = uint64(c.budget.balance(time.Now()))
	return s
}

// Push sends the update to the device, once. It returns nil if the device says that it applied
// the update, and names no other size or digest than were sent. Otherwise it returns an *Error,
// whose class says whether the update may have been applied nevertheless. ClassPending means that
// the device took the update and is installing it.
func (c *Client) Push(ctx context.Context, d Device, u *Update) error {
	e := c.admit(OpPush, d)
	if e == nil {
		e = c.push(ctx, d, u, false)
		c.record(ctx, d, e)
	}
	if e != nil {
		return e
	}
	return nil
}

// Verify asks the device once what it runs. It returns nil if the answer has the update's version
// and digest, and d.ID if that is set. ClassPending means that it is installing or rebooting.
// ClassIntegrity wraps ErrLacksUpdate, ErrWrongDigest, ErrWrongDevice or ErrDeviceFailed.
func (c *Client) Verify(ctx context.Context, d Device, u *Update) error {
	e := c.admit(OpVerify, d)
	if e == nil {
		e = c.verify(ctx, d, u)
		c.record(ctx, d, e)
	}
	if e != nil {
		return e
	}
	return nil
}

// admit asks the device's breaker whether an operation may begin; record must be told its end.
func (c *Client) admit(op Op, d Device) *Error {
	if !c.breakers.any.Load() || c.breakers.allow(d.Address, time.Now()) {
		return nil
	}
	c.stats.spared.Add(1)
	return &Error{Op: op, Device: d.Name(), Class: ClassNotSent, Err: ErrBreakerOpen}
}

func (c *Client) record(ctx context.Context, d Device, e *Error) {
	if o := outcomeOf(e, ctx.Err() != nil); o == dead || c.breakers.any.Load() {
		c.breakers.record(d.Address, time.Now(), o)
	}
}

// push and verify return *Error, so that Deliver can decide on it without errors.As. If fresh is
// set, push uses a connection that nothing was sent over before.
func (c *Client) push(ctx context.Context, d Device, u *Update, fresh bool) *Error {
	s := c.sessions.get()
	defer c.sessions.put(s)
	if u == nil {
		return &Error{Op: OpPush, Device: d.Name(), Class: ClassPermanent, Err: errNoUpdate}
	}
	c.protocol.askPush(&s.Request, d, u)
	s.Request.Rate, s.Request.Fresh = pacing.ByteRateOf(ctx), fresh
	if e := c.do(ctx, OpPush, d, s); e != nil {
		return e
	}
	if class, err := c.protocol.readPush(&s.Response, u); err != nil {
		return c.answered(OpPush, d, s, class, err)
	}
	return nil
}

func (c *Client) verify(ctx context.Context, d Device, u *Update) *Error {
	s := c.sessions.get()
	defer c.sessions.put(s)
	if u == nil {
		return &Error{Op: OpVerify, Device: d.Name(), Class: ClassPermanent, Err: errNoUpdate}
	}
	c.protocol.askVersion(&s.Request, d)
	if e := c.do(ctx, OpVerify, d, s); e != nil {
		return e
	}
	class, err := c.protocol.readVersion(&s.Response, &s.version)
	if err == nil {
		class, err = s.version.judge(d, u)
	}
	if err != nil {
		return c.answered(OpVerify, d, s, class, err)
	}
	return nil
}

var errNoUpdate = errors.New("update is nil: make one with NewUpdate")

// session is one request of an operation, or several where a redirect is followed. It is reused,
// and nothing in it outlives sessionPool.put.
type session struct {
	exchange.Exchange
	identity *identity   // the device's own credentials; nil: it has none
	version  versionView // what the protocol read from the answer to a verification
}

// sessionPool hands out sessions; their buffers grow to what answers need,
// Config.MaxAnswer at most.
type sessionPool struct{ pool sync.Pool }

func (p *sessionPool) get() *session {
	if s, ok := p.pool.Get().(*session); ok {
		return s
	}
	return &session{}
}

func (p *sessionPool) put(s *session) {
	s.Reset()
	s.identity, s.version = nil, versionView{}
	p.pool.Put(s)
}

// do sends one request and reads its answer. It checks the device's name and address before a byte
// is sent.
func (c *Client) do(ctx context.Context, op Op, d Device, s *session) *Error {
	fail := func(class Class, sent bool, err error) *Error {
		return &Error{Op: op, Device: d.Name(), Class: class, Err: redact(err, c.secretsFor(s)), sent: sent}
	}
	if c.closed.Load() {
		return fail(ClassPermanent, false, ErrClosed)
	}
	var err error
	if s.Request.To, err = d.target(); err != nil {
		return fail(ClassPermanent, false, err)
	}
	if err := ctx.Err(); err != nil {
		return fail(classOfContext(ctx), false, err)
	}
	if c.known != nil {
		if s.identity, err = c.known.of(ctx, d); err != nil {
			return fail(classOfCredentials(ctx), false, err)
		}
		if s.identity != nil {
			s.Request.Identity = &s.identity.Identity
		}
	}
	failure, refused := c.send(ctx, op, d, s)
	if refused != nil {
		return c.answered(op, d, s, ClassPermanent, refused)
	}
	if failure != nil {
		class, sent := classOfFailure(ctx, failure)
		if errors.Is(failure, ErrClosed) {
			class = ClassPermanent
		}
		return fail(class, sent, failure)
	}
	return nil
}

// send sends the request until it has an answer that counts. It follows a redirect that keeps
// method and body within the device's origin, and asks again without Expect if the device doesn't
// support Expect (RFC 9110 §15.5.18).
func (c *Client) send(ctx context.Context, op Op, d Device, s *session) (*exchange.Failure, *redirectError) {
	r := &s.Request
	r.Expect = r.Body != nil && c.cfg.ExpectFrom > 0 && r.Body.Size >= c.cfg.ExpectFrom
	for redirects := 0; ; {
		if f := c.roundTrip(ctx, op, d, s); f != nil {
			return f, nil
		}
		switch status := s.Response.Status; {
		case r.Expect && status == http.StatusExpectationFailed:
			r.Expect = false
		case status == http.StatusMovedPermanently || status == http.StatusFound || status == http.StatusSeeOther:
			return nil, &redirectError{errMethodLost}
		case status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect:
			if redirects++; redirects > maxRedirects {
				return nil, &redirectError{errManyRedirects}
			}
			path, err := exchange.ResolveRedirect(r.To, r.Path, string(s.Response.Location))
			if err != nil {
				return nil, &redirectError{err}
			}
			r.To.PathPrefix, r.Path = path, ""
		default:
			return nil, nil
		}
		s.Response = exchange.Response{}
	}
}

// roundTrip sends one request, and passes its timeline to Config.Observe if that is set.
func (c *Client) roundTrip(ctx context.Context, op Op, d Device, s *session) *exchange.Failure {
	if c.cfg.Observe == nil {
		return c.transport.RoundTrip(ctx, &s.Exchange)
	}
	line := Timeline{Op: op, Device: d.Name(), Begun: time.Now()}
	s.Trace = &exchange.Trace{}
	f := c.transport.RoundTrip(ctx, &s.Exchange)
	line.setTimes(s.Trace.Snapshot())
	line.Status, line.Err, line.Ended = s.Response.Status, redact(f.AsError(), c.secretsFor(s)), time.Now()
	c.cfg.Observe(line)
	return f
}

// answered returns the error for a failure that the device's answer reported.
func (c *Client) answered(op Op, d Device, s *session, class Class, err error) *Error {
	return &Error{
		Op: op, Device: d.Name(), Class: class, Status: s.Response.Status, Err: redact(err, c.secretsFor(s)),
		RetryAfter: s.Response.RetryWait(time.Now()), sent: true,
	}
}

// maxRedirects bounds how many redirects one request follows.
const maxRedirects = 3

// redirectError is the error of a redirect that is not followed.
type redirectError struct{ err error }

func (e *redirectError) Error() string { return "redirect refused: " + e.err.Error() }
func (e *redirectError) Unwrap() error { return e.err }

var (
	errManyRedirects = fmt.Errorf("more than %d in a row", maxRedirects)
	errMethodLost    = errors.New("only 307 and 308 keep method and body")
)
