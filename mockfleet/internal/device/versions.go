package device

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
)

// maxVersions bounds how many different versions the devices of one fleet can run at a time, and so
// the table's memory: about 20 MB if every version has the greatest length.
const maxVersions = 1 << 16

// versionTable keeps each version string once, however many devices run it. A slot is written only
// while nobody holds a reference to it, so a holder of a reference may read the text without a
// lock.
type versionTable struct {
	mu    sync.RWMutex
	index map[string]uint32
	slots []versionSlot
	used  uint32   // slots below this one have been in use
	free  []uint32 // slots below used that hold no version now
}

type versionSlot struct {
	text   string
	quoted string // as a JSON string
	refs   atomic.Int32
}

func newVersionTable(size int) *versionTable {
	return &versionTable{index: make(map[string]uint32), slots: make([]versionSlot, size)}
}

// acquire takes a reference to the slot of text. It returns false if every slot's version is in
// use.
func (t *versionTable) acquire(text []byte) (uint32, bool) {
	t.mu.RLock()
	slot, known := t.index[string(text)]
	if known {
		t.slots[slot].refs.Add(1)
	}
	t.mu.RUnlock()
	if known {
		return slot, true
	}
	return t.add(text)
}

func (t *versionTable) add(text []byte) (uint32, bool) {
	quoted, err := json.Marshal(string(text))
	if err != nil {
		return 0, false // a string always has a JSON form
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	slot, known := t.index[string(text)]
	if !known {
		if slot, known = t.take(); !known {
			return 0, false
		}
		s := &t.slots[slot]
		s.text, s.quoted = string(text), string(quoted)
		t.index[s.text] = slot
	}
	t.slots[slot].refs.Add(1)
	return slot, true
}

// take takes a slot that holds no version. If every slot is used, it first frees those whose
// version no device runs.
func (t *versionTable) take() (uint32, bool) {
	if int(t.used) < len(t.slots) {
		t.used++
		return t.used - 1, true
	}
	if len(t.free) == 0 {
		t.reclaim()
	}
	last := len(t.free) - 1
	if last < 0 {
		return 0, false
	}
	slot := t.free[last]
	t.free = t.free[:last]
	return slot, true
}

// reclaim frees the slots whose version no device runs.
func (t *versionTable) reclaim() {
	for text, slot := range t.index {
		if s := &t.slots[slot]; s.refs.Load() == 0 {
			delete(t.index, text)
			s.text, s.quoted = "", ""
			t.free = append(t.free, slot)
		}
	}
}

// retain takes n more references to a slot that the caller already holds one of.
func (t *versionTable) retain(slot uint32, n int) { t.slots[slot].refs.Add(int32(n)) }

func (t *versionTable) release(slot uint32) { t.slots[slot].refs.Add(-1) }

// CheckVersion says what is wrong with a version. It returns "" if nothing is.
func CheckVersion(v []byte) string {
	switch {
	case len(v) == 0:
		return "the version is empty"
	case len(v) > wire.MaxVersion:
		return "the version is longer than 128 bytes"
	case field.HasControl(v):
		return "the version has a control character"
	case !utf8.Valid(v):
		return "the version is not UTF-8"
	case v[0] == ' ' || v[len(v)-1] == ' ':
		return "the version has space around it" // a header field would lose it on its way (RFC 9110 §5.5)
	}
	return ""
}
