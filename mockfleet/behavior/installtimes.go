package behavior

import (
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// InstallTimes is what a device goes through after it took an update. The zero value runs an update
// at once.
type InstallTimes struct {
	// Install is how long the device installs: it answers the update 202, shows what it ran before, and
	// answers other updates 409.
	Install random.Duration `json:"install,omitzero" yaml:"install,omitzero"`
	// Reboot is how long it then can't be reached.
	Reboot random.Duration `json:"reboot,omitzero" yaml:"reboot,omitzero"`
}

// IsZero reports whether l is the zero value, which is left out of JSON and YAML.
func (l InstallTimes) IsZero() bool { return l == InstallTimes{} }

// Lifecycle returns what the device goes through after its attempt-th update.
func (l *InstallTimes) Lifecycle(seed uint64, device int, attempt uint32) fault.Lifecycle {
	if l.IsZero() {
		return fault.Lifecycle{}
	}
	return fault.Lifecycle{
		Install: l.Install.Sample(random.Draw(seed, device, attempt, random.StreamInstall)),
		Reboot:  l.Reboot.Sample(random.Draw(seed, device, attempt, random.StreamReboot)),
	}
}
