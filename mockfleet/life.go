package mockfleet

// Life is what a device goes through after it took an update. The zero value runs an update at once.
type Life struct {
	// Install is how long the device installs: it answers the update 202, shows what it ran before, and
	// answers other updates 409.
	Install Distribution `json:"install,omitzero" yaml:"install,omitzero"`
	// Reboot is how long it then can't be reached.
	Reboot Distribution `json:"reboot,omitzero" yaml:"reboot,omitzero"`
}

// IsZero tells whether l is the zero value, which is left out of JSON and YAML.
func (l Life) IsZero() bool { return l == Life{} }

// passage is what the device goes through after its attempt-th update.
func (l *Life) passage(seed uint64, device int, attempt uint32) passage {
	if l.IsZero() {
		return passage{}
	}
	return passage{
		installing: l.Install.Sample(draw(seed, device, attempt, purposeInstall)),
		gone:       l.Reboot.Sample(draw(seed, device, attempt, purposeReboot)),
	}
}
