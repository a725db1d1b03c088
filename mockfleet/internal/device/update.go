package device

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// Update is one update on its way into a device.
type Update struct {
	Version     []byte // X-Update-Version, or nil
	Key         uint64 // hash of the Idempotency-Key
	HasKey      bool
	HasDigest   bool
	Misdirected bool              // X-Device-ID names another device
	Problem     string            // what is wrong with the request's own words
	WantDigest  [sha256.Size]byte // Repr-Digest

	Size      int64             // bytes of artifact received
	Digest    [sha256.Size]byte // of the bytes received
	Duplicate bool              // it is applied once more

	Request *fault.Request                        // that brings it
	Header  interface{ Peek(name string) []byte } // of the request

	Attempt    uint32 // the device's decision, from here on
	epoch      uint32
	Behavior   *Compiled
	Injections fault.Injections // the faults of its attempt
	Lifecycle  fault.Lifecycle  // of the device, after it
	Refusal    Refusal          // where a fault refuses it

	derived [len(digestVersionPrefix) + 2*derivedBytes]byte
}

// Refusal is an answer by which a fault refuses an update. Message must need no escaping in JSON.
type Refusal struct {
	Status  int
	Message string
}

// A push that names no version, such as a plain curl makes, brings the version that its digest derives.
const (
	digestVersionPrefix = "sha256-"
	derivedBytes        = 6
)

// versionText is the version that the update brings, once its digest is known.
func (u *Update) versionText() []byte {
	if u.Version != nil {
		return u.Version
	}
	copy(u.derived[:], digestVersionPrefix)
	hex.Encode(u.derived[len(digestVersionPrefix):], u.Digest[:derivedBytes])
	return u.derived[:]
}

// status and message are how a device answers an update.
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
