package results

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// RunSchema is the version of run.json. A reader refuses a later one. Adding a field needs no new
// version; changing the meaning of one does.
const RunSchema = 1

// A Run is the content of run.json: everything about a run except its samples. It is written when
// the run begins and again after each repetition, so it may describe a run that never ended.
type Run struct {
	Schema   int    `json:"schema"`   // version of this form; a run directory sets it
	ID       string `json:"id"`       // the end of the directory's name
	Scenario string `json:"scenario"` // its name

	// Spec is the whole resolved scenario. It must hold no secrets.
	Spec json.RawMessage `json:"spec,omitempty"`

	// WorkloadDigest names the work: two runs with equal digests did comparable work. An empty
	// digest equals no other.
	WorkloadDigest string `json:"workload_digest"`

	Command  string  `json:"command,omitempty"` // repeats the run
	Seed     uint64  `json:"seed"`              // of the scenario
	Machine  Machine `json:"machine"`           // of the driver
	Revision string  `json:"revision"`          // of the source, as in version control

	Started  time.Time `json:"started"`           // UTC
	Finished time.Time `json:"finished,omitzero"` // UTC; none while it runs

	Status      Status `json:"status"`      // running, finished, interrupted, failed or aborted
	Repetitions int    `json:"repetitions"` // completed timed ones

	Valid       bool      `json:"valid"`              // whether the figures can be believed
	Invalid     []string  `json:"invalid,omitempty"`  // why not, a sentence each
	Findings    []Finding `json:"findings,omitempty"` // the reasons in Invalid by kind; nil in old runs
	Notes       []string  `json:"notes,omitempty"`    // about the figures, a sentence each
	Unconfirmed bool      `json:"clients_word_only"`  // no ledger confirms the client's claims

	Counts           Counts        `json:"counts"`                      // the worst of each over the timed and profiled repetitions
	RepetitionCounts []Counts      `json:"repetition_counts,omitempty"` // of each repetition in Counts
	Outcomes         []string      `json:"outcomes,omitempty"`          // of each repetition in Counts, a digest of what became of each device; nil without a ledger, and for a service
	Operations       []Operations  `json:"operations,omitempty"`        // of the timed repetitions
	Rollouts         []Rollout     `json:"rollouts,omitempty"`          // of the timed repetitions of a rollout
	Groups           []Group       `json:"groups,omitempty"`            // of the timed repetitions, of a fleet with groups
	Fleet            FleetHealth   `json:"fleet"`                       // whether the fleet kept up with the load
	Harness          HarnessHealth `json:"harness"`                     // whether the driver kept to its plan
	Client           Client        `json:"client,omitzero"`             // the delivery client that was driven
	Transport        string        `json:"transport"`                   // of the client: lean or nethttp; none of another module's
	Addressing       string        `json:"addressing"`                  // of the fleet: ip, port or path
	Verdict          Verdict       `json:"verdict,omitempty"`           // as judged when the run ended

	Thresholds []ThresholdOutcome `json:"thresholds,omitempty"` // of a run that finished or was aborted

	// Agents is what the agents of a merged run did. It is nil for a run of one process.
	Agents *Agents `json:"agents,omitempty"`

	// Partial is the repetition that was broken off; nil if there is none.
	Partial *Partial `json:"partial,omitempty"`

	// FileLengths is how many bytes of each growing file belong to the repetitions that this Run
	// counts. A run directory sets it. It is nil in old runs.
	FileLengths map[string]int64 `json:"lengths,omitempty"`
}

// Status says how far a run got.
type Status string

// The states of a run. One that still says "running" after its process ended was killed.
const (
	StatusRunning     Status = "running"
	StatusFinished    Status = "finished"
	StatusInterrupted Status = "interrupted"
	StatusFailed      Status = "failed"
	StatusAborted     Status = "aborted" // a threshold with abort failed, and ended it early
)

// Client identifies a delivery client.
type Client struct {
	Name    string `json:"name"`              // a word
	Package string `json:"package"`           // import path of its type
	Version string `json:"version,omitempty"` // of its module, if that isn't the program's own; of a program, as it says

	// Command is the program that is the client, with its arguments, or nil. Package is then
	// "command:" and its name, or "service:" and its name if it updates all devices by itself.
	Command []string `json:"command,omitempty"`
}

// IsService reports whether the client updates all devices by itself, so that no operation of it is
// timed.
func (c Client) IsService() bool { return strings.HasPrefix(c.Package, "service:") }

// Counts are the outcomes of devices, after the client's claims were reconciled with the fleet's
// ledger.
type Counts struct {
	Devices      int `json:"devices"`       // of the fleet
	Updated      int `json:"updated"`       // run the new version, as the ledger confirms
	Failed       int `json:"failed"`        // no operation succeeded, as the client says
	Lost         int `json:"lost"`          // the client says updated, and the ledger doesn't
	AppliedTwice int `json:"applied_twice"` // applied one update more than once
}

// String returns a line: "5000 devices, 4990 updated, 10 failed, 0 lost, 0 applied twice".
func (c Counts) String() string {
	return fmt.Sprintf("%s, %d updated, %d failed, %d lost, %d applied twice",
		plaintext.Count(c.Devices, "device"), c.Updated, c.Failed, c.Lost, c.AppliedTwice)
}

// A Finding is a reason why a run's figures can't be believed, with a kind that programs can act
// on. Package scenarios/health defines the kinds.
type Finding struct {
	Kind   string `json:"kind"`
	Detail string `json:"detail"` // the sentence in Run.Invalid, without its first words, which Kind determines
}

// FleetHealth says whether the simulated fleet kept up with the load.
type FleetHealth struct {
	CPUFraction       float64 `json:"cpu_fraction"`        // processor time, of all cores, 0 to 1
	Saturated         bool    `json:"saturated"`           // the fleet was the bottleneck, so the run is invalid
	PeakResidentBytes uint64  `json:"peak_resident_bytes"` // largest resident memory
	WakeP90NS         int64   `json:"wake_p90_ns"`         // how late it read what had arrived, 90th percentile, nanoseconds
	LateAnswers       uint64  `json:"late_answers"`        // delayed answers that left over 50 ms late, in one repetition
	AcceptQueuePeak   int     `json:"accept_queue_peak"`   // connections that waited to be accepted, sampled every 20 ms
	Descriptors       int     `json:"descriptors"`         // open at the end of a repetition; 0 if unknown
}

// HarnessHealth says whether the driver kept to its plan.
type HarnessHealth struct {
	CPUFraction       float64 `json:"cpu_fraction"`        // processor time, of all cores, 0 to 1
	LatenessP99NS     int64   `json:"lateness_p99_ns"`     // planned to sent, 99th percentile, nanoseconds
	GCCPUFraction     float64 `json:"gc_cpu_fraction"`     // garbage collection, of the driver's processor time, 0 to 1
	PeakResidentBytes uint64  `json:"peak_resident_bytes"` // largest resident memory
	Dials             uint64  `json:"dials,omitempty"`     // most connections that the client opened, or tried to, in a timed repetition

	// Saturated reports whether the driver, rather than the client or the fleet, limited the load.
	// The run is invalid then.
	Saturated bool `json:"saturated,omitempty"`

	// Pacing is how well the plan of an open load was kept. It is nil for a closed load, which has
	// none.
	Pacing *Pacing `json:"pacing,omitempty"`

	Descriptors     int    `json:"descriptors,omitempty"`      // most that were open at the end of a timed repetition; 0 if unknown
	DescriptorLimit uint64 `json:"descriptor_limit,omitempty"` // how many may be open; 0 if unknown

	// Ports describes the local ports of the driver's machine or container. It is nil if unknown.
	Ports *LocalPorts `json:"ports,omitempty"`

	// ReferenceSpeed is how fast the machine was around the timed repetitions.
	ReferenceSpeed *ReferenceSpeed `json:"yardstick,omitempty"`

	// Interference is how much of the machine others used during the timed repetitions. It is nil
	// if unknown.
	Interference *Interference `json:"interference,omitempty"`

	// Profiling is what profiling cost. It is nil if no repetition was profiled.
	Profiling *Profiling `json:"profiling,omitempty"`
}

// Profiling is the processor time of an operation, in nanoseconds, without and with profiling: the
// medians of the timed and the profiled repetitions. These aren't measured in turns, so the
// difference includes the machine's drift.
type Profiling struct {
	TimedCPUNS    float64 `json:"timed_cpu_ns_per_op"`    // processor time of an operation, without profiling
	ProfiledCPUNS float64 `json:"profiled_cpu_ns_per_op"` // the same, with profiling
	Repetitions   int     `json:"repetitions"`            // profiled ones
}

// NewProfiling returns the medians of the nanoseconds per operation in the timed and in the
// profiled repetitions. There must be at least one of each.
func NewProfiling(timed, profiled []float64) *Profiling {
	return &Profiling{TimedCPUNS: stats.Median(timed), ProfiledCPUNS: stats.Median(profiled), Repetitions: len(profiled)}
}

// Overhead returns how much more processor time profiling took, as a fraction.
func (p Profiling) Overhead() float64 { return p.ProfiledCPUNS/p.TimedCPUNS - 1 }

// Pacing is how well an open load's plan was kept, in the worst of the timed repetitions.
type Pacing struct {
	StarvedFraction    float64 `json:"starved_fraction"`      // operations due while every worker was busy, 0 to 1
	BusyWorkersPeak    int     `json:"busy_workers_peak"`     // workers that were busy at once
	TimerLatenessP99NS int64   `json:"timer_lateness_p99_ns"` // planned to sent if a worker was idle, 99th percentile, nanoseconds
}

// LocalPorts describes the ports that the system gives to outgoing connections. A closed connection
// keeps its port from others to the same address for a minute, in TIME_WAIT (RFC 9293, section
// 3.6.1).
type LocalPorts struct {
	First    int `json:"first"`     // lowest port of an outgoing connection
	Last     int `json:"last"`      // highest
	TimeWait int `json:"time_wait"` // most sockets in TIME_WAIT, to any address, at the end of a timed repetition
}

// String returns a clause: "4711 sockets were in TIME_WAIT, and connections have ports 32768 to
// 60999".
func (p LocalPorts) String() string {
	return fmt.Sprintf("%d sockets were in TIME_WAIT, and connections have ports %d to %d", p.TimeWait, p.First, p.Last)
}

// A Verdict is the outcome of a comparison. There are five. The empty verdict means that nothing
// was judged; a gate never treats it as a pass.
type Verdict string

// The verdicts, worst first. A run has the worst of its metrics' verdicts.
const (
	Invalid      Verdict = "invalid"      // the run contradicts itself; its numbers mean nothing
	Regressed    Verdict = "regressed"    // worse than the baseline by more than its tolerance
	Inconclusive Verdict = "inconclusive" // the samples can't tell
	Improved     Verdict = "improved"     // better by more than the tolerance, and nothing worse
	Pass         Verdict = "pass"         // neither better nor worse
)

// WorseThan reports whether v outweighs other. Every verdict outweighs the empty one.
func (v Verdict) WorseThan(other Verdict) bool { return v.severity() > other.severity() }

// Worst returns the worst of several verdicts. It returns the empty verdict for none.
func Worst(verdicts ...Verdict) (worst Verdict) {
	for _, v := range verdicts {
		if v.WorseThan(worst) {
			worst = v
		}
	}
	return worst
}

// severity returns a verdict's place in the order, from 0 for the empty one to 5 for the worst.
func (v Verdict) severity() int {
	switch v {
	case Invalid:
		return 5
	case Regressed:
		return 4
	case Inconclusive:
		return 3
	case Improved:
		return 2
	case Pass:
		return 1
	}
	return 0
}
