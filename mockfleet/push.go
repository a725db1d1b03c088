package mockfleet

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"net/http"

	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
)

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
