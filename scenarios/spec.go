// Package scenarios defines what a scenario is: which fleet, which artifact, which client, which
// load, how many repetitions, and what must hold.
//
// What goes in: YAML, from a file or the catalog, or a [Spec] made in code. What comes out: a
// [Spec] that is valid, or every mistake in it with its line and column. The same fields make the
// JSON Schema, --set and the command's flags.
//
// [Parse] reads the text of a file into a tree with positions, follows what it extends, binds each
// key to its field, and checks the whole. [Find] and [ExpandSuite] do so for a name of the catalog
// and for a suite. This package measures nothing: package runner does.
package scenarios

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Spec is a scenario: which fleet, which artifact, which client, which load, and how many
// repetitions. In YAML every key is optional except for the name; a field that is left out has the
// value in Default. The table of fields says what each is, with its unit and bounds;
// docs/reference/scenario.md is made from it.
type Spec struct {
	Name        string `yaml:"name" json:"name"`               // part of benchmark names
	Description string `yaml:"description" json:"description"` // the question that the scenario answers

	// Suite lists scenarios that are run instead, one after another: names, or paths of files
	// relative to this one.
	Suite []string `yaml:"suite,omitempty" json:"suite,omitempty"`

	Fleet    FleetSpec    `yaml:"fleet" json:"fleet"`
	Artifact ArtifactSpec `yaml:"artifact" json:"artifact"`
	Client   ClientSpec   `yaml:"client" json:"client"`
	Load     LoadSpec     `yaml:"load" json:"load"`

	Thresholds []Threshold `yaml:"thresholds,omitempty" json:"thresholds,omitempty"` // what must hold, or the run fails

	Repetitions int      `yaml:"repetitions" json:"repetitions"`                   // how many are timed and recorded
	Warmup      int      `yaml:"warmup" json:"warmup"`                             // how many come before them and are discarded
	Profiled    int      `yaml:"profiled" json:"profiled"`                         // how many come after them, profiled and not timed
	SlowTrace   Duration `yaml:"slow_trace,omitempty" json:"slow_trace,omitempty"` // operations of profiled repetitions that are slower leave a trace

	Seed uint64 `yaml:"seed" json:"seed"` // seeds the artifact, the devices' behavior and the retries' jitter

	Shard ShardSpec `yaml:"shard,omitzero" json:"shard,omitzero"` // the part of devices and operations that a run does
}

// FleetSpec says which devices there are.
type FleetSpec struct {
	Devices    int               `yaml:"devices" json:"devices"` // at least 1; the largest number depends on the addressing
	Addressing address.Mode      `yaml:"addressing" json:"addressing"`
	Behavior   behavior.Behavior `yaml:"behavior" json:"behavior"` // of the devices that are in no group
	Groups     []behavior.Group  `yaml:"groups,omitempty" json:"groups,omitempty"`
	Capacity   Rate              `yaml:"capacity,omitempty" json:"capacity,omitempty"` // of all devices together
	TLS        behavior.TLSMode  `yaml:"tls,omitempty" json:"tls,omitempty"`
}

// ArtifactSpec says what is pushed.
type ArtifactSpec struct {
	Size    Bytes  `yaml:"size" json:"size"`       // of the artifact made from the seed: 1B to 1TiB. Not used with a file
	File    string `yaml:"file" json:"file"`       // a real file instead
	Version string `yaml:"version" json:"version"` // of the update; empty: the harness chooses
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
	MaxIdle       int                `yaml:"max_idle" json:"max_idle"`
	ConfirmReads  int                `yaml:"good_reads,omitempty" json:"good_reads,omitempty"` // confirmations in a row before a delivery counts
	PollInterval  Duration           `yaml:"poll,omitempty" json:"poll,omitempty"`             // between two version requests
	PollTimeout   Duration           `yaml:"poll_for,omitempty" json:"poll_for,omitempty"`
	Defaults      Defaults           `yaml:"defaults,omitempty" json:"defaults,omitempty"`
	Headers       []Header           `yaml:"headers,omitempty" json:"headers,omitempty"` // sent with every request
	CA            string             `yaml:"ca,omitempty" json:"ca,omitempty"`           // a file in PEM

	// Command is a program with its arguments that is the client, instead of the one of this program.
	// The other fields from here on need one.
	Command     []string `yaml:"command,omitempty" json:"command,omitempty"`
	Directory   string   `yaml:"directory,omitempty" json:"directory,omitempty"` // where it runs; empty: the current one
	Processes   int      `yaml:"processes,omitempty" json:"processes,omitempty"`
	Concurrency int      `yaml:"concurrency,omitempty" json:"concurrency,omitempty"` // operations at the same time in each process
	Deadline    Duration `yaml:"deadline,omitempty" json:"deadline,omitempty"`       // for one operation
	Pprof       string   `yaml:"pprof,omitempty" json:"pprof,omitempty"`             // where the program serves profiles

	Service ServiceSpec `yaml:"service,omitzero" json:"service,omitzero"`
}

// IsOutside reports whether the client is outside the program that drives it: in processes of its
// own, or a service.
func (s ClientSpec) IsOutside() bool { return len(s.Command) > 0 || !s.Service.IsZero() }

// PprofPlaceholder stands in the words of a client's command for an address of the loopback
// interface, another for each process, at which the process is to serve its profiles.
const PprofPlaceholder = "{pprof}"

// ServesProfiles reports whether the processes of the command serve profiles.
func (s ClientSpec) ServesProfiles() bool { return s.Pprof != "" || s.tellsAddresses() }

// tellsAddresses reports whether the command has the [PprofPlaceholder].
func (s ClientSpec) tellsAddresses() bool {
	return slices.ContainsFunc(s.Command, func(word string) bool { return strings.Contains(word, PprofPlaceholder) })
}

// WithProcessDefaults returns the client with defaults for the fields of a command that are 0. It
// returns a client without a command unchanged.
func (s ClientSpec) WithProcessDefaults() ClientSpec {
	if len(s.Command) > 0 {
		s.Processes, s.Concurrency = cmp.Or(s.Processes, 1), cmp.Or(s.Concurrency, 1)
		s.Deadline = cmp.Or(s.Deadline, defaultDeadline)
	}
	return s
}

// Header is a header field that the client sends. Its value is in the scenario or, if it is a
// secret, in an environment variable that the scenario names, so that it is written nowhere.
type Header struct {
	Name  string `yaml:"name" json:"name"`
	Value string `yaml:"value,omitempty" json:"value,omitempty"`
	Env   string `yaml:"env,omitempty" json:"env,omitempty"` // the variable that holds the value
}

// Defaults says whether the client keeps its defaults that depend on the clock, and thus not on the
// seed alone.
type Defaults string

// Shipped gives the client the retry budget and the breaker that it has by default. Otherwise a
// scenario's client has neither, so that the seed alone determines how often a device is tried.
const Shipped Defaults = "shipped"

// Default returns the values of the fields that a scenario leaves out. They are those of the
// catalog's scenario rollout, except for its name.
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

// Config returns the client's configuration.
func (s ClientSpec) Config() delivery.Config {
	cfg := delivery.Config{
		Transport: s.Transport,
		Timeouts: delivery.Timeouts{
			Dial: s.DialTimeout.Std(), Answer: s.AnswerTimeout.Std(), Total: s.TotalTimeout.Std(),
		},
		Retry: delivery.Retry{
			MaxAttempts: s.MaxAttempts, Base: s.RetryBase.Std(), Cap: s.RetryCap.Std(), GoodReads: s.ConfirmReads,
			Poll: s.PollInterval.Std(), PollFor: s.PollTimeout.Std(),
		},
		MaxIdle: s.MaxIdle,
	}
	if s.Defaults != Shipped {
		cfg.Budget, cfg.Breaker = delivery.RetryBudget{Off: true}, delivery.Breaker{Failures: -1}
	}
	return cfg
}

// LoadSpec says which operation is done, by how many workers, and when each operation begins.
type LoadSpec struct {
	Model     Model       `yaml:"model" json:"model"`
	Operation delivery.Op `yaml:"operation" json:"operation"`
	Workers   int         `yaml:"workers" json:"workers"`   // operations at the same time, at most
	Rate      Rate        `yaml:"rate" json:"rate"`         // at which operations begin
	Duration  Duration    `yaml:"duration" json:"duration"` // 0: until every device had the operation once

	// Drain is how long after the plan's end operations may be sent and may end. 0 means 30 s, and
	// that an open load which is certain to be behind its plan sends no more.
	Drain Duration `yaml:"drain,omitempty" json:"drain,omitempty"`

	// MaxSkew is how far apart the agents of a merged run may begin a repetition. 0 means 50 ms.
	MaxSkew Duration `yaml:"max_skew,omitempty" json:"max_skew,omitempty"`

	Think      random.Duration `yaml:"think,omitzero" json:"think,omitzero"` // how long a worker waits after each operation
	Arrivals   Arrivals        `yaml:"arrivals,omitempty" json:"arrivals,omitempty"`
	Ramp       RampSpec        `yaml:"ramp,omitzero" json:"ramp,omitzero"`
	Spike      SpikeSpec       `yaml:"spike,omitzero" json:"spike,omitzero"`
	Burst      BurstSpec       `yaml:"burst,omitzero" json:"burst,omitzero"`
	Stages     []StageSpec     `yaml:"stages,omitempty" json:"stages,omitempty"`
	Breakpoint BreakpointSpec  `yaml:"breakpoint,omitzero" json:"breakpoint,omitzero"`
	Rollout    RolloutSpec     `yaml:"rollout,omitzero" json:"rollout,omitzero"`
}

// A Model decides when the operations of a load begin.
type Model string

// The load models. In a closed model a worker begins its next operation when its last one has
// ended. In an open model operations are planned, whether or not the ones before them have ended,
// and response times count from when they were planned. ClosedLoop, Once, Rollout and Service are
// closed, the others open.
const (
	ClosedLoop   Model = "closed"     // each worker begins its next operation when its last one has ended, after think
	Once         Model = "once"       // closed, and ends when every device had the operation once
	ConstantRate Model = "constant"   // at a constant rate, evenly spaced
	Poisson      Model = "poisson"    // at a constant rate, with independent (Poisson) arrivals
	RampingRate  Model = "ramp"       // at a rate that rises or falls linearly
	Stages       Model = "stages"     // at one rate after another
	Spike        Model = "spike"      // at a constant rate, and for a while at another
	Burst        Model = "burst"      // many at once, again and again
	Breakpoint   Model = "breakpoint" // searches for the highest constant rate at which the thresholds hold
	Rollout      Model = "rollout"    // the client's own rollout, in waves
	Service      Model = "service"    // a service's own rollout, which is triggered once
)

// Arrivals says how the operations of an open model are spaced.
type Arrivals string

// The kinds of arrivals.
const (
	EvenArrivals    Arrivals = "even"    // as far apart as the rate says
	PoissonArrivals Arrivals = "poisson" // a Poisson process of that rate
)

// RampSpec configures a rate that changes linearly from load.rate to another one over
// load.duration.
type RampSpec struct {
	To Rate `yaml:"to" json:"to"` // may be 0/s
}

// SpikeSpec configures a period in which the rate differs from load.rate.
type SpikeSpec struct {
	Rate Rate     `yaml:"rate" json:"rate"` // may be 0/s
	At   Duration `yaml:"at" json:"at"`     // when it begins, from the start of the load
	For  Duration `yaml:"for" json:"for"`   // how long it lasts
}

// BurstSpec configures bursts, in which many operations begin at once.
type BurstSpec struct {
	Size  int      `yaml:"size" json:"size"`   // operations
	Every Duration `yaml:"every" json:"every"` // from one burst to the next; 0: there is one
}

// StageSpec configures a period with a constant rate, or with one that changes linearly.
type StageSpec struct {
	Rate Rate     `yaml:"rate" json:"rate"`                 // at its beginning
	To   *Rate    `yaml:"to,omitempty" json:"to,omitempty"` // at its end; left out: the same
	For  Duration `yaml:"for" json:"for"`                   // how long it lasts
}

// BreakpointSpec configures a search for the highest rate that holds, from load.rate upwards.
type BreakpointSpec struct {
	To            Rate         `yaml:"to" json:"to"`         // the highest rate that is tried
	TrialDuration Duration     `yaml:"probe" json:"probe"`   // how long each rate is tried
	Tolerance     random.Share `yaml:"within" json:"within"` // how exactly the limit is found, relative to it
}

// WithDefaults returns the search with defaults for the fields that are 0.
func (b BreakpointSpec) WithDefaults() BreakpointSpec {
	b.TrialDuration, b.Tolerance = cmp.Or(b.TrialDuration, defaultTrialDuration), cmp.Or(b.Tolerance, defaultTolerance)
	return b
}

// RolloutSpec configures the rollout model: the client's own rollout over the whole fleet, by
// load.workers workers, and at no more than load.rate operations per second if that is set.
type RolloutSpec struct {
	Waves        []WaveSpec   `yaml:"waves,omitempty" json:"waves,omitempty"`
	AbortShare   random.Share `yaml:"abort_share,omitempty" json:"abort_share,omitempty"` // this share of failures among a wave's finished devices stops the rollout
	AbortMinimum int          `yaml:"abort_least,omitempty" json:"abort_least,omitempty"` // devices that must have finished
	Requeue      RequeueSpec  `yaml:"requeue,omitzero" json:"requeue,omitzero"`           // of devices that failed
}

// RequeueSpec configures how often devices that failed are tried again.
type RequeueSpec struct {
	Turns int      `yaml:"turns,omitempty" json:"turns,omitempty"` // 0: the client's own default; -1: none
	After Duration `yaml:"after,omitempty" json:"after,omitempty"` // before the first of them; 0: the client's own default
}

// WaveSpec is a step of a rollout.
type WaveSpec struct {
	Share random.Share `yaml:"share" json:"share"`                   // of the fleet that has been reached at its end
	Soak  Duration     `yaml:"soak,omitempty" json:"soak,omitempty"` // how long to wait after the wave
}

// IsZero reports whether nothing is configured. Files then leave the field out.
func (s RolloutSpec) IsZero() bool {
	return len(s.Waves) == 0 && s.AbortShare == 0 && s.AbortMinimum == 0 && s.Requeue == RequeueSpec{}
}

// Operations lists the operations that are measured, in the order of reports.
func (l LoadSpec) Operations() []delivery.Op {
	if l.Operation == delivery.OpDeliver {
		return []delivery.Op{delivery.OpPush, delivery.OpVerify, delivery.OpDeliver}
	}
	return []delivery.Op{l.Operation}
}

// IsOpen reports whether the model is an open one, which plans when operations begin, whether or
// not the ones before them have ended.
func (l LoadSpec) IsOpen() bool {
	switch l.Model {
	case ConstantRate, Poisson, RampingRate, Stages, Spike, Burst, Breakpoint:
		return true
	}
	return false
}

// TotalDuration returns how long the load goes on. It returns 0 if it ends when every device had
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

// ForModel returns the load without the settings that model m doesn't use. The result keeps its own
// model.
func (l LoadSpec) ForModel(m Model) LoadSpec {
	of := l
	of.Model = m
	if !m.valid() {
		return l
	}
	v := reflect.ValueOf(&l).Elem()
	for _, f := range sections()[v.Type()].fields {
		if !f.usedBy(m) {
			v.Field(f.index).SetZero()
		}
	}
	if of.Workers == 0 && !of.IsOpen() && m != Service { // only open models start workers as needed
		l.Workers = closedWorkers
	}
	return l
}

func (m Model) valid() bool { return slices.Contains(models(), m) }

func models() []Model {
	return []Model{ClosedLoop, Once, ConstantRate, Poisson, RampingRate, Stages, Spike, Burst, Breakpoint, Rollout, Service}
}

// Numbers of workers if load.workers isn't set.
const (
	closedWorkers    = 32   // of a closed load
	firstAutoWorkers = 32   // of an open load at first
	mostAutoWorkers  = 4096 // of an open load at most
)

// WorkerRange returns how many workers a load begins with, and how many it may have at most. They
// differ if an open load starts a worker whenever an operation is due and none is free.
func (l LoadSpec) WorkerRange() (first, most int) {
	switch {
	case l.Model == Service: // nothing is sent from here
		return 1, 1
	case l.Workers > 0:
		return l.Workers, l.Workers
	case l.IsOpen():
		return firstAutoWorkers, mostAutoWorkers
	}
	return closedWorkers, closedWorkers
}

// AutoWorkers reports whether an open load starts as many workers as it needs.
func (l LoadSpec) AutoWorkers() bool { return l.Workers == 0 && l.IsOpen() }

// defaultDrain is how long operations may go on after the plan's end if load.drain isn't set. The
// default of k6's gracefulStop is the same.
const defaultDrain = Duration(30 * time.Second)

// DrainTime returns how long after the plan's end operations may go on.
func (l LoadSpec) DrainTime() time.Duration { return cmp.Or(l.Drain, defaultDrain).Std() }

// defaultMaxSkew is how far apart agents may begin if load.max_skew isn't set. Machines that do
// nothing else begin within a millisecond.
const defaultMaxSkew = Duration(50 * time.Millisecond)

// MaxSkewTime returns how far apart agents may begin a repetition.
func (l LoadSpec) MaxSkewTime() time.Duration { return cmp.Or(l.MaxSkew, defaultMaxSkew).Std() }

// Drains reports whether operations may still be running or due when the load's plan ends. It
// returns false for a load that ends with its last operation.
func (l LoadSpec) Drains() bool {
	switch l.Model {
	case Once, Rollout, Service:
		return false
	case ClosedLoop:
		return l.Duration > 0
	case Burst:
		return l.Burst.Every > 0
	}
	return true
}

// FleetConfig returns the configuration of the fleet that a scenario asks for, or of its shard of
// that. Ask [Spec.Part] for it, so that the shards together have the capacity of the whole.
func (s Spec) FleetConfig() mockfleet.Config {
	return mockfleet.Config{
		Devices: s.Fleet.Devices, Shard: s.Shard.Fleet(), Addressing: s.Addressing(), Seed: s.Seed,
		Behavior: s.Fleet.Behavior, Groups: s.Fleet.Groups, TLS: s.Fleet.TLS, Capacity: float64(s.Fleet.Capacity),
	}
}

// Addressing returns how devices are addressed. If the scenario leaves it out, that is the system's
// default.
func (s Spec) Addressing() address.Mode {
	return cmp.Or(s.Fleet.Addressing, address.DefaultMode())
}
