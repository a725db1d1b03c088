// Package lean is the transport over connections of its own. It speaks HTTP/1.1, and runs each
// request in the goroutine of its caller. What goes in is a request of package exchange; what comes
// out is its response, or how far the request came. Idle connections are kept in a pool, bounded in
// number and age.
package lean

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/http1"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
	"github.com/fleetmark/fleetmark/delivery/internal/socket"
)

// transport implements [exchange.Transport].
type transport struct {
	cfg    exchange.Config
	pool   *connPool
	stats  *exchange.Counters
	chunks exchange.ChunkPool // for bodies that are not in memory
}

// New returns a transport that counts in stats.
func New(cfg exchange.Config, stats *exchange.Counters) exchange.Transport {
	return &transport{cfg: cfg, stats: stats, pool: newConnPool(cfg.MaxIdle, cfg.MaxIdlePerDevice, cfg.IdleTimeout)}
}

func (t *transport) Close() { t.pool.close() }

func (t *transport) RoundTrip(ctx context.Context, x *exchange.Exchange) *exchange.Failure {
	r := requestOf(x)
	if f := t.holdFirst(ctx, r); f != nil {
		return f
	}
	now := time.Now()
	r.deadline = now.Add(t.cfg.Limits.RequestTime(r.Body))
	if d, ok := ctx.Deadline(); ok && d.Before(r.deadline) {
		r.deadline = d
	}
	for ; ; now = time.Now() {
		x.Trace.Mark(exchange.Prepared)
		c, f := t.connect(ctx, r, now)
		if f != nil {
			return f
		}
		reused := c.reused // after the exchange, c may belong to another request
		if !reused {
			now = time.Now()
		}
		x.Trace.GotConn(reused)
		unseen, f := t.exchange(ctx, c, r, now)
		if f == nil {
			return nil
		}
		// A kept-alive connection may have been closed by the device while it lay idle,
		// or just now. What may be sent twice is sent again, over another one.
		if !reused || !unseen || ctx.Err() != nil || !time.Now().Before(r.deadline) {
			return f
		}
	}
}

// connect returns an idle connection, or a new one. It belongs to the caller.
func (t *transport) connect(ctx context.Context, r *request, now time.Time) (*conn, *exchange.Failure) {
	key := connKey{r.To.Host, r.To.TLS, r.Identity}
	for {
		c, err := t.pool.get(key, now)
		if err != nil {
			return nil, exchange.Fail(exchange.Connect, err)
		}
		if c == nil {
			break
		}
		if !r.Fresh && c.watch.MaySwitch(ctx) { // if it is to be fresh, no idle one will do
			return c, nil
		}
		t.pool.discard(c)
	}
	nc, f := t.dial(ctx, r)
	if f != nil {
		return nil, f
	}
	return t.pool.wrap(key, nc), nil
}

func (t *transport) dial(ctx context.Context, r *request) (net.Conn, *exchange.Failure) {
	t.stats.Dials.Add(1)
	nc, err := t.dialWithin(ctx, r)
	if err != nil {
		return nil, exchange.Fail(exchange.Connect, err)
	}
	r.trace.Mark(exchange.Connected)
	if !r.To.TLS {
		return nc, nil
	}
	tc, resuming, f := t.handshake(ctx, nc, r)
	if f == nil {
		r.trace.Mark(exchange.Secured)
		return tc, nil
	}
	if resuming && exchange.IsRefusedPeer(f) {
		return t.dial(ctx, r) // crypto/tls has dropped the session: this handshake is a whole one
	}
	return nil, f
}

func (t *transport) dialWithin(ctx context.Context, r *request) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, exchange.Earlier(r.deadline, time.Now().Add(t.cfg.Limits.Dial)))
	defer cancel()
	return t.cfg.Dial(ctx, "tcp", r.To.DialAddr())
}

// exchange sends the request and reads the answer to its end. Afterwards the connection is back in
// the pool, or closed, and isn't the caller's any more. unseen reports whether the connection
// failed and the request may be sent again: because nothing of it was sent, or because it is
// replayable.
func (t *transport) exchange(ctx context.Context, c *conn, r *request, now time.Time) (unseen bool, f *exchange.Failure) {
	before := c.traffic
	c.silent, c.upload.accepted, c.trace = true, false, r.trace
	f = t.sendAndRead(ctx, c, r, now)
	c.upload.deadline, c.upload.draining, c.failed, c.trace = time.Time{}, false, c.failed || f != nil, nil
	if c.raw != nil {
		c.raw.trim()
	}
	if f != nil && f.Err == socket.ErrStale {
		t.pool.discard(c)
		return true, f
	}
	if c.reused {
		t.stats.Reused.Add(1)
	}
	unseen = f != nil && c.silent && (r.IsReplayable() || c.traffic.written == before.written) && mayUseAnotherConn(f)
	t.stats.Requests.Add(1)
	t.stats.Written.Add(c.traffic.written - before.written)
	t.stats.Read.Add(c.traffic.read - before.read)
	if f != nil || r.response.Close || !c.clean() {
		t.pool.discard(c)
		return unseen, f
	}
	t.pool.put(c)
	return false, nil
}

// mayUseAnotherConn reports whether another connection may do better.
func mayUseAnotherConn(f *exchange.Failure) bool {
	return f.Kind != exchange.Source && !exchange.IsTimeout(f)
}

func (t *transport) sendAndRead(ctx context.Context, c *conn, r *request, now time.Time) *exchange.Failure {
	single := r.fitsSingleWrite()
	if c.reused && !(single && c.writeWait.IsAvailable()) && !c.isIdle() { // a WriteWaiter looks for itself
		return exchange.Fail(exchange.Connect, socket.ErrStale)
	}
	// The deadline is set before the context is checked: a cancel that comes later sets its own,
	// and one that came earlier is seen here.
	if err := c.setDeadline(t.sendDeadline(c, r, now)); err != nil {
		return exchange.Fail(exchange.Connect, err)
	}
	c.watch.Start(ctx)
	if err := ctx.Err(); err != nil {
		return exchange.Fail(exchange.Connect, err)
	}
	sendErr := t.send(c, r)
	if sendErr == socket.ErrStale {
		return exchange.Fail(exchange.Connect, sendErr)
	}
	if !single {
		r.trace.Mark(exchange.Written)
	}
	early := sendErr != nil && errors.Is(sendErr, errAnsweredEarly)
	var err error
	switch {
	case errors.Is(sendErr, exchange.ErrTooSlow):
		// The device may have answered and stopped reading, unseen on a system that can't look at
		// sockets.
		err = c.setDeadlineUnlessDone(exchange.Earlier(r.deadline, time.Now().Add(exchange.CheckInterval)))
	case sendErr != nil && !early && !exchange.IsPeerGone(sendErr):
		return exchange.Fail(exchange.Send, sendErr)
	case sendErr != nil:
		err = c.setDeadlineUnlessDone(exchange.Earlier(r.deadline, time.Now().Add(t.cfg.Limits.Response)))
	case !single: // the answer has a time of its own
		err = t.startWaiting(c, r)
	}
	if err != nil {
		return exchange.Fail(exchange.Send, err)
	}
	// A device may answer before it has read everything, and close: the answer
	// stands, though the write failed (RFC 9112 §9.5).
	if f := t.receive(c, r); f != nil {
		if sendErr != nil && !early && f.Kind != exchange.PeerRefused {
			return exchange.Fail(exchange.Send, sendErr)
		}
		return f
	}
	if sendErr != nil {
		r.response.Close = true
		c.failed = true // the device may not be reading: TLS couldn't say goodbye
	}
	if r.response.Status/100 == 2 && !single {
		if sendErr != nil {
			return exchange.Fail(exchange.Send, fmt.Errorf("%w: %w", exchange.ErrUnfinished, sendErr))
		}
		return t.finish(c)
	}
	return nil
}

// startWaiting sets the deadline of the answer to a request that took more than one write. Until
// the device's system has acknowledged all of it, the upload must make progress; only then the time
// for the answer begins.
func (t *transport) startWaiting(c *conn, r *request) error {
	now, limits := time.Now(), &t.cfg.Limits
	if c.upload.draining = c.canTell(); c.upload.draining {
		c.upload.limits, c.upload.size = limits, r.Body.Size
		check := now.Add(min(c.upload.monitor.Interval(), limits.Response))
		return c.setDeadlineUnlessDone(exchange.Earlier(r.deadline, check))
	}
	until := r.deadline
	if d, ok := limits.BlindResponse(r.Body.Size); ok {
		until = exchange.Earlier(until, now.Add(d))
	}
	return c.setDeadlineUnlessDone(until)
}

// finish waits until the device's system has acknowledged all of an update that the device called a
// success.
func (t *transport) finish(c *conn) *exchange.Failure {
	u := &c.upload
	u.draining = false
	for pause := time.Millisecond; ; pause = min(2*pause, exchange.CheckInterval) {
		if n, known := c.probe.Unacked(); !known || n == 0 {
			return nil
		}
		now := time.Now()
		var err error
		switch {
		case c.probe.HasEnded():
			return exchange.Fail(exchange.Send, exchange.ErrUnfinished)
		case !now.Before(u.deadline):
			err = os.ErrDeadlineExceeded
		case u.monitor.IsTooSlow(now, c.acked()):
			err = exchange.ErrTooSlow
		default:
			err = c.pause(exchange.Earlier(u.deadline, now.Add(pause)))
		}
		if err != nil {
			return exchange.Fail(exchange.Send, fmt.Errorf("%w: %w", exchange.ErrUnfinished, err))
		}
	}
}

// sendDeadline returns the connection's deadline while the request is sent. For a request that goes
// out in one write it holds for the answer, too, and includes the time of the body at the least
// throughput. For a longer one it is when the upload is checked first.
func (t *transport) sendDeadline(c *conn, r *request, now time.Time) time.Time {
	if r.fitsSingleWrite() {
		c.upload.deadline = time.Time{}
		d := t.cfg.Limits.Response
		if r.Body != nil {
			d += t.cfg.Limits.MinThroughput.Longest(r.Body.Size)
		}
		return exchange.Earlier(r.deadline, now.Add(d))
	}
	return c.upload.begin(now, r.deadline, t.cfg.Limits.MinThroughput)
}

// askFirst waits, up to Limits.ExpectContinue, for the device's answer to the head.
func (t *transport) askFirst(c *conn, r *request) error {
	if err := c.awaitContinue(exchange.Earlier(r.deadline, time.Now().Add(t.cfg.Limits.ExpectContinue))); err != nil {
		return err
	}
	return c.setDeadlineUnlessDone(t.sendDeadline(c, r, time.Now()))
}

// send sends the head, as much of the body as goes with it, and the rest.
func (t *transport) send(c *conn, r *request) error {
	b, begun := r.appendHead(r.head[:0], &t.cfg.Header), 0
	if r.Body != nil && !r.Expect {
		begun = int(min(r.Body.Size, exchange.SingleWrite))
		b = slices.Grow(b, begun)
		body := b[len(b) : len(b)+begun]
		if n, err := r.Body.Source.ReadAt(body, 0); n < begun {
			return exchange.ShortRead(int64(n), err)
		}
		b = b[:len(b)+begun]
	}
	r.head = b
	if r.fitsSingleWrite() {
		return c.writeRequest(b)
	}
	if _, err := c.Write(b); err != nil {
		return err
	}
	if r.Expect {
		if err := t.askFirst(c, r); err != nil {
			return err
		}
	}
	return t.sendBody(c, r, int64(begun))
}

// sendBody sends the body from an offset on.
func (t *transport) sendBody(c *conn, r *request, from int64) error {
	for at := from; at < r.Body.Size; {
		if at > from && c.isAnsweredEarly() {
			return errAnsweredEarly
		}
		n, err := t.hold(c, r, min(exchange.ChunkSize, r.Body.Size-at))
		if err != nil {
			return err
		}
		if n, err = t.chunks.CopyChunk(c, r.Body, at, n); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// receive reads the answer to its end, so that the connection can be used again.
func (t *transport) receive(c *conn, r *request) *exchange.Failure {
	a := &r.response
	limits := http1.Limits{Head: t.cfg.Limits.MaxResponseHead, Body: t.cfg.Limits.MaxResponseBody}
	if err := a.Read(c.br, limits); err != nil {
		return c.readFailure(err)
	}
	if a.Status == http.StatusSwitchingProtocols {
		err := &http1.Error{Err: http1.ErrSwitchedProtocols}
		return &exchange.Failure{Stage: exchange.Receive, Kind: exchange.BadHTTP, Err: err}
	}
	to := r.out
	to.Status, to.Body = a.Status, a.Body
	to.ContentType, to.ContentEncoding = a.ContentType, a.ContentEncoding
	to.Location, to.Date, to.RetryAfter = a.Location, a.Date, a.RetryAfter
	return nil
}

// holdFirst waits until the rate lets the part of a body that goes with the head go out.
func (t *transport) holdFirst(ctx context.Context, r *request) *exchange.Failure {
	if r.Rate == nil || r.Body == nil {
		return nil
	}
	wait := r.Rate.Take(time.Now(), min(r.Body.Size, exchange.SingleWrite))
	if wait > 0 && !pacing.Wait(ctx, wait, nil) {
		return exchange.Fail(exchange.Connect, ctx.Err())
	}
	return nil
}

// hold waits until the rate lets another piece of the upload go out, and returns how many bytes.
// The wait is no part of the upload's time or of the request's. It returns an error if the device
// answers meanwhile.
func (t *transport) hold(c *conn, r *request, n int64) (int64, error) {
	if r.Rate == nil {
		return n, nil
	}
	n = min(n, r.Rate.Piece())
	wait := r.Rate.Take(time.Now(), n)
	r.deadline = r.deadline.Add(wait)
	c.upload.postpone(wait)
	for wait > 0 {
		slice := min(wait, exchange.CheckInterval)
		wait -= slice
		if !pacing.Sleep(slice, c.watch.Done()) {
			return 0, context.Canceled
		}
		if err := c.setDeadlineUnlessDone(c.upload.nextCheck(time.Now())); err != nil {
			return 0, err
		}
		if wait > 0 && c.isAnsweredEarly() {
			return 0, errAnsweredEarly
		}
	}
	return n, nil
}
