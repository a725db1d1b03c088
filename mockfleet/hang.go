package mockfleet

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

const (
	// A receive buffer for rates below twice its bytes: over loopback it takes 80 kB/s.
	tinyBuffer = 4 << 10
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
	c.swallow(random.MaxDuration)
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
func (c *conn) eventful() bool { return c.fleet.store.HasBehavior() }

// meet lets what a device is like act on a connection that was just opened to it, and gives the device's
// plan; nil is that the connection ended.
func (c *conn) meet(device int) *device.Compiled {
	r := c.fleet.store.Connect(device)
	c.held = r.Counted
	if !c.survives(r) {
		return nil
	}
	c.welcome(&r.Behavior.Network)
	return r.Behavior
}

// endures lets what a device is like act on the connection of a request whose head was just read; false
// is that it ended.
func (c *conn) endures(r *request) bool {
	if c.device < 0 && c.served == 0 {
		r.plan = c.meet(r.device) // only now is known which device it is
	} else if of := c.fleet.store.NextRequest(r.device, c.served > 0, &r.Request); c.survives(of) {
		r.plan = of.Behavior
	}
	if r.plan == nil {
		return false
	}
	n := &r.plan.Network
	r.Close = r.Close || n.MaxRequests > 0 && c.served+1 >= n.MaxRequests
	r.answer10 = n.HTTP10
	return true
}

// survives tells whether a connection goes on. Where a fault strikes it, it is over when that returns.
func (c *conn) survives(r device.Access) bool {
	switch {
	case r.Unreachable || r.OverLimit:
		c.reset()
		return false
	case r.Injection.IsZero():
		return true
	}
	if c.work == nil {
		c.belowTLS = true // there was no handshake, and will be none
	}
	r.Injection.Kind.Connect(faultConn{c}, r.Injection)
	return false
}

// sendSpoiled sends an answer as a fault has it; without one, as it is.
func (c *conn) sendSpoiled(r *request, h fault.Response, s fault.Injection) bool {
	if s.IsZero() {
		return c.send(r, h)
	}
	c.fleet.store.CountInjection(s)
	h.Date = time.Unix(0, c.fleet.now.Load())
	c.work.response = h
	return s.Kind.Respond(faultConn{c}, &c.work.response, s)
}

// strikeUpload lets the faults of an update strike before its body comes in.
func (c *conn) strikeUpload(p *upload) fault.Action {
	if s := p.Injections.Body; !s.IsZero() {
		c.fleet.store.CountInjection(s)
		s.Kind.Body(faultConn{c}, s)
	}
	s := p.Injections.Upload
	if s.IsZero() {
		return fault.Continue
	}
	c.fleet.store.CountInjection(s)
	return s.Kind.Upload(faultConn{c}, s)
}

// answerVersion serves GET /version where not every device is well.
func (c *conn) answerVersion(r *request) bool {
	v := &c.work.view
	s := c.fleet.store.ReportWithFaults(r.device, &r.Request, v)
	if !c.pause(v.Plan.Network.ExtraDelay(c.fleet.store.Seed(), r.device, v.Number, random.StreamVersionRTT)) {
		return false
	}
	c.work.body = v.Append(c.work.body[:0])
	return c.sendSpoiled(r, fault.Response{Status: http.StatusOK, ContentType: typeJSONLine, Body: c.work.body}, s)
}

// welcome gives a connection that was just opened the character of its device's network.
func (c *conn) welcome(n *behavior.Network) {
	if n.ReceiveBuffer > 0 {
		c.shrink(n.ReceiveBuffer)
	}
}

// slow makes the device read an update at a pace, through a receive buffer so small that the client feels it.
func (c *conn) slow(p *upload, pace int64) {
	if p.pace == 0 || pace < p.pace {
		p.pace = pace
	}
	c.shrink(fault.SmallBuffer)
	if p.pace < 2*tinyBuffer {
		c.shrink(tinyBuffer)
	}
}
