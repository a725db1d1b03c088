package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
)

// parseReprDigest finds the SHA-256 in a Repr-Digest field (RFC 9530 §3): a dictionary (RFC 8941
// §3.2) of byte sequences by algorithm. It skips other algorithms, as RFC 9530 §3 allows. Of two
// sha-256 members the last counts, as RFC 8941 §4.2.2 says. ok is false if the field isn't such a
// dictionary, or its sha-256 isn't 32 bytes.
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

// parseKey reads a dictionary's key (RFC 8941 §4.2.3.3). It returns an empty key if there is none.
func parseKey(b []byte) (key, rest []byte) {
	within := func(c byte) bool { return isDigit(c) || c == '_' || c == '-' || c == '.' }
	n := 0
	for n < len(b) && (isLower(b[n]) || b[n] == '*' || n > 0 && within(b[n])) {
		n++
	}
	return b[:n], b[n:]
}

// parseValue reads "=" and an item with its parameters, as far as is needed to find where it ends.
// It returns the value of a byte sequence without its colons, and nil for any other item.
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
