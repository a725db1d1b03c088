package nethttp

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/socket"
)

// monitoredWrite is how large a write must be, in bytes, for its progress to be checked.
const monitoredWrite = 4 << 10

// readBuffer is how much is read of a connection at once, in bytes.
const readBuffer = 4 << 10

// countedConn is a connection of net/http, beneath TLS. It counts the bytes on the wire, and writes
// bodies without another copy. A write to a peer that has closed the connection succeeds: a device
// may answer before it has read everything, and close. Its answer stands, though the write failed
// (RFC 9112 §9.5), and a read says whether there is one.
type countedConn struct {
	net.Conn
	stats  *exchange.Counters
	chunks *exchange.ChunkPool
	sent   atomic.Int64 // bytes that the socket took

	onClose     func()      // may be nil
	peerClosed  atomic.Bool // the peer has closed the connection
	deadlineSet bool        // a write deadline is set; of the writer alone

	mu    sync.Mutex // of the probe: requests may share the connection
	probe socket.Probe
}

func newCountedConn(nc net.Conn, stats *exchange.Counters, chunks *exchange.ChunkPool) *countedConn {
	c := &countedConn{Conn: nc, stats: stats, chunks: chunks}
	c.probe.Open(nc)
	return c
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.stats.Read.Add(uint64(n))
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	done := 0
	for !c.peerClosed.Load() {
		// The deadline is the time to see how far a long write has come; it doesn't end the write.
		if len(p) > monitoredWrite {
			c.deadlineSet = c.SetWriteDeadline(time.Now().Add(exchange.CheckInterval)) == nil
		} else if c.deadlineSet {
			c.deadlineSet = c.SetWriteDeadline(time.Time{}) != nil
		}
		n, err := c.Conn.Write(p[done:])
		done += n
		c.sent.Add(int64(n))
		c.stats.Written.Add(uint64(n))
		if err == nil || !c.notePeerClosed(err) && !(c.deadlineSet && errors.Is(err, os.ErrDeadlineExceeded)) {
			return done, err
		}
	}
	return len(p), nil
}

// notePeerClosed reports whether err means that the peer has closed the connection. If so, it makes
// a pending read end soon, because the error of that read says why.
func (c *countedConn) notePeerClosed(err error) bool {
	if err == nil || !exchange.IsPeerGone(err) {
		return false
	}
	c.peerClosed.Store(true)
	return c.SetReadDeadline(time.Now().Add(exchange.CheckInterval)) == nil
}

// ReadFrom writes a body to the connection: net/http calls it, with the body in a LimitedReader.
func (c *countedConn) ReadFrom(r io.Reader) (int64, error) {
	if l, ok := r.(*io.LimitedReader); ok {
		if b, ok := l.R.(*requestBody); ok {
			n, err := b.sendTo(c, l.N)
			l.N -= n
			return n, err
		}
	}
	return io.Copy(struct{ io.Writer }{c}, r)
}

// acked returns how many bytes the peer's system has acknowledged, or that were written, where the
// system can't tell.
func (c *countedConn) acked() int64 {
	n, _ := c.unacked()
	return c.sent.Load() - n
}

// unacked returns how many bytes the peer's system has not acknowledged, and reports whether the
// system can tell.
func (c *countedConn) unacked() (n int64, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.probe.Unacked()
}

// quiet reports whether the connection is open and holds nothing to read.
func (c *countedConn) quiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.probe.IsQuiet()
}

// ended reports whether the connection can be seen to have ended.
func (c *countedConn) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.probe.HasEnded()
}

// resetIfUnacked makes the close of the connection a reset, if the peer's system has not
// acknowledged all of what was written.
func (c *countedConn) resetIfUnacked() {
	if n, _ := c.unacked(); n > 0 {
		socket.ResetOnClose(c.Conn)
	}
}

// Close closes the connection, and calls onClose.
func (c *countedConn) Close() error {
	err := c.Conn.Close()
	if c.onClose != nil {
		c.onClose()
	}
	return err
}
