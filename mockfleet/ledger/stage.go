package ledger

// Stage is the stage of a device's life, as the fleet knows it. A device itself reports less: over
// HTTP it has the states of wire.State, and a device that reboots or is offline doesn't answer.
type Stage string

// The stages. An update takes a device from StageIdle or StageRunning through StageReceiving,
// StageInstalling and StageRebooting, as far as its behavior has them, to StageRunning. A fault may
// end it in StageFailed or StageRolledBack instead.
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
