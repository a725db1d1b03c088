package device

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// maxBehaviors limits how many different behaviors the devices of one fleet have at a time.
const maxBehaviors = 1 << 10

// behaviorTable keeps each behavior once, however many devices have it. Slot 0 is the fleet's own.
// Readers take no lock: a change replaces the list, and a slot that a device refers to stays as it
// is.
type behaviorTable struct {
	mu    sync.Mutex // guards refs and every change of slots
	refs  []int      // devices on each slot; slot 0 isn't counted
	slots atomic.Pointer[[]*Compiled]

	hasBehavior atomic.Bool // set once any device may have a behavior; until then, requests don't look one up
}

func newBehaviorTable(own behavior.Behavior) *behaviorTable {
	t := &behaviorTable{refs: make([]int, 1)}
	t.slots.Store(&[]*Compiled{compile(own)})
	t.hasBehavior.Store(!t.at(0).isDefault)
	return t
}

func (t *behaviorTable) at(slot uint16) *Compiled { return (*t.slots.Load())[slot] }

// acquire takes a reference to b's slot. It fails if every slot's behavior is in use.
func (t *behaviorTable) acquire(b behavior.Behavior) (uint16, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.slots.Load()
	free := len(old)
	for slot, known := range old {
		if known.Equal(b) {
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
	slots := make([]*Compiled, max(len(old), free+1))
	copy(slots, old)
	slots[free] = compile(b)
	if !slots[free].isDefault {
		t.hasBehavior.Store(true)
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

// Compiled is a behavior with its faults compiled.
type Compiled struct {
	behavior.Behavior
	faults    fault.Set
	isDefault bool // the device answers at once; only fail_first may be set
}

func compile(b behavior.Behavior) *Compiled {
	return &Compiled{
		Behavior:  b,
		faults:    fault.Compile(b.Faults),
		isDefault: len(b.Faults) == 0 && len(b.Require) == 0 && b.Latency.IsZero() && b.Life.IsZero() && b.Network.IsZero(),
	}
}
