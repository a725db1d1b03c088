package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"hash/maphash"

	"github.com/valyala/fasthttp"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
)

// Header names as fasthttp's codec spells them once parsed.
var (
	headerDeviceID    = []byte("X-Device-Id")
	headerVersion     = []byte(wire.HeaderUpdateVersion)
	headerIdempotency = []byte(wire.HeaderIdempotency)
)

// upload is an update whose request comes in.
type upload struct {
	device.Update
	bandwidth int64 // bytes a second at which it is read; 0 is as they come
	flipByte  int64 // which byte is read with a bit turned, counted from 1; 0 is none
}

// announce takes from a request's head what concerns the update of device i.
func (p *upload) announce(h *fasthttp.RequestHeader, i int, seed maphash.Seed) {
	p.Problem, p.Size, p.Behavior = "", 0, nil
	p.Misdirected, p.HasKey, p.HasDigest = false, false, false
	p.Injections, p.Refusal, p.Lifecycle = fault.Injections{}, device.Refusal{}, fault.Lifecycle{}
	p.bandwidth, p.flipByte, p.Duplicate = 0, 0, false
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
