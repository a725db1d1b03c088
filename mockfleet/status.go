package mockfleet

import (
	"net/netip"
	"runtime"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/internal/server"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

// Status describes the fleet as a whole. Counts of what devices did are since the start or the last
// Reset. Counts of requests, bytes and connections are since the start. Figures of the process
// cover all of it, so they describe the fleet alone only if the fleet has a process of its own.
type Status struct {
	Devices    uint64       `json:"devices"`    // how many there are, in a shard of the shard's
	Addressing address.Mode `json:"addressing"` // ip, port or path
	// Network is the network that devices have addresses of, such as 10.64.0.0/10; left out unless the
	// fleet was given one.
	Network netip.Prefix `json:"network,omitzero"`

	// Generation changes with every Reset, and is another in another fleet: two readings with the same
	// one are of one ledger.
	Generation uint64 `json:"generation"`

	// SinceReset is how long ago the start or the last Reset was, from which the ledger counts times.
	SinceReset time.Duration `json:"since_reset_ns"`

	ledger.Totals // of the devices

	Traffic
	Process

	Health Health `json:"health"` // whether the fleet keeps up
	Seed   uint64 `json:"seed"`   // of every random choice of the fleet

	Shard        address.Shard `json:"shard,omitzero"`         // the part of a fleet that this is, if it isn't the whole
	WholeDevices uint64        `json:"whole_devices,omitzero"` // how many devices all shards have; 0 if it is the whole
}

// Traffic counts what passed over the devices' connections since the start.
type Traffic = server.Traffic

// Process holds the resources that the process of the fleet uses.
type Process struct {
	CPUSeconds        float64       `json:"cpu_seconds"`         // user and system time of the process; 0 where unknown
	ResidentBytes     uint64        `json:"resident_bytes"`      // resident memory of the process; 0 where unknown
	PeakResidentBytes uint64        `json:"peak_resident_bytes"` // largest resident memory of the process; 0 where unknown
	Goroutines        int           `json:"goroutines"`          // of the process
	Descriptors       int           `json:"descriptors"`         // of the process; 0 where unknown
	Uptime            time.Duration `json:"uptime_ns"`           // since the fleet started
}

// Status returns the status of the fleet.
func (f *Fleet) Status() Status {
	s := Status{
		Devices:    uint64(f.Devices()),
		Addressing: f.cfg.Addressing,
		Network:    f.cfg.Network,
		Seed:       f.cfg.Seed,
		Generation: uint64(f.generation) + uint64(f.store.Resets()),
		Totals:     f.store.Totals(),
		SinceReset: f.store.SinceReset(),
		Traffic:    f.server.Traffic(),
		Process: Process{
			ResidentBytes: server.ResidentBytes(),
			Goroutines:    runtime.NumGoroutine(),
			Descriptors:   server.OpenDescriptors(),
			Uptime:        f.server.Uptime(),
		},
	}
	if s.Shard = f.cfg.Shard; s.Shard != (address.Shard{}) {
		s.WholeDevices = uint64(f.cfg.Devices)
	}
	s.CPUSeconds, s.PeakResidentBytes = server.CPUTime()
	s.Health = newHealth(f.server.Observed())
	s.Health.DescriptorLimit, _ = server.DescriptorLimit() // unknown is 0
	return s
}
