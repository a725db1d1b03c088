// Package wire names what an updating service and a device say to each other over HTTP: paths,
// header names and JSON bodies.
//
// It holds names and types without logic, because delivery, which speaks as the service, and
// mockfleet, which answers as the device, must not share a bug. Each of them encodes, parses and
// validates on its own.
package wire

// Paths below a device's address.
const (
	PathUpdate  = "/update"  // POST: the artifact
	PathVersion = "/version" // GET: what the device runs
	PathHealth  = "/health"  // GET: 200 and HealthBody
)

// HealthBody is the whole body of a healthy device's answer to GET /health.
const HealthBody = "OK"

// Header names. HTTP ignores their case; net/http changes X-Device-ID to X-Device-Id, so its maps
// must be read with Get.
const (
	HeaderDeviceID      = "X-Device-ID"      // the device that the update is meant for
	HeaderUpdateVersion = "X-Update-Version" // the version that the artifact brings
	HeaderReprDigest    = "Repr-Digest"      // RFC 9530: sha-256=:<base64>:
	HeaderIdempotency   = "Idempotency-Key"  // a device applies updates with the same key only once
)

// Content types.
const (
	TypeArtifact = "application/octet-stream"
	TypeJSON     = "application/json"
)

// Limits that both sides enforce, in bytes.
const (
	MaxVersion     = 128 // an X-Update-Version
	MaxDeviceID    = 128 // an X-Device-ID
	MaxIdempotency = 255 // an Idempotency-Key
)

// State is what a device is doing, as its answer to GET /version says.
type State string

// The states of a device.
const (
	StateIdle       State = "idle"       // runs the version that it names
	StateInstalling State = "installing" // has accepted an artifact and is installing it
	StateRebooting  State = "rebooting"  // is coming up on the new version
	StateFailed     State = "failed"     // could not install the last artifact
)

// UpdateAnswer is the body of an answer to POST /update.
type UpdateAnswer struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
	Size    int64  `json:"size"`   // bytes of the artifact as received
	Digest  string `json:"digest"` // SHA-256 of those bytes, lower-case hex
}

// VersionAnswer is the body of an answer to GET /version.
type VersionAnswer struct {
	DeviceID  string `json:"device_id"`
	Version   string `json:"version"`
	Digest    string `json:"digest"` // SHA-256 of the installed artifact, lower-case hex; empty before the first
	State     State  `json:"state"`
	UpdatedAt string `json:"updated_at"` // RFC 3339, UTC, whole seconds; empty before the first update
}
