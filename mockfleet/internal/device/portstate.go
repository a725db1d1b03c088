package device

import (
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// PortState is what the port of device i shows: by its behavior, and by what it is going through.
func (s *Store) PortState(i int) fault.PortState {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	if s.devices[i].flags&flagOffline != 0 {
		return fault.PortState{Show: fault.PortClosed}
	}
	usual := s.behaviors.at(s.devices[i].behavior).faults.PortState(s.attempt(i, 0))
	s.catchUp(sh, i)
	if t := s.sideState(sh, i); t != nil && t.phase == phaseRebooting {
		// The timers may be late; then the port opens by itself.
		return fault.PortState{Show: fault.PortClosed, For: max(1, time.Until(t.until)), CloseAfterEach: usual.CloseAfterEach}
	}
	return usual
}
