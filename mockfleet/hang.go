package mockfleet

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

const (
	// hangLimit is how long a stalled upload is held for a client whose leaving can't be seen: while
	// the device doesn't read, the end of the connection waits behind what the client had sent before.
	hangLimit = 2 * time.Minute

	// Bytes of a receive buffer that a client feels; the kernel doubles them. Over loopback the small one
	// takes 600 MB/s, the tiny one 80 kB/s.
	smallBuffer = 16 << 10
	tinyBuffer  = 4 << 10
)

// pause waits for d. It ends early, with false, where the client leaves or the fleet closes. A client
// that closes its half alone counts as gone: on the wire, nothing tells it from one that closed.
func (c *conn) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	c.deadline.Store(0)
	since := time.Now()
	if !c.hang(d) {
		return false
	}
	c.fleet.watch.answered(time.Since(since) - d)
	c.expire(stallLimit)
	return true
}

// hang is pause without the care for the housekeeper's deadline.
func (c *conn) hang(d time.Duration) bool {
	if c.socket == nil || c.inside {
		return c.rest(d)
	}
	if c.SetReadDeadline(time.Now().Add(d)) != nil {
		return false
	}
	if err := c.socket.Read(clientLeft); !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	return c.SetReadDeadline(time.Time{}) == nil
}

// rest waits for d, or until the fleet closes. It doesn't look at the connection.
func (c *conn) rest(d time.Duration) bool {
	if c.timer == nil {
		c.timer = time.NewTimer(d)
	} else {
		c.timer.Reset(d)
	}
	select {
	case <-c.timer.C:
		return true
	case <-c.fleet.done:
		c.timer.Stop()
		return false
	}
}

// swallow reads and drops what comes for at most d, or until the client leaves.
func (c *conn) swallow(d time.Duration) {
	c.deadline.Store(0)
	if c.SetReadDeadline(time.Now().Add(d)) != nil {
		return
	}
	if c.work == nil {
		c.takeWorkspace()
	}
	s := c.takeSink()
	for {
		_, err := c.work.reader.Read(s.buffer[:])
		c.deadline.Store(0) // each read sets it
		if err != nil {
			return
		}
	}
}

// silence stays with a client that waits for the device's part of a handshake, until it leaves.
func (c *conn) silence() {
	c.belowTLS = true // there, nothing answers what is read
	c.swallow(MaxDelay)
	c.dropWorkspace()
}

// reset ends the connection with a reset instead of the usual end.
func (c *conn) reset() {
	under := c.transport()
	if tcp, ok := under.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0) // it fails where the connection has ended already
	}
	_ = under.Close() // likewise
}

// endGently ends the connection as one does that has said all: what the client still sends is read,
// so that it doesn't turn the end into a reset.
func (c *conn) endGently() {
	if c.work == nil {
		c.takeWorkspace()
	}
	c.linger()
}

// shrink makes the receive buffer so small that the client feels it when the device doesn't read.
func (c *conn) shrink(to int) {
	if tcp, ok := c.transport().(interface{ SetReadBuffer(bytes int) error }); ok {
		_ = tcp.SetReadBuffer(to) // where it fails, the kernel takes some more
	}
}

// spoken is the connection on the level on which the device speaks.
func (c *conn) spoken() net.Conn {
	if c.belowTLS {
		return c.transport()
	}
	return c.Conn
}

// transport is the connection below TLS, if there is any.
func (c *conn) transport() net.Conn {
	if over, ok := c.Conn.(*tls.Conn); ok {
		return over.NetConn()
	}
	return c.Conn
}

// socketOf is the socket of a connection; nil where it has none that can be asked who left.
func socketOf(nc net.Conn) syscall.RawConn {
	sc, ok := nc.(syscall.Conn)
	if !ok || !canPoll {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// eventful tells whether any device of the fleet may be other than well.
func (c *conn) eventful() bool { return c.fleet.store.behaviors.eventful.Load() }

// meet lets what a device is like act on a connection that was just opened to it, and gives the device's
// plan; nil is that the connection ended.
func (c *conn) meet(device int) *plan {
	r := c.fleet.store.dial(device)
	c.held = r.held
	if !c.survives(r) {
		return nil
	}
	c.welcome(&r.plan.Network)
	return r.plan
}

// endures lets what a device is like act on the connection of a request whose head was just read; false
// is that it ended.
func (c *conn) endures(r *request) bool {
	if c.device < 0 && c.served == 0 {
		r.plan = c.meet(r.device) // only now is known which device it is
	} else if of := c.fleet.store.revisit(r.device, c.served > 0, c.work); c.survives(of) {
		r.plan = of.plan
	}
	if r.plan == nil {
		return false
	}
	n := &r.plan.Network
	r.close = r.close || n.MaxRequests > 0 && c.served+1 >= n.MaxRequests
	r.answer10 = n.HTTP10
	return true
}

// survives tells whether a connection goes on. Where a fault strikes it, it is over when that returns.
func (c *conn) survives(r reach) bool {
	switch {
	case r.gone || r.full:
		c.reset()
		return false
	case r.strike.none():
		return true
	}
	if c.work == nil {
		c.belowTLS = true // there was no handshake, and will be none
	}
	r.strike.connect(c, r.strike)
	return false
}

// lose gives up an update that is coming in.
func (c *conn) lose(r *request, p *push) { c.fleet.store.abandon(r.device, p) }

// sendSpoiled sends an answer as a fault has it; without one, as it is.
func (c *conn) sendSpoiled(r *request, h answerHead, s strike) bool {
	if s.none() {
		return c.send(r, h)
	}
	c.fleet.store.note(s)
	return s.answer(c, r, h, s)
}

// strikeUpload lets the faults of an update strike before its body comes in.
func (c *conn) strikeUpload(r *request, p *push) verdict {
	if s := p.strikes.content; !s.none() {
		c.fleet.store.note(s)
		s.content(r, p, s)
	}
	s := p.strikes.upload
	if s.none() {
		return carryOn
	}
	c.fleet.store.note(s)
	return s.upload(c, r, p, s)
}

// answerVersion serves GET /version where not every device is well.
func (c *conn) answerVersion(r *request) bool {
	s := c.fleet.store.examine(r.device, c.work)
	v := &c.work.view
	if !c.pause(v.plan.Network.rtt(c.fleet.store.seed, r.device, v.number, purposeVersionRTT)) {
		return false
	}
	c.work.body = appendVersionAnswer(c.work.body[:0], v.index, &v.device, v.version)
	return c.sendSpoiled(r, answerHead{status: http.StatusOK, typeLine: typeJSONLine}, s)
}
