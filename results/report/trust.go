package report

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// trustSentences say what bears on whether a run's numbers mean anything, besides shares of
// processors and memory.
func trustSentences(run *results.LoadedRun) (sentences []string) {
	harness := run.Harness
	if o := harness.Pacing; o != nil {
		sentences = append(sentences, fmt.Sprintf("Of the operations, %s were due while every worker was busy; at most %d workers were busy at once. Where a worker stood ready, the latest hundredth was sent %s late or more.",
			percent(o.StarvedFraction), o.BusyWorkersPeak, time.Duration(o.TimerLatenessP99NS)))
	}
	if o := harness.Ports; o != nil {
		sentences = append(sentences, fmt.Sprintf("At most %s.", o))
	}
	if y := harness.Yardstick; y != nil {
		sentences = append(sentences, fmt.Sprintf("By the yardstick, a round trip between two bare sockets took %s (median of %d blocks).", results.FormatValue(y.RoundTripNS, "ns/op"), y.Blocks))
	}
	if i := harness.Interference; i != nil {
		sentences = append(sentences, fmt.Sprintf("Meanwhile %s.", i))
	}
	if p := harness.Profiling; p != nil && p.TimedCPUNS > 0 {
		sentences = append(sentences, fmt.Sprintf("Profiled, an operation took %s of processor time, where the timed repetitions took %s (%+.1f%%).",
			results.FormatValue(p.ProfiledCPUNS, "cpu-ns/op"), results.FormatValue(p.TimedCPUNS, "cpu-ns/op"), 100*p.Overhead()))
	}
	return sentences
}
