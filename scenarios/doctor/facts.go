package doctor

import (
	"context"
	"net/netip"
	"runtime"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
)

// Facts is what was found out about a machine. A fact that could not be read is a nil pointer, an
// empty string or an empty list.
type Facts struct {
	OS string `json:"os"`

	Cores      int      `json:"cores"` // cores that this process may run on
	GOMAXPROCS int      `json:"gomaxprocs"`
	Quota      *float64 `json:"cpu_quota_cores"` // of the control group; 0 if it has none

	MemoryAvailable *uint64 `json:"memory_available_bytes"` // free memory of the machine
	MemoryLeft      *uint64 `json:"memory_left_bytes"`      // memory left until the control group's limit; null if it has none

	DescriptorLimit *uint64 `json:"descriptor_limit"`
	Needs           []Need  `json:"needs"` // needs of the scenarios in the catalog

	Ports         *results.LocalPorts `json:"local_ports"`
	ReuseTimeWait *int                `json:"tcp_tw_reuse"` // whether ports of closed connections are reused: 0 is never, 1 is always, 2 is on loopback
	AcceptQueue   *int                `json:"somaxconn"`

	ClockSource  string        `json:"clock_source"`
	ClockSources string        `json:"clock_sources"` // the sources that could be chosen
	ClockCost    time.Duration `json:"clock_cost_ns"` // the median cost of a reading
	Timer        Timer         `json:"timer"`

	Governors []string `json:"governors"` // the governors of the cores, each once
	Turbo     *bool    `json:"turbo"`
	SMT       *bool    `json:"smt"` // whether a core runs two threads

	Interference *results.Interference `json:"neighbours"`
	Noise        Noise                 `json:"noise"`
	Loopback     Loopback              `json:"loopback"`

	DeviceNetwork *DeviceNetwork `json:"device_network,omitempty"` // left out if none was asked about
}

// Need is how many file descriptors a scenario's driver must have, and how many it can use.
type Need struct {
	Scenario string `json:"scenario"`
	Min      int    `json:"least"`
	Want     int    `json:"wanted"`
}

// Timer is how late a timer of a millisecond fires.
type Timer struct {
	P50   time.Duration `json:"p50_ns"`
	P99   time.Duration `json:"p99_ns"`
	Turns int           `json:"turns"`
}

// Loopback says which addresses devices can have.
type Loopback struct {
	Addressing string `json:"addressing"`        // the addressing that was tried
	Refused    string `json:"refused,omitempty"` // why it doesn't work; empty if it does
	NoIPv6     string `json:"no_ipv6,omitempty"` // why there is no ::1; empty if there is
}

// Gather examines the machine, and what it has for the addresses of a device network unless that is
// the zero Prefix. It calls progress as each step begins. Its error is the context's, or says that
// the reference benchmark failed.
func Gather(ctx context.Context, network netip.Prefix, progress func(doing string, n, of int)) (Facts, error) {
	f := Facts{OS: runtime.GOOS, Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0)}
	steps := []struct {
		doing string
		do    func() error
	}{
		{"the system's settings", func() error {
			f.readSystem("/")
			if network.IsValid() {
				f.DeviceNetwork = readDeviceNetwork(ctx, "/", network)
			}
			return f.readLimits()
		}},
		{"what else runs", func() (err error) {
			f.Interference, err = health.MeasureInterference(ctx, time.Second)
			return err
		}},
		{"the clock", func() error { f.ClockCost = measureClock(); return nil }},
		{"timers", func() (err error) { f.Timer, err = measureTimers(ctx); return err }},
		{"loopback addresses", func() error { f.Loopback = tryLoopback(ctx); return nil }},
		{"how alike the same is", func() (err error) {
			f.Noise, err = measureNoise(ctx, health.ReferenceBenchmark)
			return err
		}},
	}
	for i, s := range steps {
		progress(s.doing, i+1, len(steps))
		if err := s.do(); err != nil {
			return f, err
		}
		if err := ctx.Err(); err != nil {
			return f, err
		}
	}
	return f, nil
}

// GatherSettings examines what can be found out about the machine within a fraction of a second: it
// reads settings and tries loopback addresses, and measures no times. network is as in [Gather].
func GatherSettings(ctx context.Context, network netip.Prefix) (Facts, error) {
	f := Facts{OS: runtime.GOOS, Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0)}
	f.readSystem("/")
	if network.IsValid() {
		f.DeviceNetwork = readDeviceNetwork(ctx, "/", network)
	}
	f.Loopback = tryLoopback(ctx)
	return f, f.readLimits()
}

// readLimits finds out how many descriptors this process may have, and how many the scenarios need.
func (f *Facts) readLimits() error {
	if limit, known := osinfo.DescriptorLimit(); known {
		f.DescriptorLimit = &limit
	}
	for _, name := range scenarios.CatalogNames() {
		s, err := scenarios.Find(name)
		if err != nil {
			return err
		}
		workers, most := s.Load.WorkerRange()
		connections := health.Connections{Workers: workers, MaxWorkers: most, MaxIdle: s.Client.MaxIdle}
		least, wanted := connections.DescriptorNeed()
		f.Needs = append(f.Needs, Need{name, least, wanted})
	}
	return nil
}
