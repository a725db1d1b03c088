package scenarios

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet"
)

// Above these the figures are the fleet's or the harness's, not the client's.
const (
	maxFleetFraction = 0.9                    // of all cores
	leastObserved    = 500 * time.Millisecond // for a share to say anything
)

// judgeFleet takes note of how the fleet was in a timed repetition, and whether it,
// rather than the client, was what limited the load. Where others had the machine meanwhile, that it was
// late says nothing.
func (r *runner) judgeFleet(before, after mockfleet.Status, disturbed bool) {
	h := &r.run.Fleet
	busy := time.Duration((after.CPUSeconds - before.CPUSeconds) * float64(time.Second))
	observed := after.Uptime - before.Uptime // by the fleet's own clock
	share := fraction(busy, observed)
	if r.fleet.kind() == FleetInProcess {
		share = 0 // its processor time can't be told from the driver's
	}
	h.CPUFraction = max(h.CPUFraction, share)
	h.PeakResidentBytes = max(h.PeakResidentBytes, after.PeakResidentBytes)
	saturated := func(format string, args ...any) {
		h.Saturated = h.Saturated || r.probe == nil // in a search only that rate is beyond the limit
		r.bottleneck("the fleet was the bottleneck: " + fmt.Sprintf(format, args...))
	}
	if share > maxFleetFraction && observed > leastObserved {
		saturated("it used over %.0f%% of all cores", 100*maxFleetFraction)
	}
	for _, problem := range after.Health.Problems { // since the reset before the repetition
		if problem.Starved && disturbed {
			continue // then times are inconclusive, and counts are what they are
		}
		saturated("%s", problem)
	}
	h.WakeP90NS = max(h.WakeP90NS, int64(after.Health.WakeP90))
	h.LateAnswers = max(h.LateAnswers, after.Health.Late)
	h.AcceptQueuePeak = max(h.AcceptQueuePeak, after.Health.AcceptQueuePeak)
	h.Descriptors = max(h.Descriptors, after.Descriptors)
}

// judgeRepetition says whether the figures of a timed repetition can be believed.
func (r *runner) judgeRepetition(m *measured) {
	o := m.operations
	if m.done == 0 && !m.rollout.Stopped { // a rollout that stops has done what it is for
		text := "no operation succeeded: " + o.String()
		if m.failed > 0 {
			text += ", by class " + r.failures.classesText()
		}
		r.doubt(text)
	}
	if o.BrokenOff > 0 {
		were := "were"
		if o.BrokenOff == 1 {
			were = "was"
		}
		r.doubt(fmt.Sprintf("%s of %s operations %[3]s still under way %[4]v after the plan's end and %[3]s broken off, so that the longest times are missing: allow more (load.drain), or shorter deadlines of the client",
			plaintext.Thousands(o.BrokenOff), plaintext.Thousands(o.Started), were, r.spec.Load.drain()))
	}
	for _, op := range r.spec.Load.Operations() {
		if t := m.ops[op]; t.clipped > 0 {
			r.doubt(fmt.Sprintf("%d latencies of %s were over %v, more than is recorded", t.clipped, op, r.recorders[0].highest))
		}
	}
}
