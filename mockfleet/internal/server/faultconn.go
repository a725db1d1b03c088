package server

import (
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

// faultConn is a conn as faults see it: the [fault.Conn] of any fault, the [fault.Upload] of an
// update that comes in, and the [fault.Exchange] of a request whose response is ready. It is one
// pointer, so that handing it to a fault allocates nothing.
type faultConn struct{ c *conn }

func (f faultConn) Write(b []byte) bool {
	if !f.c.write(b) {
		return false
	}
	f.c.deadline.set(stallLimit) // the client makes progress
	return true
}

func (f faultConn) Close()                     { f.c.closeGracefully() }
func (f faultConn) Reset()                     { f.c.reset() }
func (f faultConn) Sleep(d time.Duration) bool { return f.c.sleep(d) }
func (f faultConn) Discard(d time.Duration)    { f.c.discard(d) }
func (f faultConn) SetReadBuffer(bytes int)    { f.c.setReadBuffer(bytes) }

func (f faultConn) Hold(d time.Duration) {
	f.c.deadline.clear()
	f.c.hold(d)
}

func (f faultConn) Request() *fault.Request { return &f.c.buf.request.Request }

func (f faultConn) Receive(n int64) bool {
	return f.c.receiveSome(&f.c.buf.request, &f.c.buf.upload, n)
}

func (f faultConn) Abort() { f.c.srv.store.Abort(f.c.buf.request.device, &f.c.buf.upload.Update) }

func (f faultConn) Refuse(status int, message string) {
	f.c.buf.upload.Refusal = device.Refusal{Status: status, Message: message}
}

func (f faultConn) Throttle(bytesPerSecond int64) {
	f.c.limitBandwidth(&f.c.buf.upload, bytesPerSecond)
}
func (f faultConn) SkipContinue() { f.c.buf.request.Expect = fault.ExpectNothing }
func (f faultConn) Repeat()       { f.c.buf.upload.Duplicate = true }

func (f faultConn) FlipBit(offset int64) {
	u, r := &f.c.buf.upload, &f.c.buf.request
	u.flipByte = offset + 1
	if r.Length > 0 {
		u.flipByte = min(u.flipByte, r.Length)
	}
}

func (f faultConn) Send(r *fault.Response) bool { return f.c.send(&f.c.buf.request, *r) }

func (f faultConn) Encode(r *fault.Response) []byte {
	b := f.c.buf
	b.out = appendResponse(b.out[:0], r, "", f.c.srv.dateLine(), false)
	return b.out
}

func (f faultConn) Origin(other bool) string {
	device := f.c.buf.request.device
	switch {
	case other:
		return f.c.srv.otherOrigin(device)
	case f.c.device < 0:
		return address.PathPrefix + strconv.Itoa(device)
	}
	return ""
}

// otherOrigin returns the address of the next device, which has an origin of its own. If all
// devices share one, it returns the address of the same device under another name of the host.
func (s *Server) otherOrigin(i int) string {
	if next := (i + 1) % s.store.Len(); s.cfg.Addressing != address.Path && next != i {
		return s.DeviceAddress(next)
	}
	path := ""
	if s.cfg.Addressing == address.Path {
		path = address.PathPrefix + strconv.Itoa(i)
	}
	return s.scheme() + "://localhost:" + strconv.Itoa(int(s.address.Port())) + path
}
