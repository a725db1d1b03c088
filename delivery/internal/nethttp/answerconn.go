package nethttp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/http1"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
	"github.com/fleetmark/fleetmark/delivery/internal/socket"
)

// answerConn is what net/http sees of a connection of HTTP/1.1, above TLS. It reads each answer to
// its end before it returns it, in one form (http1.Response.AppendCanonical). So net/http sees no
// answer that it would refuse and lean would accept, and no byte beyond an answer, which it would
// write to the process's log. It also doesn't give up an upload because a success came early.
type answerConn struct {
	net.Conn // what it reads from and writes to
	counted  *countedConn
	limits   http1.Limits

	// Of the reader alone.
	br   *bufio.Reader
	got  http1.Response
	left int    // bytes of the limit of the head
	out  []byte // what net/http has yet to read
	buf  []byte // its memory
	err  error  // of the next Read after it

	mu       sync.Mutex
	mode     connMode
	upload   int64         // size of the body of the request under way
	sending  bool          // the request isn't out yet
	wrote    bool          // some of the request was written
	released chan struct{} // closed when one of these changes; nil: nobody waits
	closed   bool
	stale    bool  // the next request is refused
	cut      bool  // the last success came before the end of a body that the device will never have
	told     error // see failed
	trace    *exchange.Trace
}

// connMode is what is known of a connection's use.
type connMode uint8

const (
	modeNew    connMode = iota // nothing was written
	modeIdle                   // no answer is due
	modeBusy                   // an answer is due
	modeTunnel                 // a tunnel through a proxy, which passes unread
)

func newAnswerConn(nc net.Conn, counted *countedConn, limits http1.Limits) *answerConn {
	return &answerConn{Conn: nc, counted: counted, limits: limits, br: bufio.NewReaderSize(nc, readBuffer)}
}

// NetConn returns the connection beneath.
func (c *answerConn) NetConn() net.Conn { return c.Conn }

// begin prepares the connection for a request with a body of a size, which is 0 for none. If refuse
// is set, the writes of the request fail with socket.ErrStale: it must be the first of its
// connection.
func (c *answerConn) begin(size int64, refuse bool, s *exchange.Trace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.upload, c.sending, c.stale, c.cut, c.trace = size, size > 0, c.stale || refuse, false, s
	c.wrote = false
}

// untouched reports whether nothing of the last request was written.
func (c *answerConn) untouched() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.wrote
}

// sent is called when the request is out.
func (c *answerConn) sent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sending = false
	c.wake()
}

func (c *answerConn) wake() {
	if c.released != nil {
		close(c.released)
		c.released = nil
	}
}

// unfinished reports whether the device answered an upload that it will never receive in full.
func (c *answerConn) unfinished() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut || c.counted.peerClosed.Load()
}

// failed returns why the device's answer was refused, or the alert by which the device refused the
// client's certificate. It returns nil if neither happened. The error of net/http, which closes the
// connection for it, may say no more than that the connection was closed.
func (c *answerConn) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told
}

func (c *answerConn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = err
}

// Close closes the connection, and ends every wait for it.
func (c *answerConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.wake()
	c.mu.Unlock()
	return c.Conn.Close()
}

// Write writes to the connection. An answer is due then.
func (c *answerConn) Write(p []byte) (int, error) {
	if err := c.writing(p); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *answerConn) writing(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stale, c.mode == modeIdle && !c.counted.quiet():
		return socket.ErrStale // what the device said unasked would be taken for the answer
	case c.mode == modeNew && !bytes.HasPrefix(p, []byte("POST ")) && !bytes.HasPrefix(p, []byte("GET ")):
		c.mode = modeTunnel
	case c.mode == modeNew:
		c.mode = modeBusy
		c.wake()
	case c.mode == modeIdle:
		c.mode = modeBusy
	}
	c.wrote = true
	return nil
}

// ReadFrom writes a body to the connection: net/http calls it.
func (c *answerConn) ReadFrom(r io.Reader) (int64, error) {
	if to, ok := c.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

var errUnasked = errors.New("device spoke unasked")

// Read returns answers, one whole answer after the other.
func (c *answerConn) Read(p []byte) (int, error) {
	if len(c.out) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if len(c.out) == 0 { // a tunnel
		return c.Conn.Read(p)
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

func (c *answerConn) is(mode connMode) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mode == mode
}

// isDue reports whether an answer is due, whose first byte has come. What a device says before the
// first request of its connection is taken for the answer to that, as in lean; so isDue waits for
// the request.
func (c *answerConn) isDue() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.mode == modeNew && !c.closed {
		wait := c.waitLocked()
		c.mu.Unlock()
		<-wait
		c.mu.Lock()
	}
	if c.mode != modeBusy {
		c.stale = true
		return false
	}
	c.trace.Mark(exchange.Answered)
	c.trace = nil
	return true
}

// next reads an answer, or an interim one, for Read to return. It returns an error before the first
// byte of one. After an error in the middle, Read returns a status line before the error, so that
// net/http knows that the device has answered, and doesn't send the request again.
func (c *answerConn) next() error {
	if c.is(modeTunnel) {
		return nil
	}
	if _, err := c.br.Peek(1); err != nil {
		if exchange.IsRefusedClient(err) {
			c.fail(fmt.Errorf("TLS: %w", err))
		}
		return err
	}
	if !c.isDue() {
		return errUnasked
	}
	if c.left == 0 {
		c.left = c.limits.Head
	}
	a := &c.got
	err := a.ReadHead(c.br, c.limits.Head, &c.left)
	if err == nil && !a.IsInterim() {
		if err = a.ReadBody(c.br, c.limits); err == nil && a.Status/100 == 2 {
			c.hold()
		}
	}
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = &http1.Error{Err: err}
		}
		if _, ok := errors.AsType[*http1.Error](err); ok {
			c.fail(err)
		}
		c.out, c.err = append(c.buf[:0], "HTTP/1.1 200 OK\r\n"...), err
		return nil
	}
	if !a.IsInterim() && c.br.Buffered() > 0 {
		a.Close = true // more came than the answer: no next one could be told from it
	}
	c.buf = a.AppendCanonical(c.buf[:0])
	c.out = c.buf
	if !a.IsInterim() {
		c.left = 0
		c.mu.Lock()
		c.mode = modeIdle
		c.mu.Unlock()
	}
	return nil
}

// hold waits until the device's system has acknowledged all of an update that the device called a
// success, or until the request has ended. If net/http saw the success earlier, it would close the
// connection, and so end the upload.
func (c *answerConn) hold() {
	for pause := time.Millisecond; ; pause = min(2*pause, exchange.CheckInterval) {
		if wait := c.unsentWait(); wait != nil {
			<-wait
			continue
		}
		if !c.lacksSome() {
			return
		}
		c.pause(pause)
	}
}

// unsentWait returns a channel to wait on while the request isn't out. It returns nil if it is out.
func (c *answerConn) unsentWait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || !c.sending {
		return nil
	}
	return c.waitLocked()
}

func (c *answerConn) waitLocked() <-chan struct{} {
	if c.released == nil {
		c.released = make(chan struct{})
	}
	return c.released
}

// lacksSome reports whether the device's system has yet to acknowledge some of a request that is
// out. If the connection has ended, it never will, and cut is set. An upload of a single write
// isn't checked.
func (c *answerConn) lacksSome() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.upload <= exchange.SingleWrite {
		return false
	}
	if n, known := c.counted.unacked(); !known || n == 0 {
		return false
	}
	c.cut = c.counted.ended()
	return !c.cut
}

// pause waits for d, or until the connection is closed.
func (c *answerConn) pause(d time.Duration) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	wait := c.waitLocked()
	c.mu.Unlock()
	pacing.Sleep(d, wait)
}
