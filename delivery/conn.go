package delivery

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/http1"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
	"github.com/fleetmark/fleetmark/delivery/internal/socket"
)

const (
	readBuffer = 4 << 10
	// lookEvery is how long an upload may be stuck before it is looked whether the
	// device has answered already.
	lookEvery = 250 * time.Millisecond
)

// conn is one connection of the lean transport. At any time it belongs to one
// operation or lies in the pool.
type conn struct {
	nc  net.Conn
	key connKey
	br  *bufio.Reader // over the conn itself, which counts

	traffic     traffic
	trace       *trace // of the request under way
	failed      bool   // its last operation did
	silent      bool   // no byte of the answer has come
	readErr     error  // what the connection, rather than its reader, last said
	probe       socket.Probe
	writeWait   socket.WriteWaiter
	markWritten func()    // it was handed to the system
	sendBy      time.Time // until when a stuck write goes on; zero: it ends with its deadline
	pace        pace      // of the upload
	sent        int64     // bytes that the socket took, since the upload began
	agreed      bool      // a success was told before the upload's end: it goes on
	// The upload is out, and the device's system hasn't all of it yet, or wasn't seen to.
	draining bool
	began    time.Time // when the upload did
	size     int64
	limits   *Timeouts
	raw      *rawConn // beneath TLS; nil: plain

	// The watch: a cancel of the context cuts the operation short by a deadline in
	// the past, without a goroutine an operation. Arming it costs allocations, so
	// where the same context comes again it stays armed while the connection is idle.
	expire  func()
	armed   <-chan struct{} // Done of the context that is watched, nil if none
	lastFor <-chan struct{} // Done of the context watched last
	steady  bool            // the same context came twice: keep the watch
	disarm  func() bool
	struck  bool // a watch struck, and may still be at it

	// The pool's links.
	home         *stack // nil until it was idle for the first time
	idleSince    time.Time
	older, newer *conn // over all devices, by the time they became idle
	below, above *conn // over those of one device
}

type traffic struct{ read, written uint64 }

func newConn() *conn {
	c := &conn{}
	c.br = bufio.NewReaderSize(c, readBuffer)
	c.expire = func() {
		// A connection that is closed already is as good: there is nobody to tell of an error.
		_ = c.nc.SetDeadline(longPast())
	}
	c.markWritten = func() { c.trace.mark(atWritten) }
	return c
}

// open takes a fresh network connection.
func (c *conn) open(key connKey, nc net.Conn) {
	c.nc, c.key, c.traffic, c.readErr = nc, key, traffic{}, nil
	c.failed, c.raw = false, nil
	if t, ok := nc.(*tls.Conn); ok {
		if up, ok := t.NetConn().(*rawConn); ok {
			up.c, c.raw = c, up
		}
	}
	c.probe.Open(nc)
	c.writeWait.Open(nc, &c.probe, c.markWritten)
	c.br.Reset(c)
}

// Read counts, and remembers what failed. While the device's system hasn't got the whole
// upload, a deadline that passes is but a look at how it goes.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.nc.Read(p)
		c.traffic.read += uint64(n)
		if n > 0 && c.silent {
			c.silent = false
			c.trace.mark(atAnswered)
		}
		if n == 0 && c.draining && errors.Is(err, os.ErrDeadlineExceeded) {
			if err = c.keepWaiting(); err == nil {
				continue
			}
		}
		if err != nil {
			c.readErr = err
		}
		return n, err
	}
}

// keepWaiting decides on a wait for the answer that has met its deadline.
func (c *conn) keepWaiting() error {
	now := time.Now()
	if !now.Before(c.sendBy) {
		return os.ErrDeadlineExceeded
	}
	if n, known := c.probe.Unacked(); !known || n == 0 {
		c.draining = false
		return c.endBy(earlier(c.sendBy, now.Add(c.limits.answer(c.size, now.Sub(c.began)))))
	}
	if c.pace.slow(now, c.moved()) {
		return errSlow
	}
	return c.endBy(earlier(c.sendBy, now.Add(c.pace.look())))
}

// moved is what the peer's system took of the upload, in bytes.
func (c *conn) moved() int64 {
	n, _ := c.probe.Unacked()
	return c.sent - n
}

// canTell reports whether the system tells what the peer's has not acknowledged.
func (c *conn) canTell() bool {
	_, known := c.probe.Unacked()
	return known
}

// Write counts.
func (c *conn) Write(p []byte) (int, error) {
	n, err := 0, error(nil)
	if c.raw != nil {
		n, err = c.writeSecure(p)
	} else {
		n, err = c.writeOn(c.nc, p)
	}
	c.traffic.written += uint64(n)
	return n, err
}

// writeSecure writes over TLS, a record at a time. TLS can't go on after a write that met
// its deadline, and must not read in the middle of one: to answer what it then may read,
// it would write. So it never waits: the rawConn keeps its records, and they are sent here.
func (c *conn) writeSecure(p []byte) (done int, err error) {
	defer c.raw.release()
	for len(p) > 0 && err == nil {
		const record = 16 << 10 // RFC 8446 §5.1
		piece := p[:min(len(p), record)]
		c.raw.keep = true
		if _, err = c.nc.Write(piece); err == nil {
			if err = c.raw.flush(); err == nil || c.raw.moved {
				done += len(piece)
			}
		}
		p = p[len(piece):]
	}
	return done, err
}

// writeWhole writes a request that is complete, over a connection that lay idle or not,
// and may wait for the answer to begin.
func (c *conn) writeWhole(b []byte, idled bool) error {
	if c.writeWait.IsAvailable() {
		n, err := c.writeWait.Send(b, idled)
		c.traffic.written += uint64(n)
		if err != nil || n == len(b) {
			return err
		}
		b = b[n:]
	}
	_, err := c.Write(b)
	c.trace.mark(atWritten)
	return err
}

// writeOn writes to a socket, whose deadline is but a look at how it goes.
func (c *conn) writeOn(nc net.Conn, p []byte) (int, error) {
	done := 0
	for {
		n, err := nc.Write(p[done:])
		done += n
		c.sent += int64(n)
		if err == nil {
			return done, nil
		}
		if c.sendBy.IsZero() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
		if err := c.keepSending(); err != nil {
			return done, err
		}
	}
}

// rawConn is the socket beneath TLS.
type rawConn struct {
	net.Conn
	c     *conn // nil during the handshake
	keep  bool  // what is written is kept, for flush
	look  bool  // a read doesn't wait
	moved bool  // the last flush sent something
	kept  []byte
}

// NetConn returns the socket, or what a Dial put around it.
func (u *rawConn) NetConn() net.Conn { return u.Conn }

func (u *rawConn) Write(p []byte) (int, error) {
	if u.keep {
		u.kept = append(u.kept, p...)
		return len(p), nil
	}
	return u.Conn.Write(p)
}

// Read gives nothing, as at a deadline, if it would wait and must not.
func (u *rawConn) Read(p []byte) (int, error) {
	if u.look && u.c.probe.IsQuiet() {
		return 0, os.ErrDeadlineExceeded
	}
	return u.Conn.Read(p)
}

// flush sends what was kept, and what TLS adds to it meanwhile.
func (u *rawConn) flush() error {
	u.moved = false
	for at := 0; at < len(u.kept); {
		n, err := u.c.writeOn(u.Conn, u.kept[at:])
		at += n
		u.moved = u.moved || n > 0
		if err != nil {
			return err
		}
	}
	u.kept = u.kept[:0]
	return nil
}

// release ends the keeping.
func (u *rawConn) release() { u.keep, u.kept = false, u.kept[:0] }

// slim lets go of the memory that an upload took: a connection may lie idle for long.
func (u *rawConn) slim() {
	if cap(u.kept) > readBuffer {
		u.kept = nil
	}
}

// errAnswered ends an upload: there is no use in sending the rest.
var errAnswered = errors.New("device answered before it had read everything")

// keepSending decides, every now and then, whether a write goes on.
func (c *conn) keepSending() error {
	now := time.Now()
	if !now.Before(c.sendBy) {
		return os.ErrDeadlineExceeded
	}
	if err := c.endBy(earlier(c.sendBy, now.Add(c.pace.look()))); err != nil {
		return err
	}
	if c.answered() {
		return errAnswered
	}
	if c.pace.slow(now, c.moved()) {
		return errSlow
	}
	return nil
}

// endBy sets the deadline, unless the context that is watched has ended: the
// deadline by which that ends the operation must stand.
func (c *conn) endBy(t time.Time) error {
	if err := c.setDeadline(t); err != nil {
		return err
	}
	select {
	case <-c.armed: // after the deadline was set: a later end sets its own
		return context.Canceled
	default:
		return nil
	}
}

// answered looks, without waiting, whether there is no use in sending the rest: a final
// answer other than a success has begun to come, or the connection has ended. A success
// before the end of the upload is the device's to keep: it gets the rest (RFC 9112 §9.5).
// Interim answers (1xx) are left where they are.
func (c *conn) answered() bool {
	if c.agreed || c.probe.IsQuiet() {
		return false
	}
	for {
		_, err := c.peekNow()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.readErr = nil // the deadline of the writing: the next write sees to it
			break
		}
		if err != nil {
			return true
		}
		if c.raw == nil {
			break
		}
		// TLS may hold more than it gave, which no look at the socket shows.
	}
	b, _ := c.br.Peek(c.br.Buffered())
	switch status := http1.FinalStatus(b); {
	case status == 0:
		return false
	case status/100 == 2:
		c.agreed = true
		return false
	}
	return true
}

// peekNow reads what the connection has, without waiting.
func (c *conn) peekNow() ([]byte, error) {
	if c.raw != nil {
		c.raw.look = true
		defer func() { c.raw.look = false }()
	}
	return c.br.Peek(c.br.Buffered() + 1)
}

// invited waits until the device asks for the body (100 Continue), or until then at
// most. errAnswered says that it refused without it, or that the connection failed:
// reading the answer tells which.
func (c *conn) invited(until time.Time) error {
	if err := c.endBy(until); err != nil {
		return err
	}
	for {
		b, err := c.br.Peek(c.br.Buffered())
		if err != nil {
			return errAnswered
		}
		switch status := http1.FinalStatus(b); {
		case status/100 == 2:
			c.agreed = true // and yet it needs the update
			return nil
		case status != 0:
			return errAnswered
		}
		if end := http1.HeadEnd(b); end >= 0 {
			asked := bytes.HasPrefix(bytes.TrimLeft(b, "\r\n")[len("HTTP/1.1 "):], []byte("100"))
			if _, err := c.br.Discard(end); err != nil || asked {
				return err
			}
			continue
		}
		if _, err := c.br.Peek(c.br.Buffered() + 1); errors.Is(err, os.ErrDeadlineExceeded) {
			c.readErr = nil
			return nil
		} else if err != nil {
			return errAnswered
		}
	}
}

// pause waits until then, or until the context that is watched ends.
func (c *conn) pause(until time.Time) error {
	if !pacing.Sleep(time.Until(until), c.armed) {
		return context.Canceled
	}
	return nil
}

// beneath is the connection under TLS.
func beneath(nc net.Conn) net.Conn {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	if up, ok := nc.(*rawConn); ok {
		nc = up.Conn
	}
	return nc
}

func (c *conn) setDeadline(t time.Time) error { return c.nc.SetDeadline(t) }

// clean reports whether the next answer can be told from leftovers of this one.
func (c *conn) clean() bool { return c.br.Buffered() == 0 && c.readErr == nil }

// answerError says why an answer could not be read: the connection failed, or the
// peer broke HTTP. An end before the first byte is a close; an end in the middle
// means that more was promised than came.
func (c *conn) answerError(err error) error {
	cut := errors.Is(c.readErr, io.EOF) && !c.silent
	switch {
	case c.silent && c.key.secure && c.readErr != nil && isRefusedClient(c.readErr):
		return &exchangeError{phase: phaseConnect, secure: true, err: fmt.Errorf("TLS: %w", c.readErr)}
	case c.readErr == nil || cut:
		if _, ok := errors.AsType[*http1.Error](err); !ok {
			err = &http1.Error{Err: err}
		}
		return &exchangeError{phase: phaseAnswer, protocol: true, err: err}
	default:
		return &exchangeError{phase: phaseAnswer, err: fmt.Errorf("reading answer: %w", c.readErr)}
	}
}

// usableBy readies an idle connection for ctx. It is not usable if the context it
// was watched for has ended meanwhile: that watch may still set its deadline.
func (c *conn) usableBy(ctx context.Context) bool {
	return c.armed == nil || c.armed == ctx.Done() || c.unwatch()
}

// quiet reports whether an idle connection is open and holds nothing: what nobody asked
// for would be taken for the next answer (RFC 9112 §9.2, §11.2). TLS may have taken more
// from its socket than it gave: a read that must not wait shows that.
func (c *conn) quiet() bool {
	if !c.probe.IsQuiet() {
		return false
	}
	if !c.key.secure {
		return true
	}
	if err := c.setDeadline(longPast()); err != nil {
		return false
	}
	_, err := c.br.Peek(1)
	c.readErr = nil // the connection is ours only to look at yet
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// longPast is a deadline that ends what waits and lets nothing wait.
func longPast() time.Time { return time.Unix(1, 0) }

// watch makes a cancel of ctx end what the connection is doing.
func (c *conn) watch(ctx context.Context) {
	done := ctx.Done()
	if done == nil || c.armed == done {
		return
	}
	c.steady = c.lastFor == done
	c.armed, c.lastFor = done, done
	c.disarm = context.AfterFunc(ctx, c.expire)
}

// unwatch takes the watch off, and reports whether it had not struck.
func (c *conn) unwatch() bool {
	if c.armed == nil {
		return true
	}
	c.armed = nil
	if !c.disarm() {
		c.struck = true
	}
	return !c.struck
}

// rest is called when an operation is over. It reports whether the connection may lie idle.
func (c *conn) rest() bool { return c.steady || c.unwatch() }

// shut closes the connection and reports whether its memory may be used again:
// not if a watch may still be running.
func (c *conn) shut() bool {
	c.unwatch()
	c.lastFor, c.steady, c.disarm, c.raw = nil, false, nil, nil
	// Whatever there was to say on this connection has been said, or has failed already.
	nc := c.nc
	if c.failed {
		nc = beneath(nc) // TLS would say goodbye first, and may wait for seconds to do so
		if n, _ := c.probe.Unacked(); n > 0 {
			socket.ResetOnClose(nc)
		}
	}
	_ = nc.Close()
	if !c.struck {
		c.nc = nil
	}
	return !c.struck
}
