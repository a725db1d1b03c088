package report

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// UnknownRevision is the revision of a tree without version control.
const UnknownRevision = "unknown"

// A Fact is a named fact about where, when or at which revision something was measured.
type Fact struct {
	Name, Value string
	Code        bool // Value is an identifier instead of words
}

// provenance returns the facts about the machines and sources of both sides.
func provenance(r *Result) (facts []Fact) {
	add := func(name, value string, code bool) {
		if value != "" {
			facts = append(facts, Fact{name, value, code})
		}
	}
	if m := r.Now.Machine; m != nil {
		add("machine", m.String(), false)
	}
	if m := r.Base.Machine; m != nil && (r.Now.Machine == nil || m.String() != r.Now.Machine.String()) {
		add("machine of "+r.Base.Label, m.String(), false)
	}
	add("revision", r.Now.Revision, true)
	add("revision of "+r.Base.Label, r.Base.Revision, true)
	if run := r.Run; run != nil {
		add("transport", run.Transport, false)
		add("addressing", run.Addressing, false)
	}
	if !r.Measured.IsZero() {
		add("started", r.Measured.Format(time.RFC3339), false)
	}
	if run := r.Run; run != nil && !run.Finished.IsZero() {
		add("finished", run.Finished.UTC().Format(time.RFC3339), false)
	}
	return facts
}

// validitySentences returns sentences about how far the figures of a run can be trusted, besides
// what is in [Result.HealthTable].
func validitySentences(run *rundir.Loaded) (sentences []string) {
	say := func(format string, args ...any) { sentences = append(sentences, fmt.Sprintf(format, args...)) }
	harness := run.Harness
	if o := harness.Pacing; o != nil {
		say("Of the operations, %s were due while every worker was busy; at most %d workers were busy at once. "+
			"Where a worker stood ready, the latest hundredth was sent %s late or more.",
			plaintext.Percent(o.StarvedFraction), o.BusyWorkersPeak, time.Duration(o.TimerLatenessP99NS))
	}
	if o := harness.Ports; o != nil {
		say("At most %s.", o)
	}
	if y := harness.ReferenceSpeed; y != nil {
		say("By the yardstick, a round trip between two bare sockets took %s (median of %d blocks).",
			formatNS(y.RoundTripNS), y.Blocks)
	}
	if i := harness.Interference; i != nil {
		say("Meanwhile %s.", i)
	}
	if p := harness.Profiling; p != nil && p.TimedCPUNS > 0 {
		say("Profiled, an operation took %s of processor time, where the timed repetitions took %s (%+.1f%%).",
			formatNS(p.ProfiledCPUNS), formatNS(p.TimedCPUNS), 100*p.Overhead())
	}
	return sentences
}
