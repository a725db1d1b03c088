package device

import (
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// Access says what comes of a connection to a device, or of a request on one.
type Access struct {
	Injection   fault.Injection // of a fault, if not none
	Unreachable bool            // the device doesn't answer now
	OverLimit   bool            // it has as many connections as it may
	Counted     bool            // the connection counts as one of those, until it is let go
	Behavior    *Compiled       // of the device
}

// Connect counts a connection to device i, or the first request on one, and tells what comes of it.
func (s *Store) Connect(i int) (r Access) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	d := &s.devices[i]
	r.Behavior = s.behaviors.at(d.behavior)
	if r.Unreachable = s.unreachable(sh, i); r.Unreachable {
		return r
	}
	if most := r.Behavior.Network.MaxConnections; most > 0 {
		if int(d.openConns) >= most {
			s.ensureSideState(sh, i).overLimit++
			sh.totals.ConnectionsOverLimit++
			r.OverLimit = true
			return r
		}
		d.openConns++
		r.Counted = true
	}
	if r.Behavior.faults.Has(fault.PointConnect) {
		d.connects++
		if r.Injection = r.Behavior.faults.First(fault.PointConnect, s.attempt(i, d.connects), nil); !r.Injection.IsZero() {
			s.countAborted(sh, r.Injection)
		}
	}
	return r
}

// Disconnect takes the end of a counted connection to device i into account.
func (s *Store) Disconnect(i int) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	s.devices[i].openConns--
}

// NextRequest does the same for a request on a connection that Connect has let through; used tells that it is not
// the first one. A device that is gone for good is so on those connections too.
func (s *Store) NextRequest(i int, used bool, q *fault.Request) (r Access) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	d := &s.devices[i]
	r.Behavior = s.behaviors.at(d.behavior)
	if r.Unreachable = s.unreachable(sh, i) || r.Behavior.faults.Permanent(s.attempt(i, 0)); r.Unreachable {
		return r
	}
	if used && r.Behavior.faults.Has(fault.PointReuse) {
		d.reuses++
		if r.Injection = r.Behavior.faults.First(fault.PointReuse, s.attempt(i, d.reuses), q); !r.Injection.IsZero() {
			s.countAborted(sh, r.Injection)
		}
	}
	return r
}

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

// unreachable reports whether device i doesn't answer now: it reboots, or was taken offline.
func (s *Store) unreachable(sh *shard, i int) bool {
	if s.devices[i].flags&flagOffline != 0 {
		return true
	}
	s.catchUp(sh, i)
	t := s.sideState(sh, i)
	return t != nil && t.phase == phaseRebooting
}

// attempt returns an attempt of device i, of those that faults choose from.
func (s *Store) attempt(i int, number uint32) fault.Attempt {
	return fault.Attempt{Seed: s.seed, Device: i, Number: number, Gated: s.gated}
}

func (s *Store) countAborted(sh *shard, in fault.Injection) {
	s.countInjection(sh, in)
	s.ensureSideState(sh, in.Device).aborted++
	sh.totals.ConnectionsAborted++
}
