package device

import (
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// sideState is what the fleet keeps of a device that a fault has to do with, or that is going through an
// update. It is apart from the device's record, so that a device which nothing happens to stays as small
// as it is, and it is dropped once there is nothing in it.
type sideState struct {
	device int
	faultCounts

	phase    phase
	until    time.Time       // when the phase ends; zero in phaseRollingBack: after the next look
	next     fault.Lifecycle // what it goes through after the phase
	previous software        // what it ran before the update that brought the phase

	// Guarded by the timer queue's lock.
	due       time.Time
	heapIndex int // in the queue, counted from 1; 0 is none
}

// faultCounts is the part of a device's ledger that is kept in its sideState.
type faultCounts struct {
	falseAcks       uint32      // updates that it acknowledged and didn't apply
	installFailures uint32      // updates that it took and could not install
	overLimit       uint32      // connections beyond those that its behavior lets it have
	aborted         uint32      // connections that a fault ended unanswered
	byKind          []kindCount // injections by kind
}

// isEmpty tells that there is nothing in t that the ledger or the device still needs.
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

// sideState returns what is kept of device i beside its record; nil is nothing. Its shard is locked.
func (s *Store) sideState(sh *shard, i int) *sideState {
	if s.devices[i].flags&flagSideState == 0 {
		return nil
	}
	return sh.sideStates[i]
}

func (s *Store) ensureSideState(sh *shard, i int) *sideState {
	if t := s.sideState(sh, i); t != nil {
		return t
	}
	if sh.sideStates == nil {
		sh.sideStates = make(map[int]*sideState)
	}
	t := &sideState{device: i}
	sh.sideStates[i] = t
	s.devices[i].flags |= flagSideState
	return t
}

// dropIfEmpty drops what is kept of device i beside its record, if that is empty.
func (s *Store) dropIfEmpty(sh *shard, i int) {
	if t := s.sideState(sh, i); t != nil && t.isEmpty() {
		s.timers.cancel(t)
		delete(sh.sideStates, i)
		s.devices[i].flags &^= flagSideState
	}
}

// CountInjection counts an injection.
func (s *Store) CountInjection(in fault.Injection) {
	sh := s.lock(in.Device)
	defer sh.mu.Unlock()
	s.countInjection(sh, in)
}

// countInjection counts an injection, its device's shard being locked.
func (s *Store) countInjection(sh *shard, in fault.Injection) {
	s.ensureSideState(sh, in.Device).countKind(uint8(in.Index))
	s.injections[in.Index].Add(1)
	sh.totals.Injections++
}
