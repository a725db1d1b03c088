package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// Client delivers updates to devices. It is safe for concurrent use; one client
// serves any number of devices and keeps a bounded number of connections to them.
type Client struct {
	cfg       Config
	protocol  protocol
	transport transport
	exchanges exchangePool
	stats     counters
	dice      *dice
	budget    *budget
	breakers  *breakers
	known     *identities // nil: no device has credentials of its own
	secrets   []string    // of the configuration: what no error may show
	closed    atomic.Bool
}

// New makes a client. Its error names everything that is wrong with the configuration.
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
	if cfg.Transport == NetHTTP {
		c.transport = newNetHTTP(cfg, &c.stats)
	} else {
		c.transport = newLean(cfg, &c.stats)
	}
	return c, nil
}

// Close closes the connections that no operation uses; those in use are closed as
// their operations end. Operations that begin afterwards fail with ErrClosed.
func (c *Client) Close() {
	if !c.closed.Swap(true) {
		c.transport.close()
	}
}

// Stats gives the client's counters.
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

// Verify asks the device what it runs, once. It returns nil if the device answers with the update's
// version and digest, and with d's ID if d has one. ClassPending means that it is installing or
// rebooting. ClassIntegrity wraps ErrLacksUpdate, ErrWrongDigest, ErrWrongDevice or ErrDeviceFailed.
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

// admit asks the device's breaker for an operation, whose end record must be told.
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

// push and verify return *Error, so that Deliver can decide on it without errors.As. A
// fresh push goes over a connection of its own.
func (c *Client) push(ctx context.Context, d Device, u *Update, fresh bool) *Error {
	x := c.exchanges.get()
	defer c.exchanges.put(x)
	if u == nil {
		return &Error{Op: OpPush, Device: d.Name(), Class: ClassPermanent, Err: errNoUpdate}
	}
	c.protocol.askPush(x, d, u)
	x.rate, x.fresh = pacing.ByteRateOf(ctx), fresh
	if e := c.do(ctx, OpPush, d, x); e != nil {
		return e
	}
	if class, err := c.protocol.readPush(x, u); err != nil {
		return c.answered(OpPush, d, x, class, err)
	}
	return nil
}

func (c *Client) verify(ctx context.Context, d Device, u *Update) *Error {
	x := c.exchanges.get()
	defer c.exchanges.put(x)
	if u == nil {
		return &Error{Op: OpVerify, Device: d.Name(), Class: ClassPermanent, Err: errNoUpdate}
	}
	c.protocol.askVersion(x, d)
	if e := c.do(ctx, OpVerify, d, x); e != nil {
		return e
	}
	class, err := c.protocol.readVersion(x)
	if err == nil {
		class, err = x.version.judge(d, u)
	}
	if err != nil {
		return c.answered(OpVerify, d, x, class, err)
	}
	return nil
}

var errNoUpdate = errors.New("update is nil: make one with NewUpdate")

// do is one exchange. The device's name and address are checked before a byte is sent.
func (c *Client) do(ctx context.Context, op Op, d Device, x *exchange) *Error {
	fail := func(class Class, sent bool, err error) *Error {
		return &Error{Op: op, Device: d.Name(), Class: class, Err: redact(err, c.secretsFor(x)), sent: sent}
	}
	if c.closed.Load() {
		return fail(ClassPermanent, false, ErrClosed)
	}
	var err error
	if x.to, err = d.target(); err != nil {
		return fail(ClassPermanent, false, err)
	}
	if err := ctx.Err(); err != nil {
		class, _ := classOfFailure(ctx, err)
		return fail(class, false, err)
	}
	if c.known != nil {
		if x.who, err = c.known.of(ctx, d); err != nil {
			return fail(classOfCredentials(ctx), false, err)
		}
	}
	if err := c.send(ctx, op, d, x); err != nil {
		if e, ok := err.(*redirectError); ok {
			return c.answered(op, d, x, ClassPermanent, e)
		}
		class, sent := classOfFailure(ctx, err)
		if errors.Is(err, ErrClosed) {
			class = ClassPermanent
		}
		return fail(class, sent, err)
	}
	return nil
}

// send sends the request until it has its answer: a redirect that keeps method and
// body is followed within the device's origin, and a device that doesn't take
// Expect is asked again without it (RFC 9110 §15.5.18).
func (c *Client) send(ctx context.Context, op Op, d Device, x *exchange) error {
	x.expect = x.body != nil && c.cfg.ExpectFrom > 0 && x.body.size >= c.cfg.ExpectFrom
	for redirects := 0; ; {
		if err := c.roundTrip(ctx, op, d, x); err != nil {
			return err
		}
		switch {
		case x.expect && x.status == http.StatusExpectationFailed:
			x.expect = false
		case x.status == http.StatusMovedPermanently || x.status == http.StatusFound || x.status == http.StatusSeeOther:
			return &redirectError{errMethodLost}
		case x.status == http.StatusTemporaryRedirect || x.status == http.StatusPermanentRedirect:
			if redirects++; redirects > maxRedirects {
				return &redirectError{errManyRedirects}
			}
			path, err := follow(x.to, x.path, string(x.location))
			if err != nil {
				return &redirectError{err}
			}
			x.to.PathPrefix, x.path = path, ""
		default:
			return nil
		}
		x.forget()
	}
}

// roundTrip is one request, and its timeline where somebody wants it.
func (c *Client) roundTrip(ctx context.Context, op Op, d Device, x *exchange) error {
	if c.cfg.Observe == nil {
		return c.transport.roundTrip(ctx, x)
	}
	x.trace = &trace{line: Timeline{Op: op, Device: d.Name(), Begun: time.Now()}}
	err := c.transport.roundTrip(ctx, x)
	line := x.trace.snapshot()
	line.Status, line.Err, line.Ended = x.status, redact(err, c.secretsFor(x)), time.Now()
	c.cfg.Observe(line)
	return err
}

// answered is a failure that the device told us.
func (c *Client) answered(op Op, d Device, x *exchange, class Class, err error) *Error {
	return &Error{
		Op: op, Device: d.Name(), Class: class, Status: x.status, Err: redact(err, c.secretsFor(x)),
		RetryAfter: retryAfter(x.retryAfter, x.date, time.Now()), sent: true,
	}
}

// maxRedirects bounds how many redirects one request follows.
const maxRedirects = 3

// redirectError is a redirect that is not followed.
type redirectError struct{ err error }

func (e *redirectError) Error() string { return "redirect refused: " + e.err.Error() }
func (e *redirectError) Unwrap() error { return e.err }

var (
	errManyRedirects = fmt.Errorf("more than %d in a row", maxRedirects)
	errMethodLost    = errors.New("only 307 and 308 keep method and body")
	errOtherOrigin   = errors.New("it leads to another origin")
	errLocation      = errors.New("its Location is missing or unusable")
)

// follow gives the path (and query) that a redirect leads to. It must be of the
// same origin (RFC 6454 §4: scheme, host and port): the request carries an artifact
// and perhaps credentials, which are for this device alone. Location may hold
// anything; what isn't plain printable ASCII is refused.
func follow(to endpoint.Target, path, location string) (string, error) {
	scheme := "http"
	if to.TLS {
		scheme = "https"
	}
	base, err := url.Parse(scheme + "://" + to.Host + to.PathPrefix + path)
	if err != nil || location == "" || len(location) > endpoint.MaxAddress {
		return "", errLocation
	}
	u, err := base.Parse(location)
	if err != nil || u.Opaque != "" {
		return "", errLocation
	}
	if u.Scheme != base.Scheme || u.User != nil || !sameHost(to, u.Host) {
		return "", errOtherOrigin
	}
	if u.Path == "" {
		u.Path = "/"
	}
	next := u.RequestURI()
	for i := 0; i < len(next); i++ {
		if next[i] <= ' ' || next[i] >= 0x7f {
			return "", errLocation
		}
	}
	return next, nil
}

// sameHost compares a host with the target's: in any case, its port spelt out or not.
func sameHost(to endpoint.Target, host string) bool {
	if !endpoint.ValidHost(host) {
		return false
	}
	other := endpoint.Target{TLS: to.TLS, Host: host}
	return strings.EqualFold(to.DialAddr(), other.DialAddr())
}
