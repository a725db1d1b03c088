package device

import (
	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

// record is all that the fleet keeps of most devices; sideState holds the rest. It is guarded by
// the lock of its stripe. It must stay within 128 bytes, since there are millions of them.
type record struct {
	digest        [32]byte // SHA-256 of the artifact that it runs
	key           uint64   // hash of the Idempotency-Key of its update, if flagKeyed is set
	bytes         uint64   // of artifacts received
	pushes        uint32
	applied       uint32
	appliedTwice  uint32
	repeats       uint32
	rejected      uint32
	forcedRejects uint32
	incomplete    uint32
	verifies      uint32
	misdirected   uint32 // pushes that named another device
	attempts      uint32 // pushes that its behavior has decided about
	connects      uint32 // connections that a fault might act on
	reuses        uint32 // requests on a used connection that a fault might act on
	versionReads  uint32 // version requests that its behavior has decided about
	updatedAt     uint32 // Unix seconds, enough until 2106
	contacted     moment // when it first received anything
	changed       moment // when it began to run what it runs
	version       uint32 // slot in the version table; the device holds a reference to it
	behavior      uint16 // slot in the behavior table; the device holds a reference to it
	openConns     uint16 // open connections, if its behavior limits them
	flags         uint16
}

const (
	flagUpdated    = 1 << iota // runs an artifact that was pushed to it
	flagKeyed                  // that push had an Idempotency-Key
	flagReceiving              // an update is under way
	flagSideState              // its stripe holds a sideState for it
	flagFailed                 // could not install the last update
	flagRolledBack             // went back to what it ran before the last update
	flagOffline                // was taken offline
	flagInstalling             // has an update and still runs what it ran before; set in copies only
	flagRebooting              // can't be reached; set in copies only
)

// lastUpdateFlags are the flags that say how the last update failed.
const lastUpdateFlags = flagFailed | flagRolledBack

// state returns the state that the device reports.
func (d *record) state() wire.State {
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

// active reports whether the device has received anything since the last reset.
func (d *record) active() bool {
	return d.contacted > 0 || d.pushes > 0 || d.verifies > 0 || d.flags&flagSideState != 0
}

// stage returns the device's stage. Call it on a copy that Store.visible returned.
func (d *record) stage() ledger.Stage {
	switch {
	case d.flags&flagOffline != 0:
		return ledger.StageOffline
	case d.flags&flagReceiving != 0:
		return ledger.StageReceiving
	case d.flags&flagInstalling != 0:
		return ledger.StageInstalling
	case d.flags&flagRebooting != 0:
		return ledger.StageRebooting
	case d.flags&flagFailed != 0:
		return ledger.StageFailed
	case d.flags&flagRolledBack != 0:
		return ledger.StageRolledBack
	case d.flags&flagUpdated != 0:
		return ledger.StageRunning
	}
	return ledger.StageIdle
}

// software is what a device runs. It holds a reference to the version's slot.
type software struct {
	digest    [32]byte
	key       uint64
	updatedAt uint32
	changed   moment
	version   uint32
	flags     uint16 // those in softwareFlags
}

const softwareFlags = flagUpdated | flagKeyed

func (d *record) software() software {
	return software{d.digest, d.key, d.updatedAt, d.changed, d.version, d.flags & softwareFlags}
}

func (d *record) setSoftware(s software) {
	d.digest, d.key, d.updatedAt, d.changed, d.version = s.digest, s.key, s.updatedAt, s.changed, s.version
	d.flags = d.flags&^softwareFlags | s.flags
}
