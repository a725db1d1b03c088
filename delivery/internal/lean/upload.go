package lean

import (
	"bytes"
	"errors"
	"net"
	"os"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/http1"
)

// upload is what a connection knows of an upload that takes more than one write.
type upload struct {
	deadline time.Time // until when a stuck write goes on; zero: it ends with the connection's deadline
	monitor  exchange.ThroughputMonitor
	began    time.Time
	written  int64 // bytes that the socket took
	accepted bool  // a success was told before the upload's end: it goes on
	// The upload is out, and the device's system hasn't all of it yet, or wasn't seen to.
	draining bool
	size     int64
	limits   *exchange.Limits
}

// begin starts an upload, and returns when it is looked at first.
func (u *upload) begin(now, deadline time.Time, least exchange.MinThroughput) time.Time {
	u.deadline, u.written, u.began = deadline, 0, now
	u.monitor.Begin(now, 0, least)
	return u.nextCheck(now)
}

// nextCheck returns when the upload is looked at next.
func (u *upload) nextCheck(now time.Time) time.Time {
	return exchange.Earlier(u.deadline, now.Add(u.monitor.Interval()))
}

// postpone leaves a wait that is ours out of what counts.
func (u *upload) postpone(wait time.Duration) {
	u.deadline = u.deadline.Add(wait)
	u.monitor.Postpone(wait)
}

// errAnswered ends an upload: there is no use in sending the rest.
var errAnswered = errors.New("device answered before it had read everything")

// writeOn writes to a socket, whose deadline is but a look at how it goes.
func (c *conn) writeOn(nc net.Conn, p []byte) (int, error) {
	done := 0
	for {
		n, err := nc.Write(p[done:])
		done += n
		c.upload.written += int64(n)
		if err == nil {
			return done, nil
		}
		if c.upload.deadline.IsZero() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
		if err := c.keepSending(); err != nil {
			return done, err
		}
	}
}

// keepSending decides, every now and then, whether a write goes on.
func (c *conn) keepSending() error {
	now := time.Now()
	if !now.Before(c.upload.deadline) {
		return os.ErrDeadlineExceeded
	}
	if err := c.endBy(c.upload.nextCheck(now)); err != nil {
		return err
	}
	if c.answered() {
		return errAnswered
	}
	if c.upload.monitor.IsTooSlow(now, c.acked()) {
		return exchange.ErrTooSlow
	}
	return nil
}

// keepWaiting decides on a wait for the answer that has met its deadline.
func (c *conn) keepWaiting() error {
	now := time.Now()
	if !now.Before(c.upload.deadline) {
		return os.ErrDeadlineExceeded
	}
	if n, known := c.probe.Unacked(); !known || n == 0 {
		u := &c.upload
		u.draining = false
		return c.endBy(exchange.Earlier(u.deadline, now.Add(u.limits.ResponseAfter(u.size, now.Sub(u.began)))))
	}
	if c.upload.monitor.IsTooSlow(now, c.acked()) {
		return exchange.ErrTooSlow
	}
	return c.endBy(c.upload.nextCheck(now))
}

// acked returns what the peer's system took of the upload, in bytes.
func (c *conn) acked() int64 {
	n, _ := c.probe.Unacked()
	return c.upload.written - n
}

// canTell reports whether the system tells what the peer's has not acknowledged.
func (c *conn) canTell() bool {
	_, known := c.probe.Unacked()
	return known
}

// answered looks, without waiting, whether there is no use in sending the rest: a final
// answer other than a success has begun to come, or the connection has ended. A success
// before the end of the upload is the device's to keep: it gets the rest (RFC 9112 §9.5).
// Interim answers (1xx) are left where they are.
func (c *conn) answered() bool {
	if c.upload.accepted || c.probe.IsQuiet() {
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
		c.upload.accepted = true
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

// awaitContinue waits until the device asks for the body (100 Continue), or until then at
// most. errAnswered says that it refused without it, or that the connection failed:
// reading the answer tells which.
func (c *conn) awaitContinue(until time.Time) error {
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
			c.upload.accepted = true // and yet it needs the update
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
