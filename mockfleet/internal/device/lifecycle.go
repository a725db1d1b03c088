package device

import (
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// phase is a phase of a device's lifecycle after an update.
type phase uint8

const (
	phaseNone        phase = iota
	phaseInstalling        // it shows what it ran before, and takes no other update
	phaseRebooting         // it can't be reached
	phaseRollingBack       // it runs the update, and will go back to what it ran before
)

// startLifecycle begins the lifecycle c of device i after an update. before is the software that
// the device ran until then.
func (s *Store) startLifecycle(st *stripe, i int, c fault.Lifecycle, before software) {
	t := s.ensureSideState(st, i)
	t.next, t.previous = c, before
	s.nextPhase(i, t, time.Now())
	s.timers.schedule(t)
	s.dropIfEmpty(st, i)
}

// nextPhase ends the phase of device i, and begins the next one at the given time.
func (s *Store) nextPhase(i int, t *sideState, at time.Time) {
	d := &s.devices[i]
	if t.phase == phaseInstalling && !t.next.FailInstall {
		d.changed = s.momentOf(at)
	}
	switch c := &t.next; {
	case c.Install > 0:
		t.phase, t.until = phaseInstalling, at.Add(c.Install)
		c.Install = 0
	case c.FailInstall:
		// The device's record was never changed, so that there is nothing to undo.
		t.phase, t.until = phaseNone, time.Time{}
		d.flags |= flagFailed
		*c = fault.Lifecycle{}
	case c.Reboot > 0:
		t.phase, t.until = phaseRebooting, at.Add(c.Reboot)
		c.Reboot = 0
	case c.Rollback:
		t.phase, t.until = phaseRollingBack, time.Time{}
		if c.RollbackAfter > 0 {
			t.until = at.Add(c.RollbackAfter)
		}
		c.Rollback = false
	case t.phase == phaseRollingBack:
		s.versions.release(d.version)
		d.setSoftware(t.previous)
		d.flags |= flagRolledBack
		t.phase, t.until = phaseNone, time.Time{}
	default:
		s.versions.release(t.previous.version)
		t.phase, t.until = phaseNone, time.Time{}
	}
}

// catchUp ends the phases of device i whose time has come.
func (s *Store) catchUp(st *stripe, i int) {
	t := s.sideState(st, i)
	if t == nil || t.phase == phaseNone {
		return
	}
	for now := time.Now(); t.phase != phaseNone && !t.until.IsZero() && !now.Before(t.until); {
		s.nextPhase(i, t, t.until)
	}
}

// onVersionRead rolls device i back if it was to do so once its version was read.
func (s *Store) onVersionRead(st *stripe, i int) {
	if t := s.sideState(st, i); t != nil && t.phase == phaseRollingBack && t.until.IsZero() {
		s.nextPhase(i, t, time.Now())
		s.dropIfEmpty(st, i)
	}
}

// cancelLifecycle drops the phases that device i has not gone through yet, because another update
// was applied or the store is reset.
func (s *Store) cancelLifecycle(st *stripe, i int) {
	t := s.sideState(st, i)
	if t == nil || t.phase == phaseNone {
		return
	}
	if !t.next.FailInstall {
		s.versions.release(t.previous.version)
	}
	t.phase, t.until, t.next = phaseNone, time.Time{}, fault.Lifecycle{}
	s.timers.cancel(t)
	s.dropIfEmpty(st, i)
}

// visible returns a copy of device i's record as the device shows itself: with the previous
// software while it installs, and with the flags that say so.
func (s *Store) visible(st *stripe, i int) record {
	s.catchUp(st, i)
	d := s.devices[i]
	t := s.sideState(st, i)
	switch {
	case t == nil:
	case t.phase == phaseInstalling:
		if !t.next.FailInstall {
			d.setSoftware(t.previous)
		}
		d.flags |= flagInstalling
	case t.phase == phaseRebooting:
		d.flags |= flagRebooting
	}
	return d
}
