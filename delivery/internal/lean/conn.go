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
	br  *bufio.Reader // over the conn itself, which counts

	probe       socket.Probe
	writeWait   socket.WriteWaiter
	markWritten func() // for writeWait: the request was handed to the system
	// A cancel of the context cuts a request short, by a deadline in the past.
	watch exchange.ContextWatch

	traffic traffic
	trace   *exchange.Trace // of the request under way
	failed  bool            // its last request did
	silent  bool            // no byte of the answer has come
	readErr error           // what the connection, rather than its reader, last said
	upload  upload

	idle idleLinks
}

type traffic struct{ read, written uint64 }

func newConn() *conn {
	c := &conn{}
	c.br = bufio.NewReaderSize(c, readBuffer)
	c.watch = exchange.NewContextWatch(func() {
		// A connection that is closed already is as good: there is nobody to tell of an error.
		_ = c.nc.SetDeadline(longPast())
	})
	c.markWritten = func() { c.trace.Mark(exchange.Written) }
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

// writeRequest writes a request that is complete, over a connection that lay idle or not,
// and may wait for the answer to begin.
func (c *conn) writeRequest(b []byte, reused bool) error {
	if c.writeWait.IsAvailable() {
		n, err := c.writeWait.Send(b, reused)
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

// endBy sets the deadline, unless the context that is watched has ended: the
// deadline by which that ends the operation must stand.
func (c *conn) endBy(t time.Time) error {
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

// pause waits until then, or until the context that is watched ends.
func (c *conn) pause(until time.Time) error {
	if !pacing.Sleep(time.Until(until), c.watch.Done()) {
		return context.Canceled
	}
	return nil
}

func (c *conn) setDeadline(t time.Time) error { return c.nc.SetDeadline(t) }

// clean reports whether the next answer can be told from leftovers of this one.
func (c *conn) clean() bool { return c.br.Buffered() == 0 && c.readErr == nil }

// readFailure says why an answer could not be read: the connection failed, or the
// peer broke HTTP. An end before the first byte is a close; an end in the middle
// means that more was promised than came.
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

// quiet reports whether an idle connection is open and holds nothing: what nobody asked
// for would be taken for the next answer (RFC 9112 §9.2, §11.2). TLS may have taken more
// from its socket than it gave: a read that must not wait shows that.
func (c *conn) quiet() bool {
	if !c.probe.IsQuiet() {
		return false
	}
	if !c.key.tls {
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

// shut closes the connection and reports whether its memory may be used again:
// not if a watch may still be running.
func (c *conn) shut() bool {
	reusable := c.watch.Reset()
	c.raw = nil
	// Whatever there was to say on this connection has been said, or has failed already.
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
