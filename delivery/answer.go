package delivery

import (
	"encoding/json"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// updateView and versionView are a device's answers as parts of the bytes they
// came in: parsing the usual answer allocates nothing. They live no longer than
// those bytes.
//
// What the fast reader takes, it takes as encoding/json would; whatever is unusual
// (an escape, nesting, a name in another case, invalid UTF-8) goes to encoding/json
// itself. A fuzz test holds the two together.
type updateView struct {
	success bool
	told    bool // whether success was there, and not null
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
		Success *bool `json:"success"` // instead of the one within
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	*v = updateView{a.Success != nil && *a.Success, a.Success != nil, []byte(a.Message), a.Size, []byte(a.Digest)}
	return nil
}

func (v *updateView) fast(b []byte) bool {
	o := object{rest: b}
	for o.next() {
		ok := true
		switch string(o.key) {
		case "success":
			ok = o.boolean(&v.success)
			v.told = v.told || o.kind != 'n'
		case "message":
			ok = o.text(&v.message)
		case "size":
			ok = o.integer(&v.size)
		case "digest":
			ok = o.text(&v.digest)
		default:
			ok = !foldsTo(o.key, "success", "message", "size", "digest")
		}
		if !ok {
			return false
		}
	}
	return o.done
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
	o := object{rest: b}
	for o.next() {
		ok := true
		switch string(o.key) {
		case "device_id":
			ok = o.text(&v.deviceID)
		case "version":
			ok = o.text(&v.version)
		case "digest":
			ok = o.text(&v.digest)
		case "state":
			ok = o.text(&v.state)
		case "updated_at":
			ok = o.text(&v.updatedAt)
		default:
			ok = !foldsTo(o.key, "device_id", "version", "digest", "state", "updated_at")
		}
		if !ok {
			return false
		}
	}
	return o.done
}

// foldsTo reports whether encoding/json might take key for one of names. Besides
// ASCII case it folds two other letters onto k and s, so any byte beyond ASCII is
// left to it.
func foldsTo(key []byte, names ...string) bool {
	for _, c := range key {
		if c >= 0x80 {
			return true
		}
	}
	for _, name := range names {
		if equalFoldASCII(key, name) {
			return true
		}
	}
	return false
}
