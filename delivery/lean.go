package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
)

// lean is HTTP/1.1 over the client's own connections, with fasthttp's codec. An
// operation runs in its caller's goroutine alone.
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
	fields := []field{{"User-Agent", userAgent}}
	for name, values := range sortedHeader(cfg.Header) {
		for _, v := range values {
			fields = append(fields, field{name, v})
		}
	}
	l.header = newHeader(fields, 0)
	return l
}

func (l *lean) close() { l.pool.close() }

func (l *lean) roundTrip(ctx context.Context, x *exchange) error {
	now := time.Now()
	x.deadline = now.Add(l.cfg.Timeouts.Total)
	if d, ok := ctx.Deadline(); ok && d.Before(x.deadline) {
		x.deadline = d
	}
	for ; ; now = time.Now() {
		x.stamps.stamp(atPrepared)
		c, reused, err := l.connect(ctx, x, now)
		if err != nil {
			return err
		}
		if !reused {
			now = time.Now()
		}
		x.stamps.connection(reused)
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
	key := connKey{x.to.host, x.to.secure}
	for {
		if c, err = l.pool.get(key, now); err != nil {
			return nil, false, &exchangeError{phase: phaseConnect, err: err}
		}
		if c == nil {
			break
		}
		if c.usableBy(ctx) {
			return c, true, nil
		}
		l.pool.discard(c)
	}
	l.stats.dials.Add(1)
	nc, err := l.dial(ctx, x)
	if err != nil {
		return nil, false, err
	}
	return l.pool.adopt(key, nc), false, nil
}

func (l *lean) dial(ctx context.Context, x *exchange) (net.Conn, error) {
	nc, err := dialWithin(ctx, l.cfg, x.to.dialAddress(), x.deadline)
	if err != nil {
		return nil, &exchangeError{phase: phaseConnect, err: err}
	}
	x.stamps.stamp(atConnected)
	if !x.to.secure {
		return nc, nil
	}
	nc, err = l.handshake(ctx, nc, x)
	if err == nil {
		x.stamps.stamp(atSecured)
	}
	return nc, err
}

func dialWithin(ctx context.Context, cfg Config, address string, deadline time.Time) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, earlier(deadline, time.Now().Add(cfg.Timeouts.Dial)))
	defer cancel()
	return cfg.Dial(ctx, "tcp", address)
}

func (l *lean) handshake(ctx context.Context, nc net.Conn, x *exchange) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, earlier(x.deadline, time.Now().Add(l.cfg.Timeouts.TLS)))
	defer cancel()
	cfg := l.cfg.TLS
	if cfg.ServerName == "" {
		cfg = cfg.Clone()
		cfg.ServerName = x.to.serverName()
	}
	tc := tls.Client(&uplink{Conn: nc}, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, &exchangeError{phase: phaseConnect, secure: isRefusedPeer(err), err: errors.Join(fmt.Errorf("TLS: %w", err), ignoreClosed(nc.Close()))}
	}
	return tc, nil
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
	c.silent, c.stamps = true, x.stamps
	err = l.sendAndRead(ctx, c, reused, x, now)
	c.sendBy, c.failed, c.stamps = time.Time{}, c.failed || err != nil, nil
	if err == errStale {
		l.pool.discard(c)
		return true, err
	}
	if reused {
		l.stats.reused.Add(1)
	}
	unseen = c.silent && (x.isGet() || c.traffic.written == before.written) && connectionFailed(err)
	l.stats.requests.Add(1)
	l.stats.written.Add(c.traffic.written - before.written)
	l.stats.read.Add(c.traffic.read - before.read)
	if err != nil || x.response.ConnectionClose() || x.status == http.StatusSwitchingProtocols || !c.clean() {
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
	if reused && !(whole && c.trip.bare()) && !c.quiet() { // a trip looks for itself
		return errStale
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
	if sendErr == errStale {
		return sendErr
	}
	if !whole {
		x.stamps.stamp(atWritten)
	}
	early := sendErr != nil && errors.Is(sendErr, errAnswered)
	answerBy := time.Duration(0) // the deadline that stands is the answer's as well
	switch {
	case errors.Is(sendErr, errSlow):
		answerBy = lookEvery // it may have answered, unseen (TLS), and stopped reading
	case sendErr != nil && !early && !isPeerGone(sendErr):
		return &exchangeError{phase: phaseSend, err: sendErr}
	case !whole:
		answerBy = l.cfg.Timeouts.Answer // the body took its time: the answer has its own
	}
	if answerBy > 0 {
		if err := c.endBy(earlier(x.deadline, time.Now().Add(answerBy))); err != nil {
			return &exchangeError{phase: phaseSend, err: err}
		}
	}
	// A device may answer before it has read everything, and close: the answer
	// stands, though the write failed (RFC 9112 §9.5).
	if err := l.receive(c, x); err != nil {
		if sendErr != nil && !early {
			return &exchangeError{phase: phaseSend, err: sendErr}
		}
		return err
	}
	if sendErr != nil {
		x.response.SetConnectionClose()
		c.failed = true // the device may not be reading: TLS couldn't say goodbye
	}
	return nil
}

// firstDeadline is the deadline that stands while the request is sent. A request
// that goes out in one write needs no second one for its answer. A longer one is
// looked at now and then, until the total deadline: whether the device answered
// early, and whether it takes enough.
func (l *lean) firstDeadline(c *conn, x *exchange, now time.Time) time.Time {
	if l.fitsOneWrite(x) {
		c.sendBy = time.Time{}
		return earlier(x.deadline, now.Add(l.cfg.Timeouts.Answer))
	}
	c.sendBy, c.sent = x.deadline, 0
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
	return l.sendBody(c, x.body, int64(begun))
}

// sendBody sends the artifact from there on.
func (l *lean) sendBody(c *conn, a *Artifact, from int64) error {
	for at := from; at < a.size; {
		if at > from && !c.key.secure && c.answered() {
			return errAnswered
		}
		n, err := l.chunks.pass(c, a, at, min(chunkSize, a.size-at))
		if err != nil {
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
	resp := &x.response
	// The codec would put the body's buffer among those of the whole process, and drop
	// it if most others are smaller; then every answer would need another.
	resp.KeepBodyBuffer = true
	resp.Reset()
	resp.Header.DisableNormalizing()
	if err := resp.ReadLimitBody(c.br, l.cfg.MaxAnswer); err != nil {
		return c.answerError(err)
	}
	x.status = resp.StatusCode()
	x.answer = resp.Body()
	x.contentType = resp.Header.ContentType()
	x.encoding = resp.Header.ContentEncoding()
	if x.status == http.StatusOK {
		return nil
	}
	for name, value := range resp.Header.All() {
		switch {
		case equalFoldASCII(name, "retry-after"):
			x.retryAfter = value
		case equalFoldASCII(name, "date"):
			x.date = value
		case equalFoldASCII(name, "location"):
			x.location = value
		}
	}
	return nil
}
