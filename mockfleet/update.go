package mockfleet

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash/maphash"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// answerUpdate serves POST /update. An artifact that fits into the read buffer is applied in one
// step; a larger one occupies its device until it is read, and other updates are answered 409.
func (c *conn) answerUpdate(r *request) bool {
	p := &c.work.push
	p.read(&c.work.header, r.device, c.fleet.store.keySeed)
	switch {
	case r.bodyTaken:
		p.problem = "the artifact is empty"
		return c.concludeUpdate(r, p, c.fleet.store.decide(r.device, p))
	case r.length != unknownLength && r.length <= headerLimit && r.plan == nil:
		return c.takeSmall(r, p)
	}
	return c.takeLarge(r, p)
}

func (c *conn) takeSmall(r *request, p *push) bool {
	reader, n := c.work.reader, int(r.length)
	if reader.Buffered() < n && !c.invite(r) {
		c.fleet.store.lose(r.device, p)
		return false
	}
	artifact, err := reader.Peek(n)
	p.size = int64(len(artifact))
	if err != nil {
		c.fleet.store.lose(r.device, p)
		return false
	}
	p.digest = sha256.Sum256(artifact)
	if _, err := reader.Discard(n); err != nil {
		return false // can't be: these bytes were just peeked at
	}
	r.bodyTaken = true
	return c.concludeUpdate(r, p, c.fleet.store.decide(r.device, p))
}

func (c *conn) takeLarge(r *request, p *push) bool {
	store := c.fleet.store
	admission := store.admit(r.device, p)
	if !admission.goesOn() {
		c.discardBody(r)
		return c.concludeUpdate(r, p, admission)
	}
	switch c.strikeUpload(r, p) {
	case ended:
		return false
	case refused:
		p.strikes.answer = strike{} // one answer is enough
		return c.concludeUpdate(r, p, store.settle(r.device, p, faulted))
	}
	if pace := p.behavior.Network.pace(store.seed, r.device, p.attempt); pace > 0 {
		c.slow(p, pace)
	}
	if c.work.reader.Buffered() == 0 && !c.invite(r) {
		store.abandon(r.device, p)
		return false
	}
	if err := c.receive(r, p); err != nil {
		store.abandon(r.device, p)
		if c.readErr != nil {
			return false
		}
		return c.fail(r, http.StatusBadRequest, "the body is not framed as RFC 9112 wants it", "")
	}
	if p.size == 0 && p.problem == "" { // a chunked body can turn out to be empty
		p.problem = "the artifact is empty"
	}
	return c.concludeUpdate(r, p, store.settle(r.device, p, admission))
}

// invite sends the 100 that a client may be waiting for before it sends the body (RFC 9110 §10.1.1).
func (c *conn) invite(r *request) bool {
	return r.expect != expectContinue || c.write([]byte(continueAnswer))
}

func (c *conn) concludeUpdate(r *request, p *push, o outcome) bool {
	if p.passage.gone > 0 && p.passage.installing == 0 {
		c.fleet.setDoors(r.device, r.device+1)
		r.close = true
	}
	if !c.pause(c.due(r, p)) {
		return false
	}
	status, message := p.answer(o)
	digest := p.digest[:]
	if !r.bodyTaken || p.size == 0 {
		digest = nil
	}
	c.work.body = appendUpdateAnswer(c.work.body[:0], o == applied || o == repeated || o == feigned || o == unfit, message, p.size, digest)
	return c.sendSpoiled(r, answerHead{status: status, typeLine: typeJSONLine}, p.strikes.answer)
}

// due is how long after the last byte of an update its answer leaves.
func (c *conn) due(r *request, p *push) time.Duration {
	if p.behavior == nil { // the device never came to decide about it
		return 0
	}
	seed := c.fleet.store.seed
	turn := c.fleet.turnstile.wait(int64(time.Since(c.fleet.started)))
	return turn + p.behavior.delay(seed, r.device, p.attempt) + p.behavior.Network.rtt(seed, r.device, p.attempt, purposeRTT)
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

// push is one update on its way into a device.
type push struct {
	version   []byte // X-Update-Version, or nil
	key       uint64 // hash of the Idempotency-Key
	hasKey    bool
	hasDigest bool
	stray     bool   // X-Device-ID names another device
	problem   string // what is wrong with the request's own words
	size      int64  // bytes of artifact received
	attempt   uint32
	epoch     uint32
	behavior  *plan
	work      *workspace        // that it is part of
	strikes   strikes           // the faults of its attempt
	refusal   refusal           // where a fault refuses it
	passage   passage           // of the device, after it
	pace      int64             // bytes a second at which it is read; 0 is as they come
	corrupt   int64             // which byte is read with a bit turned, counted from 1; 0 is none
	duplicate bool              // it is applied once more
	want      [sha256.Size]byte // Repr-Digest
	digest    [sha256.Size]byte // of the bytes received
	derived   [len(derivedPrefix) + 2*derivedBytes]byte
}

// refusal is an answer by which a fault refuses an update. message must need no escaping in JSON.
type refusal struct {
	status  int
	message string
}

// A push that names no version, such as a plain curl makes, brings the version that its digest derives.
const (
	derivedPrefix = "sha256-"
	derivedBytes  = 6
)

// Header names as fasthttp's codec spells them once parsed.
var (
	headerDeviceID    = []byte("X-Device-Id")
	headerVersion     = []byte(wire.HeaderUpdateVersion)
	headerIdempotency = []byte(wire.HeaderIdempotency)
)

// read takes from a request's head what concerns the update of device i.
func (p *push) read(h *fasthttp.RequestHeader, i int, seed maphash.Seed) {
	p.problem, p.size, p.behavior = "", 0, nil
	p.stray, p.hasKey, p.hasDigest = false, false, false
	p.strikes, p.refusal, p.passage = strikes{}, refusal{}, passage{}
	p.pace, p.corrupt, p.duplicate = 0, 0, false
	p.version = h.PeekCanonical(headerVersion)
	if p.version != nil {
		p.problem = versionProblem(p.version)
	}
	if id := h.PeekCanonical(headerDeviceID); id != nil {
		var own [len(deviceIDPrefix) + deviceIDDigits]byte
		p.stray = string(id) != string(AppendDeviceID(own[:0], i))
		if len(id) > wire.MaxDeviceID || hasControl(id) {
			p.problem = "the device id is longer than 128 bytes or has a control character"
		}
	}
	if key := h.PeekCanonical(headerIdempotency); len(key) > 0 {
		if len(key) > wire.MaxIdempotency || hasControl(key) {
			p.problem = "the idempotency key is longer than 255 bytes or has a control character"
		}
		// Two keys meet in one 64-bit hash once in 2^64 pairs, and a device compares a key with
		// one other: too seldom to keep 255 bytes a device.
		p.key, p.hasKey = maphash.Bytes(seed, key), true
	}
	for _, field := range h.PeekAll(wire.HeaderReprDigest) {
		digest, found, ok := parseReprDigest(field)
		if !ok {
			p.problem = "the repr-digest is not sha-256=:BASE64: as in RFC 9530"
		}
		if found {
			p.want, p.hasDigest = digest, true
		}
	}
}

// versionText is the version that the update brings, once its digest is known.
func (p *push) versionText() []byte {
	if p.version != nil {
		return p.version
	}
	copy(p.derived[:], derivedPrefix)
	hex.Encode(p.derived[len(derivedPrefix):], p.digest[:derivedBytes])
	return p.derived[:]
}

// status and message are how a device answers an update.
func (p *push) answer(o outcome) (status int, message string) {
	switch o {
	case applied, unfit:
		if p.passage.status != 0 {
			return p.passage.status, p.passage.message
		}
		return http.StatusOK, "applied"
	case feigned:
		return http.StatusOK, "applied"
	case repeated:
		return http.StatusOK, "already"
	case faulted:
		if p.refusal.status != 0 {
			return p.refusal.status, p.refusal.message
		}
		return p.behavior.FailStatus, "the device fails, as its behavior says"
	case conflicted:
		return http.StatusConflict, "another update is under way"
	case mismatched:
		return http.StatusBadRequest, "the artifact does not have the announced digest"
	case keyReused:
		return http.StatusUnprocessableEntity, "the idempotency key belongs to another update"
	case versionsFull:
		return http.StatusInsufficientStorage, "the fleet runs too many different versions"
	case resetMeanwhile:
		return http.StatusServiceUnavailable, "the fleet was reset meanwhile"
	}
	return http.StatusBadRequest, p.problem
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
