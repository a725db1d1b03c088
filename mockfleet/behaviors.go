package mockfleet

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// maxBehaviors bounds how many different behaviours one fleet can show at a time.
const maxBehaviors = 1 << 10

// behaviorTable keeps each behaviour once, however many devices show it. Slot 0 is the fleet's own.
// Readers take no lock: a change replaces the list, and a slot that a device refers to stays as it is.
type behaviorTable struct {
	mu    sync.Mutex // guards refs and every change of list
	refs  []int      // devices on each slot; slot 0 isn't counted
	slots atomic.Pointer[[]*plan]

	eventful atomic.Bool // some device has been other than well: until then, requests needn't look
}

func newBehaviorTable(own Behavior) *behaviorTable {
	t := &behaviorTable{refs: make([]int, 1)}
	t.slots.Store(&[]*plan{newPlan(own)})
	t.eventful.Store(!t.at(0).plain)
	return t
}

func (t *behaviorTable) at(slot uint16) *plan { return (*t.slots.Load())[slot] }

// acquire takes a reference to b's slot.
func (t *behaviorTable) acquire(b Behavior) (uint16, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.slots.Load()
	free := len(old)
	for slot, known := range old {
		if known.equal(b) {
			t.refs[slot]++
			return uint16(slot), nil
		}
		if slot > 0 && t.refs[slot] == 0 {
			free = slot
		}
	}
	if free == maxBehaviors {
		return 0, fmt.Errorf("mockfleet: %d different behaviours are in use: give some devices the same", maxBehaviors)
	}
	slots := make([]*plan, max(len(old), free+1))
	copy(slots, old)
	slots[free] = newPlan(b)
	if !slots[free].plain {
		t.eventful.Store(true)
	}
	if free == len(t.refs) {
		t.refs = append(t.refs, 0)
	}
	t.refs[free]++
	t.slots.Store(&slots)
	return uint16(free), nil
}

// retain takes n more references to a slot; n may be below 0.
func (t *behaviorTable) retain(slot uint16, n int) {
	t.mu.Lock()
	t.refs[slot] += n
	t.mu.Unlock()
}

func (t *behaviorTable) release(slot uint16) {
	t.mu.Lock()
	t.refs[slot]--
	t.mu.Unlock()
}

// maxVersions bounds how many different versions the devices of one fleet can run at a time, and so
// the table's memory: about 20 MB when every version is of the longest kind.
const maxVersions = 1 << 16

// versionTable keeps each version string once, however many devices run it. A slot is written only
// while nobody holds a reference to it, so whoever holds one reads its text without a lock.
type versionTable struct {
	mu    sync.RWMutex
	index map[string]uint32
	slots []versionSlot
	used  uint32   // slots below this one have been in use
	spare []uint32 // of those, the ones that hold no version now
}

type versionSlot struct {
	text   string
	quoted string // as a JSON string
	refs   atomic.Int32
}

func newVersionTable(size int) *versionTable {
	return &versionTable{index: make(map[string]uint32), slots: make([]versionSlot, size)}
}

// acquire takes a reference to text's slot. It fails where the table is full of versions in use.
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
		if slot, known = t.free(); !known {
			return 0, false
		}
		s := &t.slots[slot]
		s.text, s.quoted = string(text), string(quoted)
		t.index[s.text] = slot
	}
	t.slots[slot].refs.Add(1)
	return slot, true
}

// free takes a slot that holds no version, forgetting those that no device runs any more if it must.
func (t *versionTable) free() (uint32, bool) {
	if int(t.used) < len(t.slots) {
		t.used++
		return t.used - 1, true
	}
	if len(t.spare) == 0 {
		t.sweep()
	}
	last := len(t.spare) - 1
	if last < 0 {
		return 0, false
	}
	slot := t.spare[last]
	t.spare = t.spare[:last]
	return slot, true
}

func (t *versionTable) sweep() {
	for text, slot := range t.index {
		if s := &t.slots[slot]; s.refs.Load() == 0 {
			delete(t.index, text)
			s.text, s.quoted = "", ""
			t.spare = append(t.spare, slot)
		}
	}
}

// retain takes n more references to a slot that the caller already holds one of.
func (t *versionTable) retain(slot uint32, n int) { t.slots[slot].refs.Add(int32(n)) }

func (t *versionTable) release(slot uint32) { t.slots[slot].refs.Add(-1) }

// versionProblem tells what is wrong with a version; "" is nothing.
func versionProblem(v []byte) string {
	switch {
	case len(v) == 0:
		return "the version is empty"
	case len(v) > wire.MaxVersion:
		return "the version is longer than 128 bytes"
	case hasControl(v):
		return "the version has a control character"
	case !utf8.Valid(v):
		return "the version is not UTF-8"
	case v[0] == ' ' || v[len(v)-1] == ' ':
		return "the version has space around it" // a header field would lose it on its way (RFC 9110 §5.5)
	}
	return ""
}

// hasControl tells whether b has a control character: one of ASCII's, or, in UTF-8, one of the second
// set (C1, U+0080 to U+009F), which a terminal obeys as well.
func hasControl(b []byte) bool {
	for i, c := range b {
		if c < ' ' || c == 0x7f || c == 0xc2 && i+1 < len(b) && b[i+1] >= 0x80 && b[i+1] <= 0x9f {
			return true
		}
	}
	return false
}
