package device

import (
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// phase is what a device goes through after an update.
type phase uint8

const (
	phaseNone        phase = iota
	phaseInstalling        // shows what it ran before, and takes no other update
	phaseRebooting         // can't be reached
	phaseRollingBack       // goes back to what it ran before
)

// startLifecycle takes device i through c, after an update that it took over before.
func (s *Store) startLifecycle(sh *shard, i int, c fault.Lifecycle, before software) {
	t := s.ensureSideState(sh, i)
	t.next, t.previous = c, before
	s.nextPhase(i, t, time.Now())
	s.timers.schedule(t)
	s.dropIfEmpty(sh, i)
}

// nextPhase takes device i into the next phase of what it goes through, which begins at the given moment.
func (s *Store) nextPhase(i int, t *sideState, at time.Time) {
	d := &s.devices[i]
	switch c := &t.next; {
	case c.Install > 0:
		t.phase, t.until = phaseInstalling, at.Add(c.Install)
		c.Install = 0
	case c.FailInstall:
		// The device's record never was changed: there is nothing to go back to.
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
func (s *Store) catchUp(sh *shard, i int) {
	t := s.sideState(sh, i)
	if t == nil || t.phase == phaseNone {
		return
	}
	for now := time.Now(); t.phase != phaseNone && !t.until.IsZero() && !now.Before(t.until); {
		s.nextPhase(i, t, t.until)
	}
}

// onVersionRead ends what lasts until the next look at the device's version.
func (s *Store) onVersionRead(sh *shard, i int) {
	if t := s.sideState(sh, i); t != nil && t.phase == phaseRollingBack && t.until.IsZero() {
		s.nextPhase(i, t, time.Now())
		s.dropIfEmpty(sh, i)
	}
}

// cancelLifecycle makes the device stay as it is: another update has come, or it was healed.
func (s *Store) cancelLifecycle(sh *shard, i int) {
	t := s.sideState(sh, i)
	if t == nil || t.phase == phaseNone {
		return
	}
	if !t.next.FailInstall {
		s.versions.release(t.previous.version)
	}
	t.phase, t.until, t.next = phaseNone, time.Time{}, fault.Lifecycle{}
	s.timers.cancel(t)
	s.dropIfEmpty(sh, i)
}

// visible is device i as it shows itself.
func (s *Store) visible(sh *shard, i int) record {
	s.catchUp(sh, i)
	d := s.devices[i]
	t := s.sideState(sh, i)
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
