package results

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// Agents is what the agents of a merged run did, each on its own machine or in its own process. All
// figures are of the timed repetitions.
type Agents struct {
	Count   int   `json:"count"`    // of the plan, which has a shard for each
	LeaseNS int64 `json:"lease_ns"` // how long an agent may be silent before it is lost, in nanoseconds

	MaxSkewNS   int64       `json:"max_skew_ns"`   // largest skew with which the run is valid, in nanoseconds; 0 if there is no bound
	SkewNS      int64       `json:"skew_ns"`       // largest skew of all repetitions, in nanoseconds
	SkewErrorNS int64       `json:"skew_error_ns"` // how far off a skew may be, as the clocks are known no better, in nanoseconds
	Starts      []StartSkew `json:"starts"`        // of each repetition that began

	List []Agent `json:"list"` // in the order of their shards
}

// A StartSkew says how far apart the agents really began a repetition: the latest start less the
// earliest, by the controller's clock.
type StartSkew struct {
	Phase      string `json:"phase"`      // of the run: warmup, timed or profiled
	Repetition int    `json:"repetition"` // of the phase, from 1
	SkewNS     int64  `json:"skew_ns"`    // nanoseconds
}

// An Agent is what one agent of a merged run did.
type Agent struct {
	Name      string    `json:"name"`                // unique in the run
	Index     int       `json:"index"`               // of its shard, from 0
	Host      string    `json:"host,omitempty"`      // name of its machine
	Revision  string    `json:"revision,omitempty"`  // of its source, as in version control
	Directory string    `json:"directory,omitempty"` // name of its own run directory, without the path
	Role      AgentRole `json:"role"`                // both, driver or fleet
	CPUs      int       `json:"cpus"`                // processors that it may run on
	Machine   string    `json:"machine,omitempty"`   // the machine's identity; empty if unknown

	ClockOffsetNS int64 `json:"clock_offset_ns"` // its clock less the controller's, in nanoseconds
	ClockErrorNS  int64 `json:"clock_error_ns"`  // how far off that may be, in nanoseconds
	StartLateNS   int64 `json:"start_late_ns"`   // planned to real start, the largest of all repetitions, in nanoseconds

	Devices    int    `json:"devices"`    // of its shard
	Counts     Counts `json:"counts"`     // of its devices
	Operations int64  `json:"operations"` // that ended, in all timed repetitions

	// Rate is how many operations succeeded per second of the window that all agents have in
	// common, the median of the repetitions. It is 0 for an agent that doesn't drive.
	Rate float64 `json:"rate"`
	// PlannedRate is how many operations per second the plan has in the same window. It is 0 for a
	// closed load, which has no plan.
	PlannedRate float64 `json:"planned_rate,omitempty"`

	P50NS         int64   `json:"p50_ns"`          // median response time, of its own histogram of all repetitions; 0 if nothing succeeded
	P99NS         int64   `json:"p99_ns"`          // 99th percentile
	LatenessP99NS int64   `json:"lateness_p99_ns"` // planned to sent, 99th percentile, in nanoseconds; 0 for a closed load
	CPUNSPerOp    float64 `json:"cpu_ns_per_op"`   // processor time of an operation, in nanoseconds; 0 if unknown

	SentPerSecond     float64 `json:"sent_bytes_per_second"`     // what its client wrote; 0 if unknown
	ReceivedPerSecond float64 `json:"received_bytes_per_second"` // what its client read; 0 if unknown

	Status  AgentStatus `json:"status"`            // finished, lost, failed or stopped
	Problem string      `json:"problem,omitempty"` // why it failed or was stopped, a line
	Lost    *AgentLoss  `json:"lost,omitempty"`    // when it was lost; nil if it wasn't
}

// AgentRole says what an agent does.
type AgentRole string

// The roles of an agent.
const (
	RoleBoth   AgentRole = "both"   // drives its shard, and is its fleet
	RoleDriver AgentRole = "driver" // drives its shard
	RoleFleet  AgentRole = "fleet"  // is the fleet of its shard, which another agent drives
)

// Drives reports whether an agent with this role sends requests, so that it has figures. An empty
// role is [RoleBoth].
func (r AgentRole) Drives() bool { return r != RoleFleet }

// AgentStatus says how an agent ended.
type AgentStatus string

// The states of an agent.
const (
	AgentFinished AgentStatus = "finished" // it did all of its shard
	AgentLost     AgentStatus = "lost"     // it said nothing for longer than its lease
	AgentFailed   AgentStatus = "failed"   // it said that it can't go on
	AgentStopped  AgentStatus = "stopped"  // the controller ended it early
)

// An AgentLoss says when the controller lost an agent.
type AgentLoss struct {
	Phase      string    `json:"phase"`                // of the run, such as ready, warmup, timed, profiled or upload
	Repetition int       `json:"repetition,omitempty"` // of the phase, from 1; 0 if it has none
	Time       time.Time `json:"time"`                 // when its lease ended, UTC, by the controller's clock
	SilentNS   int64     `json:"silent_ns"`            // since its last heartbeat, in nanoseconds
}

// String returns a clause: "lost in timed repetition 2 at 03:04:05 UTC, 3s after its last
// heartbeat".
func (l AgentLoss) String() string {
	phase := plaintext.Line(l.Phase)
	if l.Repetition > 0 {
		phase = fmt.Sprintf("%s repetition %d", phase, l.Repetition)
	}
	return fmt.Sprintf("lost in %s at %s UTC, %v after its last heartbeat",
		phase, l.Time.UTC().Format(time.TimeOnly), rounded(time.Duration(l.SilentNS)))
}

// OneMachine reports whether all agents ran on the same machine, so that they shared its
// processors. It returns false for a single agent, and if the machine of one is unknown.
func (a *Agents) OneMachine() bool {
	if len(a.List) < 2 {
		return false
	}
	for _, agent := range a.List {
		if agent.Machine == "" || agent.Machine != a.List[0].Machine {
			return false
		}
	}
	return true
}
