package scenarios

import (
	"cmp"
	"reflect"
	"slices"
	"time"

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
	ConfirmReads  int                `yaml:"good_reads,omitempty" json:"good_reads,omitempty"` // answers in a row by which a delivery counts; 0: the client's own default
	PollInterval  Duration           `yaml:"poll,omitempty" json:"poll,omitempty"`             // between two looks at a device that installs
	PollTimeout   Duration           `yaml:"poll_for,omitempty" json:"poll_for,omitempty"`     // how long it is looked at
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
		Load:        LoadSpec{Model: ClosedLoop, Operation: delivery.OpDeliver, Workers: 32},
		Repetitions: 10,
		Warmup:      1,
		Profiled:    1,
		Seed:        1,
	}
}

// Config is the client's configuration.
func (s ClientSpec) Config() delivery.Config {
	cfg := delivery.Config{
		Transport: s.Transport,
		Timeouts: delivery.Timeouts{
			Dial: s.DialTimeout.Std(), Answer: s.AnswerTimeout.Std(), Total: s.TotalTimeout.Std(),
		},
		Retry:   delivery.Retry{MaxAttempts: s.MaxAttempts, Base: s.RetryBase.Std(), Cap: s.RetryCap.Std(), GoodReads: s.ConfirmReads, Poll: s.PollInterval.Std(), PollFor: s.PollTimeout.Std()},
		MaxIdle: s.MaxIdle,
	}
	if s.Defaults != Shipped {
		cfg.Budget, cfg.Breaker = delivery.RetryBudget{Off: true}, delivery.Breaker{Failures: -1}
	}
	return cfg
}

// LoadSpec says who asks for what, when.
type LoadSpec struct {
	Model     Model       `yaml:"model" json:"model"`
	Operation delivery.Op `yaml:"operation" json:"operation"`
	Workers   int         `yaml:"workers" json:"workers"`   // operations at the same time, at most: 1 to 65536; 0, of an open model: as many as it takes, up to mostAutoWorkers
	Rate      Rate        `yaml:"rate" json:"rate"`         // of the open models: at which they begin, and all of constant and poisson
	Duration  Duration    `yaml:"duration" json:"duration"` // 0: until every device had the operation once

	// Drain is how long after the plan's end operations may be sent and may end. 0: an open load
	// that is certain to be behind its plan sends no more, and what is under way has DefaultDrain.
	Drain Duration `yaml:"drain,omitempty" json:"drain,omitempty"`

	Think      mockfleet.Distribution `yaml:"think,omitzero" json:"think,omitzero"`         // closed: how long a worker waits after each operation
	Arrivals   Arrivals               `yaml:"arrivals,omitempty" json:"arrivals,omitempty"` // ramp, spike and stages: even or poisson; empty: even
	Ramp       RampSpec               `yaml:"ramp,omitzero" json:"ramp,omitzero"`
	Spike      SpikeSpec              `yaml:"spike,omitzero" json:"spike,omitzero"`
	Burst      BurstSpec              `yaml:"burst,omitzero" json:"burst,omitzero"`
	Stages     []StageSpec            `yaml:"stages,omitempty" json:"stages,omitempty"`
	Breakpoint BreakpointSpec         `yaml:"breakpoint,omitzero" json:"breakpoint,omitzero"`
	Rollout    RolloutSpec            `yaml:"rollout,omitzero" json:"rollout,omitzero"`
}

// Model is how load comes.
type Model string

// The load models. In a closed model workers wait for the answers; in the others, which
// are open, operations are planned whether or not the ones before them ended, and
// response times count from when they were planned.
const (
	ClosedLoop   Model = "closed"     // each worker begins its next operation when its last one ended, and has thought
	Once         Model = "once"       // closed, until every device had the operation once
	ConstantRate Model = "constant"   // at a constant rate, evenly spaced
	Poisson      Model = "poisson"    // at a constant rate, as callers come that know nothing of each other
	RampingRate  Model = "ramp"       // at a rate that rises or falls evenly
	Stages       Model = "stages"     // at one rate after another
	Spike        Model = "spike"      // at a constant rate, but for a while at another
	Burst        Model = "burst"      // many at once, again and again
	Breakpoint   Model = "breakpoint" // searches the highest constant rate that still holds the thresholds
	Rollout      Model = "rollout"    // the client's own rollout, in waves
)

// Arrivals is how the operations of an open model lie in time.
type Arrivals string

// The ways of arriving.
const (
	EvenArrivals    Arrivals = "even"    // as far apart as the rate says
	PoissonArrivals Arrivals = "poisson" // a Poisson process of that rate
)

// RampSpec is where a rate goes that begins at load.rate, over load.duration.
type RampSpec struct {
	To Rate `yaml:"to" json:"to"` // may be 0/s
}

// SpikeSpec is a while at another rate than load.rate.
type SpikeSpec struct {
	Rate Rate     `yaml:"rate" json:"rate"` // may be 0/s
	At   Duration `yaml:"at" json:"at"`     // when it begins
	For  Duration `yaml:"for" json:"for"`   // how long it lasts
}

// BurstSpec is many operations at once.
type BurstSpec struct {
	Size  int      `yaml:"size" json:"size"`   // operations
	Every Duration `yaml:"every" json:"every"` // from one burst to the next; 0: there is one
}

// StageSpec is a while at a rate, which may change evenly over it.
type StageSpec struct {
	Rate Rate     `yaml:"rate" json:"rate"`                 // at its beginning
	To   *Rate    `yaml:"to,omitempty" json:"to,omitempty"` // at its end; left out: the same
	For  Duration `yaml:"for" json:"for"`                   // how long it lasts
}

// BreakpointSpec is a search from load.rate upwards.
type BreakpointSpec struct {
	To            Rate            `yaml:"to" json:"to"`         // the highest rate that is tried
	TrialDuration Duration        `yaml:"probe" json:"probe"`   // how long each rate is tried
	Tolerance     mockfleet.Share `yaml:"within" json:"within"` // how exactly the limit is wanted, of itself
}

// WithDefaults returns the search with the defaults of what is left out.
func (b BreakpointSpec) WithDefaults() BreakpointSpec {
	b.TrialDuration, b.Tolerance = cmp.Or(b.TrialDuration, defaultTrialDuration), cmp.Or(b.Tolerance, defaultTolerance)
	return b
}

// Operations lists the operations that are measured, in the order of reports.
func (l LoadSpec) Operations() []delivery.Op {
	if l.Operation == delivery.OpDeliver {
		return []delivery.Op{delivery.OpPush, delivery.OpVerify, delivery.OpDeliver}
	}
	return []delivery.Op{l.Operation}
}

// IsOpen reports whether the model is an open one: whether there is a plan.
func (l LoadSpec) IsOpen() bool {
	return l.Model != ClosedLoop && l.Model != Once && l.Model != Rollout
}

// Planned reports whether operations are planned, whether or not the ones before them ended.
func (l LoadSpec) Planned() bool { return l.valid() && l.IsOpen() }

// TotalDuration returns how long the load goes on. It returns 0 if that is until every device had
// the operation once.
func (l LoadSpec) TotalDuration() time.Duration {
	if l.Model != Stages {
		return l.Duration.Std()
	}
	var sum time.Duration
	for _, s := range l.Stages {
		sum += s.For.Std()
	}
	return sum
}

// ForModel returns the load without what it would be a mistake to have in a load of model m. Its
// own model stays.
func (l LoadSpec) ForModel(m Model) LoadSpec {
	of := l
	of.Model = m
	if !of.valid() {
		return l
	}
	v := reflect.ValueOf(&l).Elem()
	for _, f := range sections()[v.Type()].fields {
		if !f.usedBy(m) {
			v.Field(f.index).SetZero()
		}
	}
	if of.Workers == 0 && !of.IsOpen() { // as many as it takes is a number of the open models'
		l.Workers = closedWorkers
	}
	return l
}

func (l LoadSpec) valid() bool { return l.Model.valid() }

func (m Model) valid() bool { return slices.Contains(models(), m) }

func models() []Model {
	return []Model{ClosedLoop, Once, ConstantRate, Poisson, RampingRate, Stages, Spike, Burst, Breakpoint, Rollout}
}

// FleetConfig is the configuration of the fleet that a scenario asks for.
func (s Spec) FleetConfig() mockfleet.Config {
	return mockfleet.Config{
		Devices: s.Fleet.Devices, Addressing: s.Addressing(), Seed: s.Seed, Behavior: s.Fleet.Behavior, Groups: s.Fleet.Groups, TLS: s.Fleet.TLS, Capacity: float64(s.Fleet.Capacity),
	}
}

// Addressing returns how devices are addressed, by the system's default if the scenario leaves it
// out.
func (s Spec) Addressing() mockfleet.Addressing {
	return cmp.Or(s.Fleet.Addressing, mockfleet.DefaultAddressing())
}
