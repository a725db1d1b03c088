package delivery

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// Update is an artifact under a version: what Push, Verify and Deliver bring to a device. Make it
// once and use it for every device; what goes into the headers is worked out here, not per request.
type Update struct {
	version    string
	artifact   *Artifact
	key        string // Idempotency-Key
	reprDigest string // Repr-Digest, RFC 9530
	digestHex  string
	plain      header // of a push in the plain dialect
}

// NewUpdate names an artifact as a version, which is 1 to 128 bytes of UTF-8 without
// control characters or space around them.
//
// The update's Idempotency-Key is derived from version and content. So the same update has the same
// key in every attempt, and after a restart too, and a device that already applied it can tell.
func NewUpdate(version string, artifact *Artifact) (*Update, error) {
	if artifact == nil {
		return nil, errors.New("update: artifact is missing")
	}
	if version == "" || len(version) > wire.MaxVersion || !isName(version) {
		return nil, fmt.Errorf("update version %q: want 1 to %d bytes of UTF-8 without control characters or space around them", clip(version), wire.MaxVersion)
	}
	digest := artifact.Digest()
	h := sha256.New()
	h.Write([]byte(version)) // a hash never fails to write
	h.Write([]byte{0})
	h.Write(digest[:])
	u := &Update{
		version:  version,
		artifact: artifact,
		// A quoted string, as the header's draft (draft-ietf-httpapi-idempotency-key-header) wants it.
		key:        `"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`,
		reprDigest: "sha-256=:" + base64.StdEncoding.EncodeToString(digest[:]) + ":",
		digestHex:  artifact.DigestHex(),
	}
	u.plain = plain{}.pushHeader(u)
	return u, nil
}

// Version is the version that the update brings.
func (u *Update) Version() string { return u.version }

// Artifact is what it brings.
func (u *Update) Artifact() *Artifact { return u.artifact }
