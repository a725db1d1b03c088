package scenarios

import (
	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
)

// Spec is a scenario: which fleet, which artifact, which client, which load, how
// often. It is written as YAML, every key optional but the name; what is left out
// has the value of Default. Units and bounds are at each field.
type Spec struct {
	Name        string `yaml:"name" json:"name"`               // lower-case letters, digits and dashes; it becomes part of benchmark names
	Description string `yaml:"description" json:"description"` // the question that the scenario answers

	Suite []string `yaml:"suite,omitempty" json:"suite,omitempty"` // scenarios that are run instead, one after another: names, or files beside this one

	Fleet    FleetSpec    `yaml:"fleet" json:"fleet"`
	Artifact ArtifactSpec `yaml:"artifact" json:"artifact"`
	Client   ClientSpec   `yaml:"client" json:"client"`
	Load     LoadSpec     `yaml:"load" json:"load"`

	Thresholds []Threshold `yaml:"thresholds,omitempty" json:"thresholds,omitempty"` // what must hold, or the run fails

	Repetitions int      `yaml:"repetitions" json:"repetitions"`                   // timed and recorded: 1 to 10000
	Warmup      int      `yaml:"warmup" json:"warmup"`                             // before them, thrown away: 0 to 1000
	Profiled    int      `yaml:"profiled" json:"profiled"`                         // after them, profiled and not timed: 0 to 1000
	SlowTrace   Duration `yaml:"slow_trace,omitempty" json:"slow_trace,omitempty"` // an operation of a profiled repetition beyond it leaves a trace of the moments before; 0: none does

	Seed uint64 `yaml:"seed" json:"seed"` // of the artifact, the devices' behaviour and the retries' jitter
}

// FleetSpec says which devices there are.
type FleetSpec struct {
	Devices    int                  `yaml:"devices" json:"devices"`       // 1 to what the addressing holds
	Addressing mockfleet.Addressing `yaml:"addressing" json:"addressing"` // ip, port or path; empty: ip on Linux, path elsewhere
	Behavior   mockfleet.Behavior   `yaml:"behavior" json:"behavior"`     // of the devices that are in no group
	Groups     []mockfleet.Group    `yaml:"groups,omitempty" json:"groups,omitempty"`
	Capacity   Rate                 `yaml:"capacity,omitempty" json:"capacity,omitempty"` // updates that all devices together answer; 0: no limit
	TLS        mockfleet.TLS        `yaml:"tls,omitempty" json:"tls,omitempty"`           // how devices speak TLS; empty: not at all
}

// ArtifactSpec says what is pushed.
type ArtifactSpec struct {
	Size    Bytes  `yaml:"size" json:"size"`       // of the artifact made from the seed: 1B to 1TiB. Not used with a file
	File    string `yaml:"file" json:"file"`       // a real file instead
	Version string `yaml:"version" json:"version"` // that it brings; empty: the harness chooses
}

// ClientSpec configures the production client. Zero values take the client's own defaults.
type ClientSpec struct {
	Transport     delivery.Transport `yaml:"transport" json:"transport"` // lean or nethttp
	DialTimeout   Duration           `yaml:"dial_timeout" json:"dial_timeout"`
	AnswerTimeout Duration           `yaml:"answer_timeout" json:"answer_timeout"`
	TotalTimeout  Duration           `yaml:"total_timeout" json:"total_timeout"`
	MaxAttempts   int                `yaml:"max_attempts" json:"max_attempts"`
	RetryBase     Duration           `yaml:"retry_base" json:"retry_base"`
	RetryCap      Duration           `yaml:"retry_cap" json:"retry_cap"`
	MaxIdle       int                `yaml:"max_idle" json:"max_idle"`                         // kept-alive connections that no operation uses
	GoodReads     int                `yaml:"good_reads,omitempty" json:"good_reads,omitempty"` // answers in a row by which a delivery counts; 0: the client's own default
	Poll          Duration           `yaml:"poll,omitempty" json:"poll,omitempty"`             // between two looks at a device that installs
	PollFor       Duration           `yaml:"poll_for,omitempty" json:"poll_for,omitempty"`     // how long it is looked at
	Defaults      Defaults           `yaml:"defaults,omitempty" json:"defaults,omitempty"`     // of the retry budget and the breaker
	Headers       []Header           `yaml:"headers,omitempty" json:"headers,omitempty"`       // sent with every request
	CA            string             `yaml:"ca,omitempty" json:"ca,omitempty"`                 // file in PEM: whom to trust for devices' certificates; empty: the fleet's own authority, or else the system's
}

// Defaults says what a client has of what depends on the clock, and so not on the seed alone.
type Defaults string

// Shipped is the client as it is shipped, with its retry budget and its breaker. Without it a
// scenario's client has neither, because how often a device is tried must depend on the seed alone.
const Shipped Defaults = "shipped"

// Default is what a scenario has before anything is said. It is the scenario
// rollout but for its name.
func Default() Spec {
	return Spec{
		Fleet:       FleetSpec{Devices: 5000},
		Artifact:    ArtifactSpec{Size: 64 << 10},
		Client:      ClientSpec{Transport: delivery.Lean},
		Load:        LoadSpec{Model: Closed, Operation: Deliver, Workers: 32},
		Repetitions: 10,
		Warmup:      1,
		Profiled:    1,
		Seed:        1,
	}
}

// config is the client's configuration.
func (s ClientSpec) config() delivery.Config {
	cfg := delivery.Config{
		Transport: s.Transport,
		Timeouts: delivery.Timeouts{
			Dial: s.DialTimeout.Std(), Answer: s.AnswerTimeout.Std(), Total: s.TotalTimeout.Std(),
		},
		Retry:   delivery.Retry{MaxAttempts: s.MaxAttempts, Base: s.RetryBase.Std(), Cap: s.RetryCap.Std(), GoodReads: s.GoodReads, Poll: s.Poll.Std(), PollFor: s.PollFor.Std()},
		MaxIdle: s.MaxIdle,
	}
	if s.Defaults != Shipped {
		cfg.Budget, cfg.Breaker = delivery.RetryBudget{Off: true}, delivery.Breaker{Failures: -1}
	}
	return cfg
}
