package device

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// Update is one update that a device is receiving.
type Update struct {
	Version     []byte // X-Update-Version, or nil
	Key         uint64 // hash of the Idempotency-Key
	HasKey      bool
	HasDigest   bool
	Misdirected bool              // X-Device-ID names another device
	Problem     string            // what is wrong with the request; "" is nothing
	WantDigest  [sha256.Size]byte // Repr-Digest

	Size      int64             // bytes of artifact received
	Digest    [sha256.Size]byte // of the bytes received
	Duplicate bool              // it counts once more, as if it had been sent twice

	Request *fault.Request                        // the request that brings it
	Header  interface{ Peek(name string) []byte } // its header

	// Set by the store.
	Attempt    uint32           // of the device's updates, counted from 1
	epoch      uint32           // the store's, when the update began
	Behavior   *Compiled        // of the device; nil if the device was busy
	Injections fault.Injections // the faults that act on the attempt
	Lifecycle  fault.Lifecycle  // what the device goes through after the update

	Refusal Refusal // the answer, if a fault refuses the update

	derived [len(digestVersionPrefix) + 2*derivedBytes]byte
}

// Refusal is an answer by which a fault refuses an update. Message must need no escaping in JSON.
type Refusal struct {
	Status  int
	Message string
}

// An update without X-Update-Version, such as a plain curl sends, gets a version that derives from
// its digest.
const (
	digestVersionPrefix = "sha256-"
	derivedBytes        = 6
)

// versionText returns the version of the update. Its digest must be known.
func (u *Update) versionText() []byte {
	if u.Version != nil {
		return u.Version
	}
	copy(u.derived[:], digestVersionPrefix)
	hex.Encode(u.derived[len(digestVersionPrefix):], u.Digest[:derivedBytes])
	return u.derived[:]
}

// Response returns the status and the message with which a device answers an update of that
// outcome.
func (u *Update) Response(o Outcome) (status int, message string) {
	switch o {
	case Applied, InstallFailed:
		if u.Lifecycle.Status != 0 {
			return u.Lifecycle.Status, u.Lifecycle.Message
		}
		return http.StatusOK, "applied"
	case FalseAck:
		return http.StatusOK, "applied"
	case Repeated:
		return http.StatusOK, "already"
	case ForcedReject:
		if u.Refusal.Status != 0 {
			return u.Refusal.Status, u.Refusal.Message
		}
		return u.Behavior.FailStatus, "the device fails, as its behavior says"
	case Conflict:
		return http.StatusConflict, "another update is under way"
	case DigestMismatch:
		return http.StatusBadRequest, "the artifact does not have the announced digest"
	case KeyReused:
		return http.StatusUnprocessableEntity, "the idempotency key belongs to another update"
	case TooManyVersions:
		return http.StatusInsufficientStorage, "the fleet runs too many different versions"
	case FleetReset:
		return http.StatusServiceUnavailable, "the fleet was reset meanwhile"
	}
	return http.StatusBadRequest, u.Problem
}
