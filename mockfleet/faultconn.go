package mockfleet

import (
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

// faultConn is a conn as faults see it: the [fault.Conn] of any fault, the [fault.Upload] of an update that comes in,
// and the [fault.Exchange] of a request whose response is ready. It is one pointer, so that handing it to a
// fault allocates nothing.
type faultConn struct{ c *conn }

func (f faultConn) Write(b []byte) bool {
	sent := f.c.write(b)
	f.c.expire(stallLimit)
	return sent
}

func (f faultConn) Close()                     { f.c.endGently() }
func (f faultConn) Reset()                     { f.c.reset() }
func (f faultConn) Sleep(d time.Duration) bool { return f.c.pause(d) }
func (f faultConn) Discard(d time.Duration)    { f.c.swallow(d) }
func (f faultConn) SetReadBuffer(bytes int)    { f.c.shrink(bytes) }

func (f faultConn) Hold(d time.Duration) {
	f.c.deadline.Store(0)
	f.c.hang(d)
}

func (f faultConn) Request() *fault.Request { return &f.c.work.request.Request }

func (f faultConn) Receive(n int64) bool {
	return f.c.receivePart(&f.c.work.request, &f.c.work.push, n)
}

func (f faultConn) Abort() { f.c.fleet.store.Abort(f.c.work.request.device, &f.c.work.push.Update) }

func (f faultConn) Refuse(status int, message string) {
	f.c.work.push.Refusal = device.Refusal{Status: status, Message: message}
}

func (f faultConn) Throttle(bytesPerSecond int64) { f.c.slow(&f.c.work.push, bytesPerSecond) }
func (f faultConn) SkipContinue()                 { f.c.work.request.Expect = fault.ExpectNothing }
func (f faultConn) Repeat()                       { f.c.work.push.Duplicate = true }

func (f faultConn) FlipBit(offset int64) {
	p, r := &f.c.work.push, &f.c.work.request
	p.corrupt = offset + 1
	if r.Length > 0 {
		p.corrupt = min(p.corrupt, r.Length)
	}
}

func (f faultConn) Send(r *fault.Response) bool { return f.c.send(&f.c.work.request, *r) }

func (f faultConn) Encode(r *fault.Response) []byte {
	return appendAnswer(nil, r, "", f.c.fleet.dateLine(), false)
}

func (f faultConn) Origin(other bool) string {
	device := f.c.work.request.device
	switch {
	case other:
		return f.c.fleet.otherOrigin(device)
	case f.c.device < 0:
		return address.PathPrefix + strconv.Itoa(device)
	}
	return ""
}

// otherOrigin is the address of the next device, which has an origin of its own; where all share one, the
// same device's under another name of the host.
func (f *Fleet) otherOrigin(i int) string {
	if next := (i + 1) % f.Devices(); f.cfg.Addressing != address.Path && next != i {
		return f.DeviceAddress(next)
	}
	path := ""
	if f.cfg.Addressing == address.Path {
		path = address.PathPrefix + strconv.Itoa(i)
	}
	return f.scheme() + "://localhost:" + strconv.Itoa(int(f.address.Port())) + path
}
