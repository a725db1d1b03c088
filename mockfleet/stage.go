package mockfleet

// Stage is where in its life a device is, as the fleet knows it. A device tells less of itself: over HTTP
// it has the states of wire.State, and a device that reboots or is offline says nothing.
type Stage string

// The stages. An update takes a device from Idle or Running through Receiving, Installing and Rebooting, as
// far as its behaviour has them, to Running; a fault may end it in Failed or RolledBack instead.
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

func (s Stage) known() bool {
	for _, known := range Stages() {
		if s == known {
			return true
		}
	}
	return false
}

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
