package mockfleet

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"hash/maphash"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// answerUpdate serves POST /update. An artifact that fits into the read buffer is applied in one
// step; a larger one occupies its device until it is read, and other updates are answered 409.
func (c *conn) answerUpdate(r *request) bool {
	p := &c.work.push
	p.read(&c.work.header, r.device, c.fleet.store.KeySeed())
	switch {
	case r.BodyRead:
		p.Problem = "the artifact is empty"
		return c.concludeUpdate(r, p, c.fleet.store.Apply(r.device, &p.Update))
	case r.Length != fault.UnknownLength && r.Length <= headerLimit && r.plan == nil:
		return c.takeSmall(r, p)
	}
	return c.takeLarge(r, p)
}

func (c *conn) takeSmall(r *request, p *upload) bool {
	reader, n := c.work.reader, int(r.Length)
	if reader.Buffered() < n && !c.invite(r) {
		c.fleet.store.Drop(r.device, &p.Update)
		return false
	}
	artifact, err := reader.Peek(n)
	p.Size = int64(len(artifact))
	if err != nil {
		c.fleet.store.Drop(r.device, &p.Update)
		return false
	}
	p.Digest = sha256.Sum256(artifact)
	if _, err := reader.Discard(n); err != nil {
		return false // can't be: these bytes were just peeked at
	}
	r.BodyRead = true
	return c.concludeUpdate(r, p, c.fleet.store.Apply(r.device, &p.Update))
}

func (c *conn) takeLarge(r *request, p *upload) bool {
	store := c.fleet.store
	admission := store.Begin(r.device, &p.Update)
	if !admission.NeedsBody() {
		c.discardBody(r)
		return c.concludeUpdate(r, p, admission)
	}
	switch c.strikeUpload(p) {
	case fault.End:
		return false
	case fault.Refuse:
		p.Injections.Response = fault.Injection{} // one answer is enough
		return c.concludeUpdate(r, p, store.Commit(r.device, &p.Update, device.ForcedReject))
	}
	if pace := p.Behavior.Network.BytesPerSecond(store.Seed(), r.device, p.Attempt); pace > 0 {
		c.slow(p, pace)
	}
	if c.work.reader.Buffered() == 0 && !c.invite(r) {
		store.Abort(r.device, &p.Update)
		return false
	}
	if err := c.receive(r, p); err != nil {
		store.Abort(r.device, &p.Update)
		if c.readErr != nil {
			return false
		}
		return c.fail(r, http.StatusBadRequest, "the body is not framed as RFC 9112 wants it", "")
	}
	if p.Size == 0 && p.Problem == "" { // a chunked body can turn out to be empty
		p.Problem = "the artifact is empty"
	}
	return c.concludeUpdate(r, p, store.Commit(r.device, &p.Update, admission))
}

// invite sends the 100 that a client may be waiting for before it sends the body (RFC 9110 §10.1.1).
func (c *conn) invite(r *request) bool {
	return r.Expect != fault.ExpectContinue || c.write([]byte(continueAnswer))
}

func (c *conn) concludeUpdate(r *request, p *upload, o device.Outcome) bool {
	if p.Lifecycle.Reboot > 0 && p.Lifecycle.Install == 0 {
		c.fleet.setDoors(r.device, r.device+1)
		r.Close = true
	}
	if !c.pause(c.due(r, p)) {
		return false
	}
	status, message := p.Response(o)
	digest := p.Digest[:]
	if !r.BodyRead || p.Size == 0 {
		digest = nil
	}
	c.work.body = appendUpdateAnswer(c.work.body[:0], o == device.Applied || o == device.Repeated || o == device.FalseAck || o == device.InstallFailed, message, p.Size, digest)
	return c.sendSpoiled(r, fault.Response{Status: status, ContentType: typeJSONLine, Body: c.work.body}, p.Injections.Response)
}

// due is how long after the last byte of an update its answer leaves.
func (c *conn) due(r *request, p *upload) time.Duration {
	if p.Behavior == nil { // the device never came to decide about it
		return 0
	}
	seed := c.fleet.store.Seed()
	turn := c.fleet.turnstile.wait(int64(time.Since(c.fleet.started)))
	return turn + p.Behavior.Delay(seed, r.device, p.Attempt) + p.Behavior.Network.ExtraDelay(seed, r.device, p.Attempt, random.StreamRTT)
}

// turnstile lets answers through at a rate, in the order in which they come to it: a fleet with a
// known limit, that a load can be held against.
type turnstile struct {
	every time.Duration // from one answer to the next; 0 is as they come
	next  atomic.Int64  // when the next one may pass, in nanoseconds since the fleet's start
}

func newTurnstile(perSecond float64) *turnstile {
	t := &turnstile{}
	if perSecond > 0 {
		t.every = time.Duration(float64(time.Second) / perSecond)
	}
	return t
}

// wait takes a turn, and tells how long it is until then, now being nanoseconds since the fleet's start.
func (t *turnstile) wait(now int64) time.Duration {
	if t.every == 0 {
		return 0
	}
	for {
		next := t.next.Load()
		turn := max(next, now)
		if t.next.CompareAndSwap(next, turn+int64(t.every)) {
			return time.Duration(turn - now)
		}
	}
}

// Header names as fasthttp's codec spells them once parsed.
var (
	headerDeviceID    = []byte("X-Device-Id")
	headerVersion     = []byte(wire.HeaderUpdateVersion)
	headerIdempotency = []byte(wire.HeaderIdempotency)
)

// upload is an update whose request comes in.
type upload struct {
	device.Update
	pace    int64 // bytes a second at which it is read; 0 is as they come
	corrupt int64 // which byte is read with a bit turned, counted from 1; 0 is none
}

// read takes from a request's head what concerns the update of device i.
func (p *upload) read(h *fasthttp.RequestHeader, i int, seed maphash.Seed) {
	p.Problem, p.Size, p.Behavior = "", 0, nil
	p.Misdirected, p.HasKey, p.HasDigest = false, false, false
	p.Injections, p.Refusal, p.Lifecycle = fault.Injections{}, device.Refusal{}, fault.Lifecycle{}
	p.pace, p.corrupt, p.Duplicate = 0, 0, false
	p.Version = h.PeekCanonical(headerVersion)
	if p.Version != nil {
		p.Problem = device.CheckVersion(p.Version)
	}
	if id := h.PeekCanonical(headerDeviceID); id != nil {
		var own [address.DeviceIDLen]byte
		p.Misdirected = string(id) != string(address.AppendDeviceID(own[:0], i))
		if len(id) > wire.MaxDeviceID || field.HasControl(id) {
			p.Problem = "the device id is longer than 128 bytes or has a control character"
		}
	}
	if key := h.PeekCanonical(headerIdempotency); len(key) > 0 {
		if len(key) > wire.MaxIdempotency || field.HasControl(key) {
			p.Problem = "the idempotency key is longer than 255 bytes or has a control character"
		}
		// Two keys meet in one 64-bit hash once in 2^64 pairs, and a device compares a key with
		// one other: too seldom to keep 255 bytes a device.
		p.Key, p.HasKey = maphash.Bytes(seed, key), true
	}
	for _, field := range h.PeekAll(wire.HeaderReprDigest) {
		digest, found, ok := parseReprDigest(field)
		if !ok {
			p.Problem = "the repr-digest is not sha-256=:BASE64: as in RFC 9530"
		}
		if found {
			p.WantDigest, p.HasDigest = digest, true
		}
	}
}

// parseReprDigest finds the SHA-256 in a Repr-Digest field (RFC 9530 §3): a dictionary (RFC 8941
// §3.2) of byte sequences by algorithm. Other algorithms are passed over, as RFC 9530 §3 allows. Of
// two sha-256 members the last counts, as RFC 8941 §4.2.2 says. ok is false where the field isn't such
// a dictionary, or its sha-256 isn't 32 bytes.
func parseReprDigest(field []byte) (digest [sha256.Size]byte, found, ok bool) {
	for rest := trimSpace(field); len(rest) > 0; {
		key, afterKey := parseKey(rest)
		if len(key) == 0 {
			return digest, false, false
		}
		value, afterValue, ok := parseValue(afterKey)
		if !ok {
			return digest, false, false
		}
		if string(key) == "sha-256" {
			if digest, found = decodeSHA256(value); !found {
				return digest, false, false
			}
		}
		rest = trimSpace(afterValue)
		if len(rest) == 0 {
			break
		}
		if rest[0] != ',' {
			return digest, false, false
		}
		if rest = trimSpace(rest[1:]); len(rest) == 0 {
			return digest, false, false // a comma with no member after it
		}
	}
	return digest, found, true
}

// parseKey reads a dictionary's key (RFC 8941 §4.2.3.3): empty where there is none.
func parseKey(b []byte) (key, rest []byte) {
	n := 0
	for n < len(b) && (isLower(b[n]) || b[n] == '*' || n > 0 && (isDigit(b[n]) || b[n] == '_' || b[n] == '-' || b[n] == '.')) {
		n++
	}
	return b[:n], b[n:]
}

// parseValue reads "=" and an item with its parameters, as far as is needed to find where it ends.
// The value of a byte sequence comes without its colons; of any other item, as nil.
func parseValue(b []byte) (value, rest []byte, ok bool) {
	if len(b) > 0 && b[0] == '=' {
		if value, b, ok = parseItem(b[1:]); !ok {
			return nil, nil, false
		}
	}
	for len(b) > 0 && b[0] == ';' {
		key, afterKey := parseKey(trimSpace(b[1:]))
		if len(key) == 0 {
			return nil, nil, false
		}
		b = afterKey
		if len(b) > 0 && b[0] == '=' {
			if _, b, ok = parseItem(b[1:]); !ok {
				return nil, nil, false
			}
		}
	}
	return value, b, true
}

func parseItem(b []byte) (value, rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, nil, false
	}
	switch b[0] {
	case ':':
		end := bytes.IndexByte(b[1:], ':')
		if end < 0 {
			return nil, nil, false
		}
		return b[1 : 1+end], b[end+2:], true
	case '"':
		for i := 1; i < len(b); i++ {
			switch b[i] {
			case '\\':
				i++
			case '"':
				return nil, b[i+1:], true
			}
		}
		return nil, nil, false
	}
	end := bytes.IndexAny(b, ",; \t")
	if end < 0 {
		end = len(b)
	}
	return nil, b[end:], end > 0
}

func decodeSHA256(text []byte) (digest [sha256.Size]byte, ok bool) {
	if len(text) != base64.StdEncoding.EncodedLen(sha256.Size) {
		return digest, false
	}
	var buf [sha256.Size + 1]byte // the decoder writes whole groups of three bytes
	n, err := base64.StdEncoding.Decode(buf[:], text)
	if err != nil || n != sha256.Size {
		return digest, false
	}
	copy(digest[:], buf[:])
	return digest, true
}

func trimSpace(b []byte) []byte { return bytes.Trim(b, " \t") }

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
