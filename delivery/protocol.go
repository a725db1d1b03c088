package delivery

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/internal/wire"
)

// protocol defines what the requests of a push and of a verification say, and what their answers
// mean. Another form of push, such as a multipart upload, would be another protocol; nothing else
// would change.
//
// The ask methods fill in a request. The read methods judge a complete answer: they return nil, or
// the class and the cause of an *Error.
type protocol interface {
	askPush(r *exchange.Request, d Device, u *Update)
	readPush(r *exchange.Response, u *Update) (Class, error)
	askVersion(r *exchange.Request, d Device)
	readVersion(r *exchange.Response, v *versionView) (Class, error)
}

// native is the device interface of this project: the artifact as the body of a
// POST, and a JSON document that says what the device runs.
type native struct{}

func (native) askPush(r *exchange.Request, d Device, u *Update) {
	r.Method, r.Path, r.Body = http.MethodPost, wire.PathUpdate, &u.artifact.body
	r.Header = &u.pushHeader
	nameDevice(r, d)
}

// pushHeader returns the header that all pushes of an update share.
func (native) pushHeader(u *Update) exchange.Header {
	return exchange.NewHeader([]exchange.Field{
		{Name: "Content-Type", Value: wire.TypeArtifact},
		{Name: wire.HeaderUpdateVersion, Value: u.version},
		{Name: wire.HeaderReprDigest, Value: u.reprDigest},
		{Name: wire.HeaderIdempotency, Value: u.key},
	}, u.artifact.body.Size)
}

func nameDevice(r *exchange.Request, d Device) {
	if d.ID != "" {
		r.Own = exchange.Field{Name: wire.HeaderDeviceID, Value: d.ID}
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

func (native) readPush(r *exchange.Response, u *Update) (Class, error) {
	if r.Status == http.StatusAccepted {
		return ClassPending, errAccepted
	}
	if r.Status != http.StatusOK {
		if wasCorrupted(r, u) {
			return ClassIntegrity, fmt.Errorf("%w: %w", errWrongTaken, refusal(r))
		}
		return refused(r)
	}
	if err := readable(r); err != nil {
		return ClassProtocol, err
	}
	var a updateView
	if err := a.parse(r.Body); err != nil {
		return ClassProtocol, fmt.Errorf("answer: %w", err)
	}
	if !a.success {
		return ClassRefused, a.refusal()
	}
	// Size and digest may be left out; if they are present, they must be right.
	if len(a.digest) != 0 && !check.EqualFold(a.digest, u.digestHex) || a.size != 0 && a.size != u.artifact.body.Size {
		return ClassIntegrity, fmt.Errorf("%w: %d bytes, SHA-256 %q", errWrongTaken, a.size, check.Truncate(string(a.digest)))
	}
	return ClassUnknown, nil
}

// refusal returns the error of a device that did not take the update, with the device's message if
// there is one.
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

func (native) askVersion(r *exchange.Request, d Device) {
	r.Method, r.Path = http.MethodGet, wire.PathVersion
	nameDevice(r, d)
}

func (native) readVersion(r *exchange.Response, v *versionView) (Class, error) {
	if r.Status != http.StatusOK {
		return refused(r)
	}
	if err := readable(r); err != nil {
		return ClassProtocol, err
	}
	if err := v.parse(r.Body); err != nil {
		return ClassProtocol, fmt.Errorf("answer: %w", err)
	}
	return ClassUnknown, nil
}

// readable returns an error if the answer isn't a document that may be parsed. Nothing is
// decompressed: the client never offers to take a compressed answer, and a small one may expand to
// any size.
func readable(r *exchange.Response) error {
	if !isJSON(r.ContentType) {
		return errNotJSON
	}
	if len(r.ContentEncoding) > 0 && !check.EqualFold(r.ContentEncoding, "identity") {
		return errEncoded
	}
	return nil
}

// refused returns the class and the cause of an answer that is neither a success nor an acceptance.
func refused(r *exchange.Response) (Class, error) {
	return classOfStatus(r.Status, r.RetryWait(time.Now()) > 0), refusal(r)
}

// wasCorrupted reports whether the device refused because the content arrived damaged: it received
// as many bytes as were sent, and its digest shows that they were others.
func wasCorrupted(r *exchange.Response, u *Update) bool {
	var a updateView
	return r.Status/100 == 4 && readable(r) == nil && a.parse(r.Body) == nil &&
		a.size == u.artifact.body.Size && len(a.digest) != 0 && !check.EqualFold(a.digest, u.digestHex)
}

// refusal returns why the device refused, with the device's message if there is one.
func refusal(r *exchange.Response) error {
	var a updateView
	if isJSON(r.ContentType) && a.parse(r.Body) == nil && len(a.message) > 0 {
		return fmt.Errorf("%w: %q", errStatus, check.Truncate(string(a.message)))
	}
	return errStatus
}

// isJSON reports whether the media type is JSON. Its parameters don't matter.
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
