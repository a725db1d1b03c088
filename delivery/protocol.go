package delivery

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/internal/wire"
)

// protocol is the shape of a push and of a verification: what a request says and
// what an answer means. Devices that take another shape of push (a multipart
// upload, say) are another protocol; everything else stays.
//
// The ask methods fill in a request; the read methods judge an answer that came
// whole, and give nil or what *Error is to say: a class and a cause.
type protocol interface {
	askPush(x *exchange, d Device, u *Update)
	readPush(x *exchange, u *Update) (Class, error)
	askVersion(x *exchange, d Device)
	readVersion(x *exchange) (Class, error) // into x.version
}

// native is the device interface of this project: the artifact as the body of a
// POST, and a JSON document that says what the device runs.
type native struct{}

func (native) askPush(x *exchange, d Device, u *Update) {
	x.method, x.path, x.body = http.MethodPost, wire.PathUpdate, u.artifact
	x.header = &u.pushHeader
	x.nameDevice(d)
}

// pushHeader is what every push of an update says.
func (native) pushHeader(u *Update) header {
	return newHeader([]field{
		{"Content-Type", wire.TypeArtifact},
		{wire.HeaderUpdateVersion, u.version},
		{wire.HeaderReprDigest, u.reprDigest},
		{wire.HeaderIdempotency, u.key},
	}, u.artifact.size)
}

func (x *exchange) nameDevice(d Device) {
	if d.ID != "" {
		x.own = field{wire.HeaderDeviceID, d.ID}
	}
}

var (
	errNotJSON    = errors.New("answer is not JSON (Content-Type)")
	errEncoded    = errors.New("answer is compressed, unasked (Content-Encoding)")
	errStatus     = errors.New("device refused")
	errAccepted   = errors.New("accepted, not yet installed")
	errStillBusy  = errors.New("device is still installing or rebooting")
	errWrongTaken = errors.New("device took other bytes than were sent")
)

func (native) readPush(x *exchange, u *Update) (Class, error) {
	if x.status == http.StatusAccepted {
		return ClassPending, errAccepted
	}
	if x.status != http.StatusOK {
		if x.corrupted(u) {
			return ClassIntegrity, fmt.Errorf("%w: %w", errWrongTaken, refusal(x))
		}
		return x.refused()
	}
	if err := x.readable(); err != nil {
		return ClassProtocol, err
	}
	var a updateView
	if err := a.parse(x.answer); err != nil {
		return ClassProtocol, fmt.Errorf("answer: %w", err)
	}
	if !a.success {
		return ClassRefused, a.refusal()
	}
	// Size and digest may be left out; where they are told, they must be right.
	if len(a.digest) != 0 && !check.EqualFold(a.digest, u.digestHex) || a.size != 0 && a.size != u.artifact.size {
		return ClassIntegrity, fmt.Errorf("%w: %d bytes, SHA-256 %q", errWrongTaken, a.size, check.Truncate(string(a.digest)))
	}
	return ClassUnknown, nil
}

// refusal says that the device did not take the update, in its own words where it has some.
func (v *updateView) refusal() error {
	switch {
	case len(v.message) > 0:
		return fmt.Errorf("%w: %q", ErrNotTaken, check.Truncate(string(v.message)))
	case v.told:
		return ErrNotTaken
	default:
		return fmt.Errorf("%w: its answer lacks \"success\": true", ErrNotTaken)
	}
}

func (native) askVersion(x *exchange, d Device) {
	x.method, x.path = http.MethodGet, wire.PathVersion
	x.nameDevice(d)
}

func (native) readVersion(x *exchange) (Class, error) {
	if x.status != http.StatusOK {
		return x.refused()
	}
	if err := x.readable(); err != nil {
		return ClassProtocol, err
	}
	if err := x.version.parse(x.answer); err != nil {
		return ClassProtocol, fmt.Errorf("answer: %w", err)
	}
	return ClassUnknown, nil
}

// readable reports whether the answer is a document that may be parsed. None is
// decompressed: the client never offers it, and a small one may open to any size.
func (x *exchange) readable() error {
	if !isJSON(x.contentType) {
		return errNotJSON
	}
	if len(x.encoding) > 0 && !check.EqualFold(x.encoding, "identity") {
		return errEncoded
	}
	return nil
}

// refused is an answer that is neither a success nor an acceptance.
func (x *exchange) refused() (Class, error) {
	return classOfStatus(x.status, retryAfter(x.retryAfter, x.date, time.Now()) > 0), refusal(x)
}

// corrupted reports a refusal by a device that has had as many bytes as were sent,
// and tells by its digest that they were others.
func (x *exchange) corrupted(u *Update) bool {
	var a updateView
	return x.status/100 == 4 && x.readable() == nil && a.parse(x.answer) == nil &&
		a.size == u.artifact.size && len(a.digest) != 0 && !check.EqualFold(a.digest, u.digestHex)
}

// refusal says why, in the device's words where it has some.
func refusal(x *exchange) error {
	var a updateView
	if isJSON(x.contentType) && a.parse(x.answer) == nil && len(a.message) > 0 {
		return fmt.Errorf("%w: %q", errStatus, check.Truncate(string(a.message)))
	}
	return errStatus
}

// isJSON looks at the media type only; parameters don't matter.
func isJSON(contentType []byte) bool {
	media, _, _ := bytes.Cut(contentType, []byte(";"))
	return check.EqualFold(bytes.TrimSpace(media), wire.TypeJSON)
}

// judge compares what a device says it runs with what it should run.
func (v *versionView) judge(d Device, u *Update) (Class, error) {
	switch {
	case d.ID != "" && string(v.deviceID) != d.ID:
		return ClassIntegrity, fmt.Errorf("%w: %q", ErrWrongDevice, check.Truncate(string(v.deviceID)))
	case string(v.state) == string(wire.StateInstalling), string(v.state) == string(wire.StateRebooting):
		return ClassPending, errStillBusy
	case string(v.state) == string(wire.StateFailed):
		return ClassIntegrity, ErrDeviceFailed
	case string(v.version) != u.version:
		return ClassIntegrity, fmt.Errorf("%w: it runs %q, want %q", ErrLacksUpdate, check.Truncate(string(v.version)), u.version)
	case !check.EqualFold(v.digest, u.digestHex):
		return ClassIntegrity, fmt.Errorf("%w: SHA-256 %q, want %s", ErrWrongDigest, check.Truncate(string(v.digest)), u.digestHex)
	}
	return ClassUnknown, nil
}
