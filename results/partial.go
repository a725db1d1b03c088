package results

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// A Partial is a timed repetition that was broken off. It is shown but never judged, since its
// figures cover only a part of the work.
type Partial struct {
	Repetition     int            `json:"repetition"`                // its number, from 1
	Of             int            `json:"of"`                        // timed repetitions that were asked for
	Seconds        float64        `json:"seconds"`                   // how long it went on
	PlannedSeconds float64        `json:"planned_seconds,omitempty"` // how long it would have gone on; 0 if unknown
	Planned        int64          `json:"planned,omitempty"`         // operations; 0 if the load ends by time
	Succeeded      int64          `json:"succeeded"`                 // operations
	Failed         int64          `json:"failed"`                    // operations
	Counts         Counts         `json:"counts"`                    // of devices
	Unwitnessed    string         `json:"unwitnessed,omitempty"`     // why no ledger confirms the counts; empty if one does
	Contradictions []string       `json:"contradictions,omitempty"`  // between the client and the fleet's ledger
	Search         string         `json:"search,omitempty"`          // how far a search for a limit got
	Values         []PartialValue `json:"values"`                    // the metrics
}

// A PartialValue is one metric of an operation, in the unit as named in [Units].
type PartialValue struct {
	Op    string  `json:"op"`                       // the operation
	Unit  string  `json:"unit"`                     // the metric
	Value float64 `json:"value"`                    // in the metric's unit
	Few   int64   `json:"few_operations,omitempty"` // how many a percentile rests on, if they are too few for it
}

// Take replaces p's values with those of records, and notes which percentiles have too few
// operations.
func (p *Partial) Take(records []Record) {
	p.Values = []PartialValue{}
	for _, r := range records {
		for _, v := range r.Values {
			value := PartialValue{Op: r.Op, Unit: v.Unit, Value: v.Value}
			if n := r.Operations(v.Unit); few(v.Unit, n, 0) != "" {
				value.Few = n
			}
			p.Values = append(p.Values, value)
		}
	}
}

// String returns a sentence without its full stop: "timed repetition 1 of 1 was broken off after
// 12m3s of 30m0s (40%): 1234 operations succeeded, 5 failed".
func (p *Partial) String() string {
	went := time.Duration(p.Seconds * float64(time.Second))
	whole := time.Duration(p.PlannedSeconds * float64(time.Second))
	text := fmt.Sprintf("timed repetition %d of %d was broken off after %v", p.Repetition, p.Of, rounded(went))
	switch {
	case p.Search != "":
		return text + ": " + p.Search
	case whole > 0:
		text += fmt.Sprintf(" of %v (%.0f%%)", rounded(whole), 100*min(1, p.Seconds/p.PlannedSeconds))
	case p.Planned > 0:
		text += fmt.Sprintf(", %.0f%% of its operations", 100*float64(p.Succeeded+p.Failed)/float64(p.Planned))
	}
	operations := "operations"
	if p.Succeeded == 1 {
		operations = "operation"
	}
	return fmt.Sprintf("%s: %s %s succeeded, %s failed",
		text, plaintext.Thousands(p.Succeeded), operations, plaintext.Thousands(p.Failed))
}

// rounded rounds d to hundredths of a second, or to seconds from a minute on.
func rounded(d time.Duration) time.Duration {
	if d >= time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(10 * time.Millisecond)
}
