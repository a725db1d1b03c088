package results

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// RunSchema is the version of run.json that this package writes. A reader refuses
// a later one; a field may be added without a new version, never change meaning.
const RunSchema = 1

// A Run is the content of run.json: all that is to know of a run but its samples.
// It is written when the run begins and again as it goes, so it may describe a
// run that never ended.
type Run struct {
	Schema   int    `json:"schema"` // WriteRun sets it to RunSchema
	ID       string `json:"id"`
	Scenario string `json:"scenario"`

	// Spec is the scenario, whole and resolved. Secrets are the writer's to leave
	// out: this package writes what it is given.
	Spec json.RawMessage `json:"spec,omitempty"`

	// WorkloadDigest names the work: two runs with equal digests did comparable
	// work. Empty, it equals no other.
	WorkloadDigest string `json:"workload_digest"`

	Command  string  `json:"command,omitempty"` // how to do this run again
	Seed     uint64  `json:"seed"`
	Machine  Machine `json:"machine"`
	Revision string  `json:"revision"` // of the source, as the version control names it

	Started  time.Time `json:"started"`           // UTC
	Finished time.Time `json:"finished,omitzero"` // UTC; zero while it runs

	Status      Status `json:"status"`
	Repetitions int    `json:"repetitions"` // timed ones that were completed

	Valid           bool     `json:"valid"`
	Invalid         []string `json:"invalid,omitempty"` // why not, a sentence each
	Notes           []string `json:"notes,omitempty"`   // worth knowing beside the figures, a sentence each
	ClientsWordOnly bool     `json:"clients_word_only"` // there was no ledger to reconcile with

	Counts           Counts        `json:"counts"` // of the whole run
	RepetitionCounts []Counts      `json:"repetition_counts,omitempty"`
	Operations       []Operations  `json:"operations,omitempty"` // of the timed repetitions
	Rollouts         []Rollout     `json:"rollouts,omitempty"`   // likewise, of rollouts
	Fleet            FleetHealth   `json:"fleet"`
	Harness          HarnessHealth `json:"harness"`
	Transport        string        `json:"transport"`
	Addressing       string        `json:"addressing"`
	Verdict          Verdict       `json:"verdict,omitempty"`

	Thresholds []ThresholdOutcome `json:"thresholds,omitempty"` // of a run that came to its end

	// Partial is the repetition that an interruption broke off; nil if there is none.
	Partial *Partial `json:"partial,omitempty"`

	// Lengths is how much of the files that grow with the run belongs to what stands
	// here, in bytes. WriteRun sets it; nil in runs of before there was any.
	Lengths map[string]int64 `json:"lengths,omitempty"`
}

// Status says how far a run has come.
type Status string

// The states of a run. A directory that still says "running" after its process
// has gone belongs to a run that was killed.
const (
	StatusRunning     Status = "running"
	StatusFinished    Status = "finished"
	StatusInterrupted Status = "interrupted"
	StatusFailed      Status = "failed"
)

// Counts are outcomes of devices, after the client's claims were reconciled with
// the fleet's ledger.
type Counts struct {
	Devices      int `json:"devices"`
	Updated      int `json:"updated"`       // run the new version, as the ledger confirms
	Failed       int `json:"failed"`        // of which no operation succeeded, by the client's word
	Lost         int `json:"lost"`          // the client said updated, the ledger says not
	AppliedTwice int `json:"applied_twice"` // one update was applied more than once
}

// Add returns the sum of two counts, for shards and repetitions.
func (c Counts) Add(o Counts) Counts {
	return Counts{
		Devices:      c.Devices + o.Devices,
		Updated:      c.Updated + o.Updated,
		Failed:       c.Failed + o.Failed,
		Lost:         c.Lost + o.Lost,
		AppliedTwice: c.AppliedTwice + o.AppliedTwice,
	}
}

// String is one line: "5000 devices, 4990 updated, 10 failed, 0 lost, 0 applied twice".
func (c Counts) String() string {
	return fmt.Sprintf("%s, %d updated, %d failed, %d lost, %d applied twice", plaintext.Count(c.Devices, "device"), c.Updated, c.Failed, c.Lost, c.AppliedTwice)
}

// FleetHealth says whether the simulated fleet kept up with the load.
type FleetHealth struct {
	CPUFraction       float64 `json:"cpu_fraction"` // of all cores, 0 to 1
	Saturated         bool    `json:"saturated"`    // the fleet was the bottleneck, so the run is invalid
	PeakResidentBytes uint64  `json:"peak_resident_bytes"`
	WakeP90NS         int64   `json:"wake_p90_ns"`       // how late it looked at what had come, 90th percentile, nanoseconds
	LateAnswers       uint64  `json:"late_answers"`      // delayed answers that left over 50 ms after their time, in one repetition
	AcceptQueuePeak   int     `json:"accept_queue_peak"` // connections that waited to be accepted, seen every 20 ms
	Descriptors       int     `json:"descriptors"`       // open at the end of a repetition; 0 where unknown
}

// HarnessHealth says whether the driver kept its plan.
type HarnessHealth struct {
	CPUFraction       float64 `json:"cpu_fraction"`    // of all cores, 0 to 1
	LatenessP99NS     int64   `json:"lateness_p99_ns"` // planned to sent, 99th percentile, nanoseconds
	GCCPUFraction     float64 `json:"gc_cpu_fraction"` // of the driver's processor time, 0 to 1
	PeakResidentBytes uint64  `json:"peak_resident_bytes"`
	Dials             uint64  `json:"dials,omitempty"` // connections that the client opened, or tried to, in a timed repetition: the most

	// Saturated: the driver, rather than the client or the fleet, was what limited the
	// load, so the run is invalid.
	Saturated bool `json:"saturated,omitempty"`

	// Pacing is how the plan of an open load was kept; nil for a closed one, which has none.
	Pacing *Pacing `json:"pacing,omitempty"`

	Descriptors     int    `json:"descriptors,omitempty"`      // open at the end of a timed repetition: the most; 0 where unknown
	DescriptorLimit uint64 `json:"descriptor_limit,omitempty"` // 0 where unknown

	// Ports are the local ports of the driver's machine or container; nil where unknown.
	Ports *LocalPorts `json:"ports,omitempty"`

	// Yardstick is how fast the machine was around the timed repetitions.
	Yardstick *Yardstick `json:"yardstick,omitempty"`

	// Interference is what else the machine did during the timed repetitions; nil
	// where that can't be told.
	Interference *Interference `json:"interference,omitempty"`

	// Profiling is what the profiled repetitions cost beside the timed ones; nil where there were none.
	Profiling *Profiling `json:"profiling,omitempty"`
}

// Profiling is the processor time of an operation, in nanoseconds, that wasn't profiled and that was: the
// medians of the repetitions. They aren't taken by turns, so the machine's mood is in it.
type Profiling struct {
	TimedCPUNS    float64 `json:"timed_cpu_ns_per_op"`
	ProfiledCPUNS float64 `json:"profiled_cpu_ns_per_op"`
	Repetitions   int     `json:"repetitions"` // that were profiled
}

// NewProfiling is of so many nanoseconds an operation, a repetition each; there must be one of either.
func NewProfiling(timed, profiled []float64) *Profiling {
	return &Profiling{TimedCPUNS: stats.Median(timed), ProfiledCPUNS: stats.Median(profiled), Repetitions: len(profiled)}
}

// Overhead is how much more of the processor an operation took where it was profiled, as a fraction.
func (p Profiling) Overhead() float64 { return p.ProfiledCPUNS/p.TimedCPUNS - 1 }

// Pacing is how an open load's plan was kept, by the worst of the timed repetitions.
type Pacing struct {
	StarvedFraction    float64 `json:"starved_fraction"`      // of the operations, 0 to 1: due while every worker was busy
	BusyWorkersPeak    int     `json:"busy_workers_peak"`     // at once
	TimerLatenessP99NS int64   `json:"timer_lateness_p99_ns"` // planned to sent where a worker stood ready, 99th percentile, nanoseconds
}

// LocalPorts are the ports that connections are given which ask for none, and what
// keeps them: a connection that was closed holds its port for the peer's address for a
// minute, in TIME_WAIT (RFC 9293, section 3.6.1).
type LocalPorts struct {
	First    int `json:"first"`
	Last     int `json:"last"`
	TimeWait int `json:"time_wait"` // sockets in TIME_WAIT at the end of a timed repetition, to any address: the most
}

// String is a clause: "4711 sockets were in TIME_WAIT, and connections have ports 32768 to 60999".
func (p LocalPorts) String() string {
	return fmt.Sprintf("%d sockets were in TIME_WAIT, and connections have ports %d to %d", p.TimeWait, p.First, p.Last)
}
