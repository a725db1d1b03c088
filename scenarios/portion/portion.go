// Package portion holds what one agent measured, in a form that can be sent, and adds up what
// several agents measured.
//
// A [Portion] is what an agent measured in one repetition, and an [Interval] what happened in one
// interval of it. Both are JSON. Times are histograms in HdrHistogram's encoding, so that
// percentiles of a merged run come from the counts of all agents, and never from their percentiles.
//
// [Shape.Read] and [Shape.ReadInterval] check that what was received can be right. [Shape.Merge]
// and [Adder.Add] add up what belongs together: histograms bucket by bucket, counts, and sums of
// times. Rates aren't added: who has the sums divides the operations of all by the time that all
// had.
//
// The package doesn't know how anything was measured, how it was sent, or what becomes of it.
package portion

import (
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// A Portion is what an agent measured in one repetition. Devices have their global numbers.
type Portion struct {
	Phase  string `json:"phase"`  // of the repetition: warm-up, timed or profiled
	Number int    `json:"number"` // of the repetition in its phase, from 1

	// Interrupted reports whether the load was broken off, so that the figures are of a part of it.
	Interrupted bool `json:"interrupted,omitempty"`

	// StartLateNS is how long after the common start the agent's load began, in nanoseconds. The agent
	// that sends the portion sets it.
	StartLateNS int64 `json:"start_late_ns"`

	ElapsedNS    int64              `json:"elapsed_ns"` // from the load's start to its last operation's end
	Operations   results.Operations `json:"operations"`
	Retries      int64              `json:"retries"` // attempts after the first
	Workers      int                `json:"workers"` // the most that there could be at once
	InFlightPeak int                `json:"in_flight_peak"`
	MeanBusyNS   int64              `json:"mean_busy_ns"` // how long an operation kept its worker; 0 without a plan

	LongestNS int64     `json:"longest_ns"` // the longest time that the histograms hold
	Times     []Times   `json:"times"`      // of each operation, in the order of load.Operations
	Lateness  *Lateness `json:"lateness,omitempty"`

	FailedTimes []byte           `json:"failed_times"`       // histogram of the response times of failed operations
	Classes     map[string]int64 `json:"classes,omitempty"`  // failed operations by class
	Failures    []Failure        `json:"failures,omitempty"` // a sample of them

	Usage     Usage         `json:"usage"`
	Processes *ProcessUsage `json:"processes,omitempty"` // of the client's processes; nil if the client is in the agent's
	Traffic   *Traffic      `json:"traffic,omitempty"`   // nil if nobody counted it

	NoPort       int64 `json:"no_port"`       // connections that found no free local port
	NoDescriptor int64 `json:"no_descriptor"` // connections that found no free file descriptor

	Counts         results.Counts `json:"counts"`
	Unwitnessed    string         `json:"unwitnessed,omitempty"`    // why no ledger confirms the counts; empty if one does
	Contradictions []string       `json:"contradictions,omitempty"` // only if Interrupted; otherwise one of Findings
	Outcomes       OutcomeDigest  `json:"outcomes,omitzero"`        // zero without a ledger
	Groups         []Group        `json:"groups,omitempty"`         // of a timed repetition of a fleet with groups

	Notes    []string         `json:"notes,omitempty"`
	Findings []health.Finding `json:"findings,omitempty"`

	// Fleet and Harness are nil unless the repetition is a timed one. ReferenceSpeed and Interference
	// of Harness are of all repetitions so far.
	Fleet   *results.FleetHealth   `json:"fleet,omitempty"`
	Harness *results.HarnessHealth `json:"harness,omitempty"`
}

// Times holds the times of the successes of one operation.
type Times struct {
	Op       delivery.Op `json:"op"`
	Count    int64       `json:"count"`
	Overflow int64       `json:"overflow"`          // times beyond the histogram, which has them as its highest
	SumNS    int64       `json:"sum_ns"`            // of response times, in nanoseconds
	Response []byte      `json:"response"`          // histogram
	Service  []byte      `json:"service,omitempty"` // histogram; empty if service times are response times
}

// Lateness says how well the agent's part of the plan was kept; see [load.Lateness].
type Lateness struct {
	Queued        []byte `json:"queued"` // histogram
	Timer         []byte `json:"timer"`  // histogram
	LastPlannedNS int64  `json:"last_planned_ns"`
	LastSentNS    int64  `json:"last_sent_ns"`
}

// A Failure is a failed operation.
type Failure struct {
	load.Failure
	Fleet *LedgerExcerpt `json:"fleet,omitempty"` // nil if no ledger has the device
}

// A LedgerExcerpt is what the ledger says about the device of a failed operation.
type LedgerExcerpt struct {
	Pushes   uint32            `json:"pushes"`                        // updates that the device received
	Applied  uint32            `json:"applied"`                       // updates that it installed
	Rejected uint32            `json:"rejected"`                      // updates that it answered 3xx, 4xx or 5xx
	Injected uint32            `json:"injected"`                      // of those, the ones that a fault asked for
	Broken   uint32            `json:"broken"`                        // updates broken off before the last byte
	Verifies uint32            `json:"verifies"`                      // requests for its version
	Aborted  uint32            `json:"connections_aborted,omitempty"` // connections that a fault ended unanswered
	Faults   map[string]uint32 `json:"faults,omitempty"`              // how often each kind of fault acted
	Version  string            `json:"version"`                       // that it runs
}

// Usage is what the agent's process used during the load.
type Usage struct {
	CPUNS        int64   `json:"cpu_ns"`        // user and system time
	GCFraction   float64 `json:"gc_fraction"`   // the garbage collector's share of it
	GCBusyS      float64 `json:"gc_busy_s"`     // seconds of the collector on processors that others may have needed
	Bytes        uint64  `json:"bytes"`         // heap bytes that were allocated
	Objects      uint64  `json:"objects"`       // heap objects that were allocated
	PeakResident uint64  `json:"peak_resident"` // bytes
}

// ProcessUsage is what the processes of a client used during the load.
type ProcessUsage struct {
	CPUNS        int64  `json:"cpu_ns"`
	PeakResident uint64 `json:"peak_resident"` // bytes, of all of them
}

// Traffic is what a client counted; see [delivery.Stats].
type Traffic struct {
	Requests     uint64 `json:"requests"`
	Dials        uint64 `json:"dials"`
	Reused       uint64 `json:"reused"`
	BytesWritten uint64 `json:"bytes_written"`
	BytesRead    uint64 `json:"bytes_read"`
}

// NewTraffic returns what a client counted, or nil if that is nil.
func NewTraffic(s *delivery.Stats) *Traffic {
	if s == nil {
		return nil
	}
	return &Traffic{s.Requests, s.Dials, s.Reused, s.BytesWritten, s.BytesRead}
}

// AddTo adds what was counted to the counts of other clients.
func (t *Traffic) AddTo(s *delivery.Stats) {
	s.Requests, s.Dials, s.Reused = s.Requests+t.Requests, s.Dials+t.Dials, s.Reused+t.Reused
	s.BytesWritten, s.BytesRead = s.BytesWritten+t.BytesWritten, s.BytesRead+t.BytesRead
}

// A Group is what was measured of a group of devices.
type Group struct {
	Name      string           `json:"name"`
	Counts    results.Counts   `json:"counts"`
	Succeeded int64            `json:"succeeded"`
	Failed    int64            `json:"failed"`
	Retries   int64            `json:"retries"`
	BrokenOff int64            `json:"broken_off"`
	Classes   map[string]int64 `json:"classes,omitempty"`
	Times     []Times          `json:"times"` // in the order of the portion's
}

// Elapsed returns how long after the common start the last operation ended.
func (p *Portion) Elapsed() time.Duration { return time.Duration(p.StartLateNS + p.ElapsedNS) }
