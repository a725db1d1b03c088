package server

import (
	"crypto/sha256"
	"hash/maphash"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Header names as fasthttp's codec spells them once parsed.
var (
	headerDeviceID    = []byte("X-Device-Id")
	headerVersion     = []byte(wire.HeaderUpdateVersion)
	headerIdempotency = []byte(wire.HeaderIdempotency)
)

// upload is an update while its request comes in.
type upload struct {
	device.Update
	bandwidth int64 // bytes a second at which the body is read; 0 is no limit
	flipByte  int64 // the byte of the body in which a bit is flipped, counted from 1; 0 is none
}

// announce fills u from the head of the request that brings the update. number is the device's in
// the whole fleet.
func (u *upload) announce(r *request, number int, h *fasthttp.RequestHeader, seed maphash.Seed) {
	*u = upload{Update: device.Update{Request: &r.Request, Header: h}}
	u.Version = h.PeekCanonical(headerVersion)
	if u.Version != nil {
		u.Problem = device.CheckVersion(u.Version)
	}
	if id := h.PeekCanonical(headerDeviceID); id != nil {
		var own [address.DeviceIDLen]byte
		u.Misdirected = string(id) != string(address.AppendDeviceID(own[:0], number))
		if len(id) > wire.MaxDeviceID || field.HasControl(id) {
			u.Problem = "the device id is longer than 128 bytes or has a control character"
		}
	}
	if key := h.PeekCanonical(headerIdempotency); len(key) > 0 {
		if len(key) > wire.MaxIdempotency || field.HasControl(key) {
			u.Problem = "the idempotency key is longer than 255 bytes or has a control character"
		}
		// A device compares a key with only one other. Two different keys have the same 64-bit hash
		// once in 2^64 pairs, too rarely to be worth 255 bytes a device.
		u.Key, u.HasKey = maphash.Bytes(seed, key), true
	}
	for _, field := range h.PeekAll(wire.HeaderReprDigest) {
		digest, found, ok := parseReprDigest(field)
		if !ok {
			u.Problem = "the repr-digest is not sha-256=:BASE64: as in RFC 9530"
		}
		if found {
			u.WantDigest, u.HasDigest = digest, true
		}
	}
}

// serveUpdate serves POST /update. An artifact that fits into the read buffer is applied in one
// step; a larger one occupies its device until it is read, and other updates are answered 409.
func (c *conn) serveUpdate(r *request) bool {
	u := &c.buf.upload
	u.announce(r, c.srv.store.Number(r.device), &c.buf.head.RequestHeader, c.srv.store.KeySeed())
	switch {
	case r.BodyRead:
		u.Problem = "the artifact is empty"
		return c.respondUpdate(r, u, c.srv.store.Apply(r.device, &u.Update))
	case r.Length != fault.UnknownLength && r.Length <= headerLimit && r.behavior == nil:
		return c.receiveSmall(r, u)
	}
	return c.receiveLarge(r, u)
}

func (c *conn) receiveSmall(r *request, u *upload) bool {
	reader, n := c.buf.reader, int(r.Length)
	if reader.Buffered() < n && !c.sendContinue(r) {
		c.srv.store.Drop(r.device, &u.Update)
		return false
	}
	artifact, err := reader.Peek(n)
	u.Size = int64(len(artifact))
	if err != nil {
		c.srv.store.Drop(r.device, &u.Update)
		return false
	}
	u.Digest = sha256.Sum256(artifact)
	if _, err := reader.Discard(n); err != nil {
		return false // can't be: these bytes were just peeked at
	}
	r.BodyRead = true
	return c.respondUpdate(r, u, c.srv.store.Apply(r.device, &u.Update))
}

func (c *conn) receiveLarge(r *request, u *upload) bool {
	store := c.srv.store
	admission := store.Begin(r.device, &u.Update)
	if !admission.NeedsBody() {
		c.discardBody(r)
		return c.respondUpdate(r, u, admission)
	}
	switch c.injectUpload(u) {
	case fault.End:
		return false
	case fault.Refuse:
		u.Injections.Response = fault.Injection{} // one answer is enough
		return c.respondUpdate(r, u, store.Commit(r.device, &u.Update, device.ForcedReject))
	}
	if rate := u.Behavior.Network.BytesPerSecond(store.Seed(), store.Number(r.device), u.Attempt); rate > 0 {
		c.limitBandwidth(u, rate)
	}
	if c.buf.reader.Buffered() == 0 && !c.sendContinue(r) {
		store.Abort(r.device, &u.Update)
		return false
	}
	if err := c.receive(r, u); err != nil {
		store.Abort(r.device, &u.Update)
		if c.readErr != nil {
			return false
		}
		return c.respondError(r, http.StatusBadRequest, "the body is not framed as RFC 9112 wants it", "")
	}
	if u.Size == 0 && u.Problem == "" { // a chunked body can turn out to be empty
		u.Problem = "the artifact is empty"
	}
	return c.respondUpdate(r, u, store.Commit(r.device, &u.Update, admission))
}

// sendContinue sends the 100 (Continue) if the client waits for it before it sends the body (RFC
// 9110 §10.1.1). It returns false if the write fails.
func (c *conn) sendContinue(r *request) bool {
	return r.Expect != fault.ExpectContinue || c.write([]byte(continueResponse))
}

func (c *conn) respondUpdate(r *request, u *upload, o device.Outcome) bool {
	if u.Lifecycle.Reboot > 0 && u.Lifecycle.Install == 0 {
		c.srv.UpdatePorts(r.device, r.device+1)
		r.Close = true
	}
	if !c.sleep(c.responseDelay(r, u)) {
		return false
	}
	status, message := u.Response(o)
	digest := u.Digest[:]
	if !r.BodyRead || u.Size == 0 {
		digest = nil
	}
	c.buf.body = appendUpdateResponse(c.buf.body[:0], o.IsAck(), message, u.Size, digest)
	response := fault.Response{Status: status, ContentType: typeJSONLine, Body: c.buf.body}
	return c.sendWithFault(r, response, u.Injections.Response)
}

// responseDelay takes a turn at the limiter, and returns how long after now the answer to an update
// leaves.
func (c *conn) responseDelay(r *request, u *upload) time.Duration {
	if u.Behavior == nil { // the device was busy, and its behavior was not asked
		return 0
	}
	seed, number := c.srv.store.Seed(), c.srv.store.Number(r.device)
	turn := c.srv.limiter.wait(int64(time.Since(c.srv.started)))
	latency := u.Behavior.Delay(seed, number, u.Attempt)
	return turn + latency + u.Behavior.Network.ExtraDelay(seed, number, u.Attempt, random.StreamRTT)
}
