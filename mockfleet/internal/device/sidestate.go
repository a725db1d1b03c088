package device

import (
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// sideState is the part of a device's state that few devices have: the counts of the faults that
// acted on it, and its phase after an update. It is apart from the record so that the records of
// all other devices stay small. It is dropped once it is empty.
type sideState struct {
	device int
	faultCounts

	phase    phase
	until    time.Time       // when the phase ends; zero in phaseRollingBack is after the next version request
	next     fault.Lifecycle // what the device goes through after the phase
	previous software        // what the device ran before the update

	// Guarded by the timer queue's lock.
	due       time.Time
	heapIndex int // in the queue, counted from 1; 0 if it isn't in it
}

// faultCounts is the part of a device's ledger that is kept in its sideState.
type faultCounts struct {
	falseAcks       uint32      // updates that it acknowledged and didn't apply
	installFailures uint32      // updates that it took and could not install
	overLimit       uint32      // connections beyond those that its behavior lets it have
	aborted         uint32      // connections that a fault ended unanswered
	byKind          []kindCount // injections by kind
}

// isEmpty reports whether neither the ledger nor the device needs t.
func (t *sideState) isEmpty() bool {
	return t.phase == phaseNone && len(t.byKind) == 0 && t.falseAcks|t.installFailures|t.overLimit|t.aborted == 0
}

type kindCount struct {
	kind  uint8
	times uint32
}

func (t *faultCounts) countKind(kind uint8) {
	for i := range t.byKind {
		if t.byKind[i].kind == kind {
			t.byKind[i].times++
			return
		}
	}
	t.byKind = append(t.byKind, kindCount{kind, 1})
}

// sideState returns the side state of device i, or nil if it has none. The stripe must be locked.
func (s *Store) sideState(st *stripe, i int) *sideState {
	if s.devices[i].flags&flagSideState == 0 {
		return nil
	}
	return st.sideStates[i]
}

// ensureSideState returns the side state of device i, and makes one if there is none. The stripe
// must be locked.
func (s *Store) ensureSideState(st *stripe, i int) *sideState {
	if t := s.sideState(st, i); t != nil {
		return t
	}
	if st.sideStates == nil {
		st.sideStates = make(map[int]*sideState)
	}
	t := &sideState{device: i}
	st.sideStates[i] = t
	s.devices[i].flags |= flagSideState
	return t
}

// dropIfEmpty drops the side state of device i if it is empty. The stripe must be locked.
func (s *Store) dropIfEmpty(st *stripe, i int) {
	if t := s.sideState(st, i); t != nil && t.isEmpty() {
		s.timers.cancel(t)
		delete(st.sideStates, i)
		s.devices[i].flags &^= flagSideState
	}
}

// CountInjection counts an injection, for its device, its kind and the fleet.
func (s *Store) CountInjection(in fault.Injection) {
	st := s.lock(s.part.Local(in.Device))
	defer st.mu.Unlock()
	s.countInjection(st, in)
}

// countInjection is CountInjection with the device's stripe locked already.
func (s *Store) countInjection(st *stripe, in fault.Injection) {
	s.ensureSideState(st, s.part.Local(in.Device)).countKind(uint8(in.Index))
	s.injections[in.Index].Add(1)
	st.totals.Injections++
}
