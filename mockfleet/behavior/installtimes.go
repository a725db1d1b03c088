package behavior

import (
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// InstallTimes is how long a device installs and reboots after it has accepted an update. With the
// zero value, the device runs an update at once.
type InstallTimes struct {
	// Install is how long the device installs. It answers the update with 202. Until the time is
	// over, it reports its previous version and answers other updates with 409.
	Install random.Duration `json:"install,omitzero" yaml:"install,omitzero"`
	// Reboot is how long the device can't be reached after it has installed the update.
	Reboot random.Duration `json:"reboot,omitzero" yaml:"reboot,omitzero"`
}

// IsZero reports whether l is the zero value, which is left out of JSON and YAML.
func (l InstallTimes) IsZero() bool { return l == InstallTimes{} }

// Lifecycle draws the install and reboot times of the device's attempt-th update, counted from 1.
func (l *InstallTimes) Lifecycle(seed uint64, device int, attempt uint32) fault.Lifecycle {
	if l.IsZero() {
		return fault.Lifecycle{}
	}
	return fault.Lifecycle{
		Install: l.Install.Sample(random.Draw(seed, device, attempt, random.StreamInstall)),
		Reboot:  l.Reboot.Sample(random.Draw(seed, device, attempt, random.StreamReboot)),
	}
}
