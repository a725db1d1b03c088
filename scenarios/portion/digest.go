package portion

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

// An OutcomeDigest is a digest of what became of devices. It doesn't depend on their order: the sum
// of the digests of a fleet's shards is that of the whole fleet. Equal digests mean that the client
// says the same of each device, and that each runs the same update, applied as often.
//
// It is the sum, modulo 2^256, of a SHA-256 for each device of the line
//
//	NUMBER OUTCOME "VERSION" DIGEST APPLIED
//
// with a line feed. NUMBER is the device's global number. OUTCOME is what the client and the ledger
// say: updated, failed, lost, or none if no operation on it has ended. The others are what the
// ledger says: the version that the device runs, as a Go string, its SHA-256 in lower-case
// hexadecimal, or - if there is none, and how many updates it installed.
type OutcomeDigest [sha256.Size]byte

// What became of a device.
const (
	Updated = "updated" // the client says that it was updated, and so does the ledger
	Failed  = "failed"  // the client says that no operation succeeded
	Lost    = "lost"    // the client says that it was updated, and the ledger doesn't
	None    = "none"    // no operation on it has ended
)

// AddDevice adds the device with a global number: what became of it, and what the ledger says.
func (d *OutcomeDigest) AddDevice(number int, outcome string, e ledger.Entry) {
	line := make([]byte, 0, 160)
	line = strconv.AppendInt(line, int64(number), 10)
	line = append(append(append(line, ' '), outcome...), ' ')
	line = append(strconv.AppendQuote(line, e.Version), ' ')
	if e.Digest == "" {
		line = append(line, '-')
	}
	line = append(append(line, e.Digest...), ' ')
	line = append(strconv.AppendUint(line, uint64(e.Applied), 10), '\n')
	d.Add(sha256.Sum256(line))
}

// Add adds the digest of other devices.
func (d *OutcomeDigest) Add(o OutcomeDigest) {
	carry := 0
	for i := len(d) - 1; i >= 0; i-- {
		carry += int(d[i]) + int(o[i])
		d[i] = byte(carry)
		carry >>= 8
	}
}

// IsZero reports whether no device was added.
func (d OutcomeDigest) IsZero() bool { return d == OutcomeDigest{} }

// String returns the digest in hexadecimal, with the highest byte first.
func (d OutcomeDigest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements [encoding.TextMarshaler]. The text is that of String.
func (d OutcomeDigest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *OutcomeDigest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("a digest of outcomes with %d digits: want %d", len(text), hex.EncodedLen(len(d)))
	}
	_, err := hex.Decode(d[:], text)
	return err
}
