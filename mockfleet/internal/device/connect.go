package device

import (
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// Access is the decision about a new connection to a device, or about a request on an open one.
type Access struct {
	Injection   fault.Injection // the fault that acts on it, if any
	Unreachable bool            // the device doesn't answer now
	OverLimit   bool            // the device has as many connections as it may
	Counted     bool            // the connection counts toward that limit, until Disconnect
	Behavior    *Compiled       // of the device
}

// Connect decides about a new connection to device i, and counts it. In path addressing it is
// called at the first request, which names the device.
func (s *Store) Connect(i int) (r Access) {
	st := s.lock(i)
	defer st.mu.Unlock()
	d := &s.devices[i]
	s.contact(d)
	r.Behavior = s.behaviors.at(d.behavior)
	if r.Unreachable = s.unreachable(st, i); r.Unreachable {
		return r
	}
	if most := r.Behavior.Network.MaxConnections; most > 0 {
		if int(d.openConns) >= most {
			s.ensureSideState(st, i).overLimit++
			st.totals.ConnectionsOverLimit++
			r.OverLimit = true
			return r
		}
		d.openConns++
		r.Counted = true
	}
	if r.Behavior.faults.Has(fault.PointConnect) {
		d.connects++
		if r.Injection = r.Behavior.faults.First(fault.PointConnect, s.attempt(i, d.connects), nil); !r.Injection.IsZero() {
			s.countAborted(st, r.Injection)
		}
	}
	return r
}

// Disconnect ends a counted connection to device i.
func (s *Store) Disconnect(i int) {
	st := s.lock(i)
	defer st.mu.Unlock()
	s.devices[i].openConns--
}

// NextRequest decides about a request on a connection that Connect allowed. used says whether the
// connection has had a request before; the faults of PointReuse act only if so. A device that a
// fault made unreachable for good is unreachable on open connections too.
func (s *Store) NextRequest(i int, used bool, q *fault.Request) (r Access) {
	st := s.lock(i)
	defer st.mu.Unlock()
	d := &s.devices[i]
	r.Behavior = s.behaviors.at(d.behavior)
	if r.Unreachable = s.unreachable(st, i) || r.Behavior.faults.Permanent(s.attempt(i, 0)); r.Unreachable {
		return r
	}
	if used && r.Behavior.faults.Has(fault.PointReuse) {
		d.reuses++
		if r.Injection = r.Behavior.faults.First(fault.PointReuse, s.attempt(i, d.reuses), q); !r.Injection.IsZero() {
			s.countAborted(st, r.Injection)
		}
	}
	return r
}

// PortState returns the state that the port of device i must have, by the device's behavior and
// phase.
func (s *Store) PortState(i int) fault.PortState {
	st := s.lock(i)
	defer st.mu.Unlock()
	if s.devices[i].flags&flagOffline != 0 {
		return fault.PortState{Show: fault.PortClosed}
	}
	usual := s.behaviors.at(s.devices[i].behavior).faults.PortState(s.attempt(i, 0))
	s.catchUp(st, i)
	if t := s.sideState(st, i); t != nil && t.phase == phaseRebooting {
		// The port opens by itself at the right time, even if the timer queue is late.
		return fault.PortState{Show: fault.PortClosed, For: max(1, time.Until(t.until)), CloseAfterEach: usual.CloseAfterEach}
	}
	return usual
}

// unreachable reports whether device i doesn't answer now, because it reboots or was taken offline.
func (s *Store) unreachable(st *stripe, i int) bool {
	if s.devices[i].flags&flagOffline != 0 {
		return true
	}
	s.catchUp(st, i)
	t := s.sideState(st, i)
	return t != nil && t.phase == phaseRebooting
}

// attempt returns the number-th attempt of device i, as faults see it.
func (s *Store) attempt(i int, number uint32) fault.Attempt {
	return fault.Attempt{Seed: s.seed, Device: s.Number(i), Number: number, Gated: s.gated}
}

// countAborted counts a connection that a fault ends unanswered.
func (s *Store) countAborted(st *stripe, in fault.Injection) {
	s.countInjection(st, in)
	s.ensureSideState(st, s.part.Local(in.Device)).aborted++
	st.totals.ConnectionsAborted++
}
