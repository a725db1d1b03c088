package mockfleet

import (
	"runtime"
	"time"
)

// Status is the fleet as a whole. The counts of what devices did are since the start or the last
// Reset; those of requests, bytes and connections since the start. What concerns the process is of
// all of it, which is the fleet's alone only if it runs in a process of its own.
type Status struct {
	Devices    uint64     `json:"devices"`
	Addressing Addressing `json:"addressing"`

	// Generation changes with every Reset, and is another in another fleet: two readings with the same
	// one are of one ledger.
	Generation uint64 `json:"generation"`

	Updated      uint64 `json:"updated"` // devices with at least one update applied
	Pushes       uint64 `json:"pushes"`  // this and what follows: sums over the entries of the ledger
	Applied      uint64 `json:"applied"`
	AppliedTwice uint64 `json:"applied_twice"`
	Repeats      uint64 `json:"repeats"`
	Rejected     uint64 `json:"rejected"`
	Faulted      uint64 `json:"faulted"`
	Feigned      uint64 `json:"feigned"`
	Unfit        uint64 `json:"unfit"`
	Broken       uint64 `json:"broken"`
	Verifies     uint64 `json:"verifies"`
	Misaddressed uint64 `json:"misaddressed"`
	TurnedAway   uint64 `json:"turned_away"`
	Struck       uint64 `json:"struck"`
	Injected     uint64 `json:"injected"` // strikes of faults, of every kind

	BytesReceived uint64 `json:"bytes_received"`

	Requests           uint64 `json:"requests"`            // to devices, of every kind
	Malformed          uint64 `json:"malformed"`           // what came and was no request
	BytesIn            uint64 `json:"bytes_in"`            // over the devices' connections, heads included
	BytesOut           uint64 `json:"bytes_out"`           // likewise
	Connections        uint64 `json:"connections"`         // open now
	ConnectionsTotal   uint64 `json:"connections_total"`   // accepted, refused ones included
	ConnectionsRefused uint64 `json:"connections_refused"` // closed at once: too many, from elsewhere, or to no device
	ConnectionsNoRoom  uint64 `json:"connections_no_room"` // of those, the ones that were too many
	AcceptErrors       uint64 `json:"accept_errors"`       // failures to accept, as for want of descriptors

	CPUSeconds        float64       `json:"cpu_seconds"`         // user and system time of the process; 0 where unknown
	ResidentBytes     uint64        `json:"resident_bytes"`      // of the process; 0 where unknown
	PeakResidentBytes uint64        `json:"peak_resident_bytes"` // likewise
	Goroutines        int           `json:"goroutines"`          // of the process
	Descriptors       int           `json:"descriptors"`         // of the process; 0 where unknown
	Uptime            time.Duration `json:"uptime_ns"`

	Health Health `json:"health"`
}

// Status tells how the fleet is.
func (f *Fleet) Status() Status {
	t := f.store.sum()
	s := Status{
		Devices:       uint64(f.Devices()),
		Addressing:    f.cfg.Addressing,
		Generation:    uint64(f.generation) + uint64(f.store.epoch.Load()),
		Updated:       t.updated,
		Pushes:        t.pushes,
		Applied:       t.applied,
		AppliedTwice:  t.twice,
		Repeats:       t.repeats,
		Rejected:      t.rejected,
		Faulted:       t.faulted,
		Feigned:       t.feigned,
		Unfit:         t.unfit,
		Broken:        t.broken,
		Verifies:      t.verifies,
		Misaddressed:  t.strays,
		TurnedAway:    t.turnedAway,
		Struck:        t.struck,
		Injected:      t.injected,
		BytesReceived: t.bytes,
		AcceptErrors:  f.acceptErrors.Load(),
		ResidentBytes: residentBytes(),
		Goroutines:    runtime.NumGoroutine(),
		Descriptors:   openDescriptors(),
		Uptime:        time.Since(f.started),
	}
	s.Requests, s.Malformed, s.BytesIn, s.BytesOut = f.traffic.sum()
	open, total, refused, noRoom := f.registry.counts()
	s.Connections, s.ConnectionsTotal, s.ConnectionsRefused, s.ConnectionsNoRoom = uint64(open), total, refused, noRoom
	s.CPUSeconds, s.PeakResidentBytes = processorTime()
	s.Health = f.watch.health(&s, acceptOverflows())
	s.Health.DescriptorLimit, _ = descriptorLimit() // unknown is 0
	return s
}
