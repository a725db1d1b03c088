package mockfleet

import "github.com/fleetmark/fleetmark/internal/wire"

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
