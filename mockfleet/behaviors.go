package mockfleet

import (
	"fmt"
	"sync"
	"sync/atomic"
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
