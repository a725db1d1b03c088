package mockfleet

import (
	"net/http"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// device is all that the fleet keeps of one device: a record in an array, guarded by the lock of its
// shard. It must stay within 128 bytes, since there are millions of them.
type device struct {
	digest    [32]byte // SHA-256 of the artifact that it runs
	key       uint64   // hash of the Idempotency-Key that brought it, where flagKeyed is set
	bytes     uint64   // of artifacts received
	pushes    uint32
	applied   uint32
	twice     uint32
	repeats   uint32
	rejected  uint32
	faulted   uint32
	broken    uint32
	verifies  uint32
	strays    uint32 // pushes that named another device
	attempts  uint32 // pushes that its behaviour has decided about
	dials     uint32 // connections that it has, of those that a fault may strike
	reuses    uint32 // requests on a connection that was used before, likewise
	looks     uint32 // looks at its version that its behaviour has decided about
	updatedAt uint32 // Unix seconds, enough until 2106
	version   uint32 // slot in the version table, of which it holds one reference
	behavior  uint16 // slot in the behaviour table, of which it holds one reference
	open      uint16 // connections, where its behaviour limits them
	flags     uint16
}

const (
	flagUpdated    = 1 << iota // runs an artifact that was pushed to it
	flagKeyed                  // that push had an Idempotency-Key
	flagReceiving              // an update is under way
	flagTrouble                // its shard holds a trouble for it
	flagFailed                 // could not install the last update
	flagRolledBack             // went back to what it ran before the last update
	flagOffline                // was taken offline
	flagInstalling             // in a copy that shows it: has an update and still runs what it ran before
	flagRebooting              // in a copy that shows it: can't be reached
)

// flagsOfFate are what the last update left behind.
const flagsOfFate = flagFailed | flagRolledBack

// state is what the device says of itself.
func (d *device) state() wire.State {
	switch {
	case d.flags&(flagReceiving|flagInstalling) != 0:
		return wire.StateInstalling
	case d.flags&flagRebooting != 0:
		return wire.StateRebooting
	case d.flags&flagFailed != 0:
		return wire.StateFailed
	}
	return wire.StateIdle
}

// touched tells whether the device has received anything since the last reset.
func (d *device) touched() bool { return d.pushes > 0 || d.verifies > 0 || d.flags&flagTrouble != 0 }

// Stage is where in its life a device is, as the fleet knows it. A device tells less of itself: over HTTP
// it has the states of wire.State, and a device that reboots or is offline says nothing.
type Stage string

// The stages. An update takes a device from StageIdle or StageRunning through StageReceiving,
// StageInstalling and StageRebooting, as far as its behavior has them, to StageRunning. A fault may end it
// in StageFailed or StageRolledBack instead.
const (
	StageIdle       Stage = "idle"        // runs what it ran at the start: no update was applied
	StageReceiving  Stage = "receiving"   // an update is coming in
	StageInstalling Stage = "installing"  // has an update and still runs what it ran before
	StageRebooting  Stage = "rebooting"   // runs the update, and isn't to be reached yet
	StageRunning    Stage = "running"     // runs an update
	StageFailed     Stage = "failed"      // could not install the last update, and runs what it ran before
	StageRolledBack Stage = "rolled-back" // went back to what it ran before the last update
	StageOffline    Stage = "offline"     // was taken off the network
)

// Stages lists them all.
func Stages() []Stage {
	return []Stage{
		StageIdle, StageReceiving, StageInstalling, StageRebooting, StageRunning, StageFailed, StageRolledBack, StageOffline,
	}
}

func (s Stage) known() bool { return slices.Contains(Stages(), s) }

// stage is that of a copy which shows the device.
func (d *device) stage() Stage {
	switch {
	case d.flags&flagOffline != 0:
		return StageOffline
	case d.flags&flagReceiving != 0:
		return StageReceiving
	case d.flags&flagInstalling != 0:
		return StageInstalling
	case d.flags&flagRebooting != 0:
		return StageRebooting
	case d.flags&flagFailed != 0:
		return StageFailed
	case d.flags&flagRolledBack != 0:
		return StageRolledBack
	case d.flags&flagUpdated != 0:
		return StageRunning
	}
	return StageIdle
}

// phase is what a device goes through after an update.
type phase uint8

const (
	calm       phase = iota
	installing       // shows what it ran before, and takes no other update
	rebooting        // can't be reached
	relapsing        // goes back to what it ran before
)

// software is what a device runs. It holds a reference to the version's slot.
type software struct {
	digest    [32]byte
	key       uint64
	updatedAt uint32
	version   uint32
	flags     uint16 // of a device's, those in softwareFlags
}

const softwareFlags = flagUpdated | flagKeyed

func (d *device) software() software {
	return software{d.digest, d.key, d.updatedAt, d.version, d.flags & softwareFlags}
}

func (d *device) run(s software) {
	d.digest, d.key, d.updatedAt, d.version = s.digest, s.key, s.updatedAt, s.version
	d.flags = d.flags&^softwareFlags | s.flags
}

// passage is what a device goes through after it took an update, in this order.
type passage struct {
	status     int // of the answer; 0 is the usual one
	message    string
	installing time.Duration // runs the update only then
	fails      bool          // and then doesn't run it, but what it ran before
	gone       time.Duration // can't be reached for so long
	relapses   bool          // goes back to what it ran before, after relapseIn
	relapseIn  time.Duration // 0 is after the next look at its version
}

func (c *passage) none() bool { return *c == passage{} }

// within is c with the parts that it leaves open taken from what the device usually goes through.
func (c passage) within(usual passage) passage {
	if c.installing == 0 {
		c.installing = usual.installing
	}
	if c.gone == 0 && !c.fails {
		c.gone = usual.gone
	}
	if c.status == 0 {
		c.status, c.message = usual.status, usual.message
	}
	return c
}

// accepted is the answer to an update that is not run at once.
func (c passage) accepted() passage {
	switch {
	case c.installing > 0:
		c.status, c.message = http.StatusAccepted, "installing"
	case c.gone > 0:
		c.status, c.message = http.StatusAccepted, "rebooting"
	}
	return c
}

// live takes device i through c, after an update that it took over before.
func (s *store) live(sh *shard, i int, c passage, before software) {
	t := s.makeTrouble(sh, i)
	t.rest, t.before = c, before
	s.advance(i, t, time.Now())
	s.agenda.put(t)
	s.tidy(sh, i)
}

// advance takes device i into the next phase of what it goes through, which begins at the given moment.
func (s *store) advance(i int, t *trouble, at time.Time) {
	d := &s.devices[i]
	switch c := &t.rest; {
	case c.installing > 0:
		t.phase, t.until = installing, at.Add(c.installing)
		c.installing = 0
	case c.fails:
		// The device's record never was changed: there is nothing to go back to.
		t.phase, t.until = calm, time.Time{}
		d.flags |= flagFailed
		*c = passage{}
	case c.gone > 0:
		t.phase, t.until = rebooting, at.Add(c.gone)
		c.gone = 0
	case c.relapses:
		t.phase, t.until = relapsing, time.Time{}
		if c.relapseIn > 0 {
			t.until = at.Add(c.relapseIn)
		}
		c.relapses = false
	case t.phase == relapsing:
		s.versions.release(d.version)
		d.run(t.before)
		d.flags |= flagRolledBack
		t.phase, t.until = calm, time.Time{}
	default:
		s.versions.release(t.before.version)
		t.phase, t.until = calm, time.Time{}
	}
}

// catchUp ends the phases of device i whose time has come.
func (s *store) catchUp(sh *shard, i int) {
	t := s.trouble(sh, i)
	if t == nil || t.phase == calm {
		return
	}
	for now := time.Now(); t.phase != calm && !t.until.IsZero() && !now.Before(t.until); {
		s.advance(i, t, t.until)
	}
}

// looked ends what lasts until the next look at the device's version.
func (s *store) looked(sh *shard, i int) {
	if t := s.trouble(sh, i); t != nil && t.phase == relapsing && t.until.IsZero() {
		s.advance(i, t, time.Now())
		s.tidy(sh, i)
	}
}

// settleDown makes the device stay as it is: another update has come, or it was healed.
func (s *store) settleDown(sh *shard, i int) {
	t := s.trouble(sh, i)
	if t == nil || t.phase == calm {
		return
	}
	if !t.rest.fails {
		s.versions.release(t.before.version)
	}
	t.phase, t.until, t.rest = calm, time.Time{}, passage{}
	s.agenda.drop(t)
	s.tidy(sh, i)
}

// shown is device i as it shows itself.
func (s *store) shown(sh *shard, i int) device {
	s.catchUp(sh, i)
	d := s.devices[i]
	t := s.trouble(sh, i)
	switch {
	case t == nil:
	case t.phase == installing:
		if !t.rest.fails {
			d.run(t.before)
		}
		d.flags |= flagInstalling
	case t.phase == rebooting:
		d.flags |= flagRebooting
	}
	return d
}
