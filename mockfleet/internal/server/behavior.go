package server

import (
	"net/http"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// hasBehavior reports whether any device of the fleet may have a behavior.
func (c *conn) hasBehavior() bool { return c.srv.store.HasBehavior() }

// onConnect applies a device's faults and network conditions to a new connection. It returns the
// device's behavior, or nil if the connection has ended.
func (c *conn) onConnect(device int) *device.Compiled {
	r := c.srv.store.Connect(device)
	c.counted = r.Counted
	if !c.allows(r) {
		return nil
	}
	c.applyNetwork(&r.Behavior.Network)
	return r.Behavior
}

// onRequest applies a device's faults and network conditions to a connection on which the head of a
// request was just read. It reports whether the connection goes on.
func (c *conn) onRequest(r *request) bool {
	if c.device < 0 && c.served == 0 {
		r.behavior = c.onConnect(r.device) // the first request names the device
	} else if of := c.srv.store.NextRequest(r.device, c.served > 0, &r.Request); c.allows(of) {
		r.behavior = of.Behavior
	}
	if r.behavior == nil {
		return false
	}
	n := &r.behavior.Network
	r.Close = r.Close || n.MaxRequests > 0 && c.served+1 >= n.MaxRequests
	r.forceHTTP10 = n.HTTP10
	return true
}

// allows reports whether a connection goes on. If not, allows has ended it: with a reset, or in the
// way of the fault that acts.
func (c *conn) allows(r device.Access) bool {
	switch {
	case r.Unreachable || r.OverLimit:
		c.reset()
		return false
	case r.Injection.IsZero():
		return true
	}
	if c.buf == nil {
		c.belowTLS = true // the fault acts before the handshake
	}
	r.Injection.Kind.Connect(faultConn{c}, r.Injection)
	return false
}

// sendWithFault sends a response in the way of the fault in, or unchanged if in is the zero value.
// It reports whether the connection goes on.
func (c *conn) sendWithFault(r *request, h fault.Response, in fault.Injection) bool {
	if in.IsZero() {
		return c.send(r, h)
	}
	c.srv.store.CountInjection(in)
	h.Date = time.Unix(0, c.srv.now.Load())
	c.buf.response = h
	return in.Kind.Respond(faultConn{c}, &c.buf.response, in)
}

// injectUpload lets the faults of an update act before its body is read, and returns how the update
// goes on.
func (c *conn) injectUpload(u *upload) fault.Action {
	if in := u.Injections.Body; !in.IsZero() {
		c.srv.store.CountInjection(in)
		in.Kind.Body(faultConn{c}, in)
	}
	in := u.Injections.Upload
	if in.IsZero() {
		return fault.Continue
	}
	c.srv.store.CountInjection(in)
	return in.Kind.Upload(faultConn{c}, in)
}

// serveVersion serves GET /version of a device that may have a behavior.
func (c *conn) serveVersion(r *request) bool {
	v := &c.buf.report
	in := c.srv.store.ReportWithFaults(r.device, &r.Request, v)
	seed, number := c.srv.store.Seed(), c.srv.store.Number(r.device)
	if !c.sleep(v.Behavior.Network.ExtraDelay(seed, number, v.Number, random.StreamVersionRTT)) {
		return false
	}
	c.buf.body = v.Append(c.buf.body[:0])
	return c.sendWithFault(r, fault.Response{Status: http.StatusOK, ContentType: typeJSONLine, Body: c.buf.body}, in)
}

// applyNetwork applies the conditions of a device's network to a new connection.
func (c *conn) applyNetwork(n *behavior.Network) {
	if n.ReceiveBuffer > 0 {
		c.setReadBuffer(n.ReceiveBuffer)
	}
}

// limitBandwidth makes the device read an update at a rate, through a receive buffer so small that
// the client's writes block.
func (c *conn) limitBandwidth(u *upload, bytesPerSecond int64) {
	if u.bandwidth == 0 || bytesPerSecond < u.bandwidth {
		u.bandwidth = bytesPerSecond
	}
	c.setReadBuffer(fault.SmallBuffer)
	if u.bandwidth < 2*tinyBuffer {
		c.setReadBuffer(tinyBuffer)
	}
}
