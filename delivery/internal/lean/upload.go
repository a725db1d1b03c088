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
	deadline time.Time // of the whole; zero: there is none, and a write ends at the connection's deadline
	monitor  exchange.ThroughputMonitor
	began    time.Time
	written  int64 // bytes that the socket took
	accepted bool  // the device answered with a success before the end; the upload goes on
	// All of it is written, and the device's system wasn't seen to have acknowledged all of it.
	draining bool
	size     int64
	limits   *exchange.Limits
}

// begin starts an upload. It returns when to check its progress first.
func (u *upload) begin(now, deadline time.Time, least exchange.MinThroughput) time.Time {
	u.deadline, u.written, u.began = deadline, 0, now
	u.monitor.Begin(now, 0, least)
	return u.nextCheck(now)
}

// nextCheck returns when to check the progress next.
func (u *upload) nextCheck(now time.Time) time.Time {
	return exchange.Earlier(u.deadline, now.Add(u.monitor.Interval()))
}

// postpone leaves a wait of the client's own out of the upload's time.
func (u *upload) postpone(wait time.Duration) {
	u.deadline = u.deadline.Add(wait)
	u.monitor.Postpone(wait)
}

// errAnsweredEarly ends an upload that the device doesn't want the rest of.
var errAnsweredEarly = errors.New("device answered before it had read everything")

// writeMonitored writes to a connection. Its deadline is only the time to check the upload.
func (c *conn) writeMonitored(nc net.Conn, p []byte) (int, error) {
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
		if err := c.checkUpload(); err != nil {
			return done, err
		}
	}
}

// checkUpload is called when a write has met the connection's deadline. It sets the next one, or
// returns an error if the upload is to end.
func (c *conn) checkUpload() error {
	now := time.Now()
	if !now.Before(c.upload.deadline) {
		return os.ErrDeadlineExceeded
	}
	if err := c.setDeadlineUnlessDone(c.upload.nextCheck(now)); err != nil {
		return err
	}
	if c.isAnsweredEarly() {
		return errAnsweredEarly
	}
	if c.upload.monitor.IsTooSlow(now, c.acked()) {
		return exchange.ErrTooSlow
	}
	return nil
}

// keepWaiting is called when the wait for the answer has met the connection's deadline. It sets the
// next one, or returns an error if the wait is to end.
func (c *conn) keepWaiting() error {
	now := time.Now()
	if !now.Before(c.upload.deadline) {
		return os.ErrDeadlineExceeded
	}
	if n, known := c.probe.Unacked(); !known || n == 0 {
		u := &c.upload
		u.draining = false
		until := now.Add(u.limits.ResponseAfter(u.size, now.Sub(u.began)))
		return c.setDeadlineUnlessDone(exchange.Earlier(u.deadline, until))
	}
	if c.upload.monitor.IsTooSlow(now, c.acked()) {
		return exchange.ErrTooSlow
	}
	return c.setDeadlineUnlessDone(c.upload.nextCheck(now))
}

// acked returns how many bytes of the upload the device's system has acknowledged, or that were
// written, where the system can't tell.
func (c *conn) acked() int64 {
	n, _ := c.probe.Unacked()
	return c.upload.written - n
}

// canTell reports whether this system can tell how much the device's system has not acknowledged.
func (c *conn) canTell() bool {
	_, known := c.probe.Unacked()
	return known
}

// isAnsweredEarly reports, without waiting, whether the rest of an upload need not be sent: a final
// answer other than a success has begun to come, or the connection has ended. After a success the
// device gets the rest nevertheless (RFC 9112 §9.5). Interim answers (1xx) are left unread.
func (c *conn) isAnsweredEarly() bool {
	if c.upload.accepted || c.probe.IsQuiet() {
		return false
	}
	for {
		_, err := c.peekNow()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.readErr = nil // it is the deadline of the writes, and the next write sees it
			break
		}
		if err != nil {
			return true
		}
		if c.raw == nil {
			break
		}
		// TLS may hold more than it has returned, which the socket doesn't show.
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

// peekNow reads more of what the connection holds into the reader, without waiting.
func (c *conn) peekNow() ([]byte, error) {
	if c.raw != nil {
		c.raw.noWait = true
		defer func() { c.raw.noWait = false }()
	}
	return c.br.Peek(c.br.Buffered() + 1)
}

// awaitContinue waits until the device asks for the body (100 Continue), or until a time. It
// returns errAnsweredEarly if the device refused without it, or if the connection failed: reading
// the answer tells which.
func (c *conn) awaitContinue(until time.Time) error {
	if err := c.setDeadlineUnlessDone(until); err != nil {
		return err
	}
	for {
		b, err := c.br.Peek(c.br.Buffered())
		if err != nil {
			return errAnsweredEarly
		}
		switch status := http1.FinalStatus(b); {
		case status/100 == 2:
			c.upload.accepted = true // it needs the update nevertheless
			return nil
		case status != 0:
			return errAnsweredEarly
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
			return errAnsweredEarly
		}
	}
}
