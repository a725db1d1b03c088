package delivery

import (
	"encoding/json"

	"github.com/fleetmark/fleetmark/internal/jsonscan"
	"github.com/fleetmark/fleetmark/internal/wire"
)

// updateView and versionView hold a device's answers as slices of the bytes that they came in, so
// that parsing a usual answer allocates nothing. They are valid only as long as those bytes.
//
// An unusual answer (with an escape, nesting, a name in another case, or invalid UTF-8) is left to
// encoding/json. FuzzAnswers checks that both give the same result.
type updateView struct {
	success bool
	told    bool // success is present, and not null
	message []byte
	size    int64
	digest  []byte
}

type versionView struct {
	deviceID, version, digest, state, updatedAt []byte
}

func (v *updateView) parse(b []byte) error {
	*v = updateView{}
	if v.fast(b) {
		return nil
	}
	var a struct {
		wire.UpdateAnswer
		Success *bool `json:"success"` // shadows the one of UpdateAnswer, to tell false from missing
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	*v = updateView{a.Success != nil && *a.Success, a.Success != nil, []byte(a.Message), a.Size, []byte(a.Digest)}
	return nil
}

func (v *updateView) fast(b []byte) bool {
	s := jsonscan.New(b)
	return s.Object(func(name []byte) bool {
		switch string(name) {
		case "success":
			if s.Null() {
				return true
			}
			v.told = true
			var ok bool
			v.success, ok = s.Bool()
			return ok
		case "message":
			return text(&s, &v.message)
		case "size":
			if s.Null() {
				return true
			}
			var ok bool
			v.size, ok = s.Number()
			return ok
		case "digest":
			return text(&s, &v.digest)
		default:
			return !jsonscan.FoldsTo(name, "success", "message", "size", "digest") && s.Skip()
		}
	}) && s.End()
}

// text reads a string into to. It leaves to unchanged for null, as encoding/json does.
func text(s *jsonscan.Scanner, to *[]byte) bool {
	if s.Null() {
		return true
	}
	var ok bool
	*to, ok = s.String()
	return ok
}

func (v *versionView) parse(b []byte) error {
	*v = versionView{}
	if v.fast(b) {
		return nil
	}
	var a wire.VersionAnswer
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	*v = versionView{[]byte(a.DeviceID), []byte(a.Version), []byte(a.Digest), []byte(a.State), []byte(a.UpdatedAt)}
	return nil
}

func (v *versionView) fast(b []byte) bool {
	s := jsonscan.New(b)
	return s.Object(func(name []byte) bool {
		switch string(name) {
		case "device_id":
			return text(&s, &v.deviceID)
		case "version":
			return text(&s, &v.version)
		case "digest":
			return text(&s, &v.digest)
		case "state":
			return text(&s, &v.state)
		case "updated_at":
			return text(&s, &v.updatedAt)
		default:
			return !jsonscan.FoldsTo(name, "device_id", "version", "digest", "state", "updated_at") && s.Skip()
		}
	}) && s.End()
}
