package results

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// Windowed reports whether thresholds may judge the metric in windows of a repetition. They may if
// the metric is known for any part of a repetition.
func (u Unit) Windowed() bool {
	switch u.Name {
	case UnitMean, UnitMax, UnitRate, UnitThroughput, UnitFailed:
		return true
	}
	_, ok := percentile(u.Name)
	return ok && !u.OfFailed && u.Scope == PerOperation
}

// Percent returns the percentage of operations that take no longer than the value of the metric,
// such as 99.9. It reports false for a metric that isn't a percentile.
func (u Unit) Percent() (percent float64, ok bool) {
	q, ok := percentile(u.Name)
	return 100 * q, ok
}

// MaxBreaches bounds how many breaches an outcome lists.
const MaxBreaches = 20

// WindowsOutcome is the outcome of a threshold that judges windows of the timed repetitions, such as
// "p99-ns/op < 20ms in every 5s for 3 windows".
type WindowsOutcome struct {
	WidthNS int64 `json:"width_ns"` // length of a window, in nanoseconds
	InRow   int   `json:"in_row"`   // broken windows in a row that fail the threshold

	Judged  int64 `json:"judged"`  // windows that were judged, in all timed repetitions
	Broken  int64 `json:"broken"`  // judged windows in which the limit was broken
	Stalled int64 `json:"stalled"` // broken windows in which nothing succeeded
	Few     int64 `json:"few"`     // windows with too few operations, which weren't judged
	Idle    int64 `json:"idle"`    // windows in which nothing was due, running or measured, which weren't judged

	// Breaches lists the broken windows, those that follow one another together, in order. It has at
	// most 20 members. If there were more, it has those that failed the threshold before others.
	Breaches []Breach `json:"breaches,omitempty"`

	EndedRun bool `json:"ended_run,omitempty"` // the run was ended early, when the threshold had failed
}

// A Breach is a row of broken windows. Windows between them that weren't judged don't end the row.
type Breach struct {
	Repetition int      `json:"repetition"` // number of the timed repetition, from 1
	StartNS    int64    `json:"start_ns"`   // when the first window began, nanoseconds after the repetition's load did
	EndNS      int64    `json:"end_ns"`     // when the last one ended, likewise
	Windows    int64    `json:"windows"`    // how many there are
	Stalled    int64    `json:"stalled"`    // in how many of them nothing succeeded
	Value      *float64 `json:"value"`      // the worst; null if nothing succeeded in any of them
	Failed     bool     `json:"failed"`     // they are so many that the threshold failed
}

// String returns a clause: "from 3s to 7s of repetition 1".
func (b Breach) String() string {
	return fmt.Sprintf("from %v to %v of repetition %d",
		rounded(time.Duration(b.StartNS)), rounded(time.Duration(b.EndNS)), b.Repetition)
}

// maxBreachesListed bounds how many breaches a sentence names.
const maxBreachesListed = 3

// failure returns how a threshold failed: "in 4 of 10 windows, from 3s to 7s of repetition 1;
// nothing succeeded in 3 of them".
func (w *WindowsOutcome) failure() string {
	text := fmt.Sprintf("in %s of %s", plaintext.Thousands(w.Broken), plaintext.Count(int(w.Judged), "window"))
	failed := slices.DeleteFunc(slices.Clone(w.Breaches), func(b Breach) bool { return !b.Failed })
	var parts []string
	for _, b := range failed[:min(len(failed), maxBreachesListed)] {
		parts = append(parts, b.String())
	}
	if len(failed) > len(parts) {
		parts = append(parts, "and more")
	}
	text += ", " + strings.Join(parts, ", ")
	switch {
	case w.Stalled == 0:
	case w.Stalled == w.Broken:
		text += "; nothing succeeded in them"
	default:
		text += fmt.Sprintf("; nothing succeeded in %s of them", plaintext.Thousands(w.Stalled))
	}
	return text
}

// EndedEarly says what became of a run that is [StatusAborted].
const EndedEarly = "the run was ended early (abort: true)"

// endedRun reports whether a threshold ended the run early.
func (o ThresholdOutcome) endedRun() bool { return o.Windows != nil && o.Windows.EndedRun }

// held returns how many windows broke the limit although the threshold held. It follows the word
// "held".
func (w *WindowsOutcome) held() string {
	if w.Broken == 0 {
		return ""
	}
	return fmt.Sprintf(": %s of %s broke the limit, but never %d in a row",
		plaintext.Thousands(w.Broken), plaintext.Count(int(w.Judged), "window"), w.InRow)
}

// WhyNotJudged returns why no window could be judged.
func (w *WindowsOutcome) WhyNotJudged() string {
	text := fmt.Sprintf("no window of %v could be judged", time.Duration(w.WidthNS))
	switch {
	case w.Few > 0:
		return text + ": they had too few operations"
	case w.Idle > 0:
		return text + ": nothing was due, running or measured in them"
	}
	return text + ": the repetitions were shorter than half of one"
}
