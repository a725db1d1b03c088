package health

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
)

// Outcome is how a repetition's operations ended.
type Outcome struct {
	Operations     results.Operations
	RolloutStopped bool          // a rollout stopped after too many failures, which is right
	FailureClasses string        // the failures by class, such as "9 permanent"
	Drain          time.Duration // how long operations could go on after the plan's end
	Overflows      []Overflow
}

// Overflow counts latencies of an operation that were too long to be recorded.
type Overflow struct {
	Op      string
	Count   int64
	Highest time.Duration // the longest latency that is recorded
}

// CheckOutcome returns the findings about how a timed repetition's operations ended.
func CheckOutcome(o Outcome) (findings []Finding) {
	if o.Operations.Succeeded == 0 && !o.RolloutStopped {
		text := o.Operations.String()
		if o.Operations.Failed > 0 {
			text += ", by class " + o.FailureClasses
		}
		findings = append(findings, Finding{NothingSucceeded, text})
	}
	if n := o.Operations.BrokenOff; n > 0 {
		were := "were"
		if n == 1 {
			were = "was"
		}
		findings = append(findings, Finding{BrokenOff,
			fmt.Sprintf("%s of %s operations %[3]s still under way %[4]v after the plan's end and %[3]s broken off, "+
				"so that the longest times are missing: allow more (load.drain), or shorter deadlines of the client",
				plaintext.Thousands(n), plaintext.Thousands(o.Operations.Started), were, o.Drain)})
	}
	for _, v := range o.Overflows {
		if v.Count > 0 {
			findings = append(findings, Finding{LatencyOverflow,
				fmt.Sprintf("%d latencies of %s were over %v, more than is recorded", v.Count, v.Op, v.Highest)})
		}
	}
	return findings
}
