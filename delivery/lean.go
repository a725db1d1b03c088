package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/http1"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
	"github.com/fleetmark/fleetmark/delivery/internal/socket"
)

// lean is HTTP/1.1 over the client's own connections. An operation runs in its caller's
// goroutine alone.
type lean struct {
	cfg    Config
	pool   *connPool
	stats  *counters
	header header    // what every request says, the configured headers in a fixed order
	chunks chunkPool // for artifacts that are not in memory
}

const userAgent = "fleetmark-delivery"

func newLean(cfg Config, stats *counters) *lean {
	l := &lean{cfg: cfg, stats: stats, pool: newConnPool(cfg.MaxIdle, cfg.MaxIdlePerDevice, cfg.IdleTimeout)}
	if len(cfg.TLS.NextProtos) > 0 {
		cfg.TLS.NextProtos = []string{"http/1.1"} // what else it offers, only net/http speaks
	}
	l.header = leanHeader(cfg.Header)
	return l
}

// leanHeader is what every request says, the configured headers in a fixed order.
func leanHeader(configured http.Header) header {
	var fields []field
	if !hasUserAgent(configured) {
		fields = append(fields, field{headerUserAgent, userAgent})
	}
	for name, values := range sortedHeader(configured) {
		for _, v := range values {
			fields = append(fields, field{name, v})
		}
	}
	return newHeader(fields, 0)
}

func (l *lean) close() { l.pool.close() }

func (l *lean) roundTrip(ctx context.Context, x *exchange) error {
	if err := l.holdFirst(ctx, x); err != nil {
		return err
	}
	now := time.Now()
	x.deadline = now.Add(l.cfg.Timeouts.total(x.body))
	if d, ok := ctx.Deadline(); ok && d.Before(x.deadline) {
		x.deadline = d
	}
	for ; ; now = time.Now() {
		x.trace.mark(atPrepared)
		c, reused, err := l.connect(ctx, x, now)
		if err != nil {
			return err
		}
		if !reused {
			now = time.Now()
		}
		x.trace.gotConn(reused)
		unseen, err := l.exchange(ctx, c, reused, x, now)
		if err == nil {
			return nil
		}
		// A kept-alive connection may have been closed by the device while it lay idle,
		// or just now. What may be sent twice is sent again, over another one.
		if !reused || !unseen || ctx.Err() != nil || !time.Now().Before(x.deadline) {
			return err
		}
	}
}

// connect gives a connection that is the caller's alone.
func (l *lean) connect(ctx context.Context, x *exchange, now time.Time) (c *conn, reused bool, err error) {
	key := connKey{x.to.Host, x.to.TLS, x.who}
	for {
		if c, err = l.pool.get(key, now); err != nil {
			return nil, false, &exchangeError{phase: phaseConnect, err: err}
		}
		if c == nil {
			break
		}
		if !x.fresh && c.usableBy(ctx) { // if it is to be fresh, the others are no good either
			return c, true, nil
		}
		l.pool.discard(c)
	}
	nc, err := l.dial(ctx, x)
	if err != nil {
		return nil, false, err
	}
	return l.pool.adopt(key, nc), false, nil
}

func (l *lean) dial(ctx context.Context, x *exchange) (net.Conn, error) {
	l.stats.dials.Add(1)
	nc, err := dialWithin(ctx, l.cfg, x.to.DialAddr(), x.deadline)
	if err != nil {
		return nil, &exchangeError{phase: phaseConnect, err: err}
	}
	x.trace.mark(atConnected)
	if !x.to.TLS {
		return nc, nil
	}
	nc, resuming, err := l.handshake(ctx, nc, x)
	if err != nil && resuming && isRefusedPeer(err) {
		return l.dial(ctx, x) // the session is forgotten: this handshake is a whole one
	}
	if err == nil {
		x.trace.mark(atSecured)
	}
	return nc, err
}

func dialWithin(ctx context.Context, cfg Config, address string, deadline time.Time) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, earlier(deadline, time.Now().Add(cfg.Timeouts.Dial)))
	defer cancel()
	return cfg.Dial(ctx, "tcp", address)
}

// handshake secures a connection. It reports whether a session was to be resumed.
func (l *lean) handshake(ctx context.Context, nc net.Conn, x *exchange) (_ net.Conn, resuming bool, _ error) {
	ctx, cancel := context.WithDeadline(ctx, earlier(x.deadline, time.Now().Add(l.cfg.Timeouts.TLS)))
	defer cancel()
	base := l.cfg.TLS
	if x.who != nil {
		base = x.who.tls
	}
	cfg, sessions := handshakeConfig(base, x.to)
	tc := tls.Client(&rawConn{Conn: nc}, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, sessions != nil && sessions.offered, &exchangeError{phase: phaseConnect, secure: isRefusedPeer(err), err: errors.Join(fmt.Errorf("TLS: %w", err), ignoreClosed(nc.Close()))}
	}
	return tc, false, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// exchange sends the request and reads the answer to its end. Afterwards the
// connection is back in the pool, or closed: it is no longer ours to look at. unseen
// says that the connection failed, and that it makes no difference to the device if
// the request comes again: it can't have come, or only asks.
func (l *lean) exchange(ctx context.Context, c *conn, reused bool, x *exchange, now time.Time) (unseen bool, err error) {
	before := c.traffic
	c.silent, c.agreed, c.trace = true, false, x.trace
	err = l.sendAndRead(ctx, c, reused, x, now)
	c.sendBy, c.draining, c.failed, c.trace = time.Time{}, false, c.failed || err != nil, nil
	if c.raw != nil {
		c.raw.slim()
	}
	if err == socket.ErrStale {
		l.pool.discard(c)
		return true, &exchangeError{phase: phaseConnect, err: err}
	}
	if reused {
		l.stats.reused.Add(1)
	}
	unseen = c.silent && (x.isGet() || c.traffic.written == before.written) && connectionFailed(err)
	l.stats.requests.Add(1)
	l.stats.written.Add(c.traffic.written - before.written)
	l.stats.read.Add(c.traffic.read - before.read)
	if err != nil || x.got.Close || !c.clean() {
		l.pool.discard(c)
		return unseen, err
	}
	l.pool.put(c)
	return false, nil
}

// connectionFailed leaves out what another connection would not make better.
func connectionFailed(err error) bool {
	if err == nil || isTimeout(err) {
		return false
	}
	_, ours := errors.AsType[*artifactError](err)
	return !ours
}

func (l *lean) sendAndRead(ctx context.Context, c *conn, reused bool, x *exchange, now time.Time) error {
	whole := l.fitsOneWrite(x)
	if reused && !(whole && c.writeWait.IsAvailable()) && !c.quiet() { // a WriteWaiter looks for itself
		return socket.ErrStale
	}
	// The deadline is set before the context is looked at: a cancel that comes later
	// overrides it, one that came earlier is seen here.
	if err := c.setDeadline(l.firstDeadline(c, x, now)); err != nil {
		return &exchangeError{phase: phaseConnect, err: err}
	}
	c.watch(ctx)
	if err := ctx.Err(); err != nil {
		return &exchangeError{phase: phaseConnect, err: err}
	}
	sendErr := l.send(c, reused, x)
	if sendErr == socket.ErrStale {
		return sendErr
	}
	if !whole {
		x.trace.mark(atWritten)
	}
	early := sendErr != nil && errors.Is(sendErr, errAnswered)
	var err error
	switch {
	case errors.Is(sendErr, errSlow):
		// It may have answered, unseen (a system that can't look), and stopped reading.
		err = c.endBy(earlier(x.deadline, time.Now().Add(lookEvery)))
	case sendErr != nil && !early && !isPeerGone(sendErr):
		return &exchangeError{phase: phaseSend, err: sendErr}
	case sendErr != nil:
		err = c.endBy(earlier(x.deadline, time.Now().Add(l.cfg.Timeouts.Answer)))
	case !whole: // the body took its time: the answer has its own
		err = l.startWaiting(c, x)
	}
	if err != nil {
		return &exchangeError{phase: phaseSend, err: err}
	}
	// A device may answer before it has read everything, and close: the answer
	// stands, though the write failed (RFC 9112 §9.5).
	if err := l.receive(c, x); err != nil {
		if told, ok := errors.AsType[*exchangeError](err); sendErr != nil && !early && !(ok && told.secure) {
			return &exchangeError{phase: phaseSend, err: sendErr}
		}
		return err
	}
	if sendErr != nil {
		x.got.Close = true
		c.failed = true // the device may not be reading: TLS couldn't say goodbye
	}
	if x.status/100 == 2 && !whole {
		if sendErr != nil {
			return &exchangeError{phase: phaseSend, err: fmt.Errorf("%w: %w", errUnfinished, sendErr)}
		}
		return l.finish(c)
	}
	return nil
}

// startWaiting readies a connection for the answer to a request that took more than one
// write. As long as the peer's system hasn't acknowledged all of it, it is the progress
// of the upload that counts, and the time for the answer begins afterwards.
func (l *lean) startWaiting(c *conn, x *exchange) error {
	now, limits := time.Now(), &l.cfg.Timeouts
	if c.draining = c.canTell(); c.draining {
		c.limits, c.size = limits, x.body.size
		return c.endBy(earlier(x.deadline, now.Add(min(c.pace.look(), limits.Answer))))
	}
	until := x.deadline
	if d, ok := limits.blindAnswer(x.body.size); ok {
		until = earlier(until, now.Add(d))
	}
	return c.endBy(until)
}

// errUnfinished is a success that the device told before it had the whole update, of which
// it then took no more.
var errUnfinished = errors.New("device answered before it had the whole update, and took no more of it")

// finish waits until the device's system has all of an update that the device called a success.
func (l *lean) finish(c *conn) error {
	c.draining = false
	for pause := time.Millisecond; ; pause = min(2*pause, lookEvery) {
		if n, known := c.probe.Unacked(); !known || n == 0 {
			return nil
		}
		now := time.Now()
		var err error
		switch {
		case c.probe.HasEnded():
			return &exchangeError{phase: phaseSend, err: errUnfinished}
		case !now.Before(c.sendBy):
			err = os.ErrDeadlineExceeded
		case c.pace.slow(now, c.moved()):
			err = errSlow
		default:
			err = c.pause(earlier(c.sendBy, now.Add(pause)))
		}
		if err != nil {
			return &exchangeError{phase: phaseSend, err: fmt.Errorf("%w: %w", errUnfinished, err)}
		}
	}
}

// firstDeadline is the deadline that stands while the request is sent. A request that goes out in
// one write needs no second one for its answer: it has its own time at the least rate on top. A
// longer one is looked at now and then, until the total deadline: whether the device answered
// early, and whether it takes enough.
func (l *lean) firstDeadline(c *conn, x *exchange, now time.Time) time.Time {
	if l.fitsOneWrite(x) {
		c.sendBy = time.Time{}
		d := l.cfg.Timeouts.Answer
		if x.body != nil {
			d += l.cfg.Timeouts.LeastProgress.longest(x.body.size)
		}
		return earlier(x.deadline, now.Add(d))
	}
	c.sendBy, c.sent, c.began = x.deadline, 0, now
	c.pace.begin(now, 0, l.cfg.Timeouts.LeastProgress)
	return earlier(x.deadline, now.Add(c.pace.look()))
}

// oneWrite is how much of a body goes out in one write with the request's head, in bytes.
const oneWrite = 2 << 10

func (l *lean) fitsOneWrite(x *exchange) bool {
	return x.body == nil || x.body.memory != nil && x.body.size <= oneWrite && !x.expect
}

// ask waits, a bounded time, for the device's word on the head that it was sent.
func (l *lean) ask(c *conn, x *exchange) error {
	if err := c.invited(earlier(x.deadline, time.Now().Add(l.cfg.Timeouts.Continue))); err != nil {
		return err
	}
	return c.endBy(l.firstDeadline(c, x, time.Now()))
}

// send sends the head, as much of the body as goes with it, and the rest.
func (l *lean) send(c *conn, reused bool, x *exchange) error {
	b, begun := l.appendHead(x.head[:0], x), 0
	if x.body != nil && !x.expect {
		begun = int(min(x.body.size, oneWrite))
		b = slices.Grow(b, begun)
		body := b[len(b) : len(b)+begun]
		if n, err := x.body.source.ReadAt(body, 0); n < begun {
			return cutShort(int64(n), err)
		}
		b = b[:len(b)+begun]
	}
	x.head = b
	if l.fitsOneWrite(x) {
		return c.writeWhole(b, reused)
	}
	if _, err := c.Write(b); err != nil {
		return err
	}
	if x.expect {
		if err := l.ask(c, x); err != nil {
			return err
		}
	}
	return l.sendBody(c, x, int64(begun))
}

// sendBody sends the artifact from there on.
func (l *lean) sendBody(c *conn, x *exchange, from int64) error {
	a := x.body
	for at := from; at < a.size; {
		if at > from && c.answered() {
			return errAnswered
		}
		n, err := l.hold(c, x, min(chunkSize, a.size-at))
		if err != nil {
			return err
		}
		if n, err = l.chunks.pass(c, a, at, n); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// artifactError is a failure of our own source, in the middle of a request.
type artifactError struct{ err error }

// cutShort is an artifact that gave less than its size.
func cutShort(at int64, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &artifactError{fmt.Errorf("reading artifact at byte %d: %w", at, err)}
}

func (e *artifactError) Error() string { return e.err.Error() }
func (e *artifactError) Unwrap() error { return e.err }

// receive reads the answer to its end, so that the connection can be used again.
func (l *lean) receive(c *conn, x *exchange) error {
	a := &x.got
	if err := a.Read(c.br, http1.Limits{Head: l.cfg.MaxAnswerHead, Body: l.cfg.MaxAnswer}); err != nil {
		return c.answerError(err)
	}
	if a.Status == http.StatusSwitchingProtocols {
		return &exchangeError{phase: phaseAnswer, protocol: true, err: &http1.Error{Err: http1.ErrSwitchedProtocols}}
	}
	x.status, x.answer = a.Status, a.Body
	x.contentType, x.encoding, x.location, x.date, x.retryAfter = a.ContentType, a.ContentEncoding, a.Location, a.Date, a.RetryAfter
	return nil
}

// holdFirst waits until the part of a body that goes out with the head may.
func (l *lean) holdFirst(ctx context.Context, x *exchange) error {
	if x.rate == nil || x.body == nil {
		return nil
	}
	wait := x.rate.Take(time.Now(), min(x.body.size, oneWrite))
	if wait > 0 && !pacing.Wait(ctx, wait, nil) {
		return &exchangeError{phase: phaseConnect, err: ctx.Err()}
	}
	return nil
}

// hold waits until another piece of the upload may go out, and returns how much that is.
// The wait counts neither against the device's progress nor against the request's time. A
// device that answers meanwhile is heard.
func (l *lean) hold(c *conn, x *exchange, n int64) (int64, error) {
	if x.rate == nil {
		return n, nil
	}
	n = min(n, x.rate.Piece())
	wait := x.rate.Take(time.Now(), n)
	x.deadline, c.sendBy, c.pace.since = x.deadline.Add(wait), c.sendBy.Add(wait), c.pace.since.Add(wait)
	for wait > 0 {
		slice := min(wait, lookEvery)
		wait -= slice
		if !pacing.Sleep(slice, c.armed) {
			return 0, context.Canceled
		}
		if err := c.endBy(earlier(c.sendBy, time.Now().Add(c.pace.look()))); err != nil {
			return 0, err
		}
		if wait > 0 && c.answered() {
			return 0, errAnswered
		}
	}
	return n, nil
}
