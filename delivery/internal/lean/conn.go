package lean

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/http1"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
	"github.com/fleetmark/fleetmark/delivery/internal/socket"
)

const readBuffer = 4 << 10

// conn is one connection. At any time it belongs to one request or lies in the pool.
type conn struct {
	nc  net.Conn
	key connKey
	raw *rawConn      // beneath TLS; nil: plain
	br  *bufio.Reader // over Read of the conn itself

	probe     socket.Probe
	writeWait socket.WriteWaiter
	// watch ends a request when its context ends, by a deadline in the past.
	watch exchange.ContextWatch

	traffic traffic
	trace   *exchange.Trace // of the request under way; nil: nobody wants it
	reused  bool            // it was idle before
	failed  bool            // its last request failed
	silent  bool            // no byte of the answer has come
	readErr error           // the last error of the connection, which its reader may hide
	upload  upload

	idle idleLinks
}

type traffic struct{ read, written uint64 }

func newConn() *conn {
	c := &conn{}
	c.br = bufio.NewReaderSize(c, readBuffer)
	c.watch = exchange.NewContextWatch(func() {
		// If this fails, the connection is closed already, which ends the request as well.
		_ = c.nc.SetDeadline(aLongTimeAgo())
	})
	return c
}

// OnWritten implements [socket.WriteObserver].
func (c *conn) OnWritten() { c.trace.Mark(exchange.Written) }

// open makes c the conn of a new network connection.
func (c *conn) open(key connKey, nc net.Conn) {
	c.nc, c.key, c.traffic, c.readErr = nc, key, traffic{}, nil
	c.reused, c.failed, c.raw = false, false, nil
	if t, ok := nc.(*tls.Conn); ok {
		if up, ok := t.NetConn().(*rawConn); ok {
			up.c, c.raw = c, up
		}
	}
	c.probe.Open(nc)
	c.writeWait.Open(nc, &c.probe, c)
	c.br.Reset(c)
}

// Read reads from the connection, counts the bytes and keeps the error. While the device's system
// has not acknowledged the whole upload, the deadline is only the time to check its progress.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.nc.Read(p)
		c.traffic.read += uint64(n)
		if n > 0 && c.silent {
			c.silent = false
			c.trace.Mark(exchange.Answered)
		}
		if n == 0 && c.upload.draining && errors.Is(err, os.ErrDeadlineExceeded) {
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

// Write writes to the connection and counts the bytes.
func (c *conn) Write(p []byte) (int, error) {
	n, err := 0, error(nil)
	if c.raw != nil {
		n, err = c.writeSecure(p)
	} else {
		n, err = c.writeMonitored(c.nc, p)
	}
	c.traffic.written += uint64(n)
	return n, err
}

// writeRequest writes a complete request, and waits for the answer to begin where the system can.
func (c *conn) writeRequest(b []byte) error {
	if c.writeWait.IsAvailable() {
		n, err := c.writeWait.Send(b, c.reused)
		c.traffic.written += uint64(n)
		if err != nil || n == len(b) {
			return err
		}
		b = b[n:]
	}
	_, err := c.Write(b)
	c.trace.Mark(exchange.Written)
	return err
}

// setDeadlineUnlessDone sets the deadline. It returns an error if the context that is watched has
// ended; the deadline in the past that ends the request then stays.
func (c *conn) setDeadlineUnlessDone(t time.Time) error {
	if err := c.setDeadline(t); err != nil {
		return err
	}
	select {
	case <-c.watch.Done(): // after the deadline was set: a later end sets its own
		return context.Canceled
	default:
		return nil
	}
}

// pause waits until a time. It returns an error if the context that is watched ends before.
func (c *conn) pause(until time.Time) error {
	if !pacing.Sleep(time.Until(until), c.watch.Done()) {
		return context.Canceled
	}
	return nil
}

func (c *conn) setDeadline(t time.Time) error { return c.nc.SetDeadline(t) }

// clean reports whether nothing is left of this answer that would be taken for a part of the next
// one.
func (c *conn) clean() bool { return c.br.Buffered() == 0 && c.readErr == nil }

// readFailure returns the failure to read an answer: the connection failed, or the peer broke HTTP.
// If the connection ends before the first byte, it was closed; if it ends later, less came than the
// answer promised.
func (c *conn) readFailure(err error) *exchange.Failure {
	cut := errors.Is(c.readErr, io.EOF) && !c.silent
	switch {
	case c.silent && c.key.tls && c.readErr != nil && exchange.IsRefusedClient(c.readErr):
		return &exchange.Failure{Stage: exchange.Connect, Kind: exchange.PeerRefused, Err: fmt.Errorf("TLS: %w", c.readErr)}
	case c.readErr == nil || cut:
		if _, ok := errors.AsType[*http1.Error](err); !ok {
			err = &http1.Error{Err: err}
		}
		return &exchange.Failure{Stage: exchange.Receive, Kind: exchange.BadHTTP, Err: err}
	default:
		return exchange.Fail(exchange.Receive, fmt.Errorf("reading answer: %w", c.readErr))
	}
}

// isIdle reports whether a connection that no request uses is open and holds nothing to read, which
// would be taken for the next answer (RFC 9112 §9.2, §11.2). TLS may have read more from its socket
// than it has returned: a read that doesn't wait shows that.
func (c *conn) isIdle() bool {
	if !c.probe.IsQuiet() {
		return false
	}
	if !c.key.tls {
		return true
	}
	if err := c.setDeadline(aLongTimeAgo()); err != nil {
		return false
	}
	_, err := c.br.Peek(1)
	c.readErr = nil // no request has read anything
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// aLongTimeAgo returns a deadline that ends every wait at once.
func aLongTimeAgo() time.Time { return time.Unix(1, 0) }

// close closes the connection. It reports whether the conn may be used for another one: not if a
// context has ended whose watch may still be setting the deadline.
func (c *conn) close() bool {
	reusable := c.watch.Reset()
	c.raw = nil
	// An error of Close says nothing that matters: all requests have ended.
	nc := c.nc
	if c.failed {
		nc = underTLS(nc) // TLS would say goodbye first, and may wait for seconds to do so
		if n, _ := c.probe.Unacked(); n > 0 {
			socket.ResetOnClose(nc)
		}
	}
	_ = nc.Close()
	if reusable {
		c.nc = nil
	}
	return reusable
}
