package results

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// A Threshold is a limit that a metric of an operation must keep.
type Threshold struct {
	Text       string // as it was written
	Op         string
	Group      string // whose records are evaluated; empty for the whole fleet's
	Unit       string
	Comparison string // one of <, <=, >, >=, == and !=
	Limit      float64
	Least      int64 // how many operations a percentile needs; 0 means [WantedOperations]
}

// Evaluate compares the metric with the limit: its median over the repetitions, or, if the metric is
// exact, each of its values.
//
// A percentile of too few operations is undecided. It fails all the same if even the median is
// beyond the limit, and there are enough operations for a median.
func (t Threshold) Evaluate(records []Record) ThresholdOutcome {
	o := ThresholdOutcome{Threshold: t.Text, Op: t.Op, Group: t.Group, Unit: t.Unit}
	unit, _ := LookupUnit(t.Unit)
	var values, medians []float64
	fewest := int64(math.MaxInt64)
	for _, r := range records {
		v, ok := r.Value(t.Unit)
		if !ok || r.Op != t.Op {
			continue
		}
		values = append(values, v)
		fewest = min(fewest, r.Operations(t.Unit))
		if m, ok := r.Value(UnitP50); ok && !unit.OfFailed && t.Unit != UnitServiceP99 {
			medians = append(medians, m)
		}
	}
	if o.Samples = len(values); o.Samples == 0 {
		return o
	}
	if !unit.Exact {
		values = []float64{stats.Median(values)}
	}
	o.Measured, o.Held, o.Value = true, true, values[0]
	if i := slices.IndexFunc(values, func(v float64) bool { return !t.Keeps(v) }); i >= 0 {
		o.Value, o.Held = values[i], false
	}
	if o.Undecided = few(t.Unit, fewest, t.Least); o.Undecided == "" {
		return o
	}
	beyond := strings.HasPrefix(t.Comparison, "<") && fewest >= fewestForMedian &&
		len(medians) == o.Samples && !t.Keeps(stats.Median(medians))
	if !o.Held && beyond {
		o.Undecided = ""
	}
	o.Held = false
	return o
}

// fewestForMedian is how many operations it takes for a median beyond a limit to show that a higher
// percentile is beyond it too. If only one operation in a hundred were that slow, the chance that
// half of five are would be one in a hundred thousand.
const fewestForMedian = 5

// Keeps reports whether a value is within the limit.
func (t Threshold) Keeps(value float64) bool {
	switch t.Comparison {
	case "<":
		return value < t.Limit
	case "<=":
		return value <= t.Limit
	case ">":
		return value > t.Limit
	case ">=":
		return value >= t.Limit
	case "==":
		return value == t.Limit
	case "!=":
		return value != t.Limit
	}
	return false
}

// A ThresholdOutcome is the outcome of one threshold of a scenario.
type ThresholdOutcome struct {
	Threshold string  `json:"threshold"`       // as it was written
	Op        string  `json:"op"`              // the operation
	Group     string  `json:"group,omitempty"` // the group of devices; empty for the whole fleet
	Unit      string  `json:"unit"`            // the metric
	Value     float64 `json:"value"`           // the value that was compared with the limit; null if nothing was measured
	Samples   int     `json:"samples"`         // repetitions that measured it
	Measured  bool    `json:"measured"`        // if false, the threshold failed
	Held      bool    `json:"held"`            // whether the value is within the limit

	// Undecided says why it can't be told whether the threshold holds. If it isn't empty, the
	// threshold neither held nor failed.
	Undecided string `json:"undecided,omitempty"`

	// Windows is what the windows of a threshold "in every 5s" showed; Value is then the worst of
	// their values. It is nil for other thresholds.
	Windows *WindowsOutcome `json:"windows,omitempty"`
}

// MarshalJSON writes null for a value that wasn't measured or isn't finite.
func (o ThresholdOutcome) MarshalJSON() ([]byte, error) {
	written := struct {
		Threshold string   `json:"threshold"`
		Op        string   `json:"op"`
		Group     string   `json:"group,omitempty"`
		Unit      string   `json:"unit"`
		Value     *float64 `json:"value"`
		Samples   int      `json:"samples"`
		Measured  bool     `json:"measured"`
		Held      bool     `json:"held"`
		Undecided string   `json:"undecided,omitempty"`

		Windows *WindowsOutcome `json:"windows,omitempty"`
	}{o.Threshold, o.Op, o.Group, o.Unit, nil, o.Samples, o.Measured, o.Held, o.Undecided, o.Windows}
	if o.Measured && IsFinite(o.Value) {
		written.Value = &o.Value
	}
	return json.Marshal(written)
}

// Result returns the outcome in a few words, and as a verdict.
func (o ThresholdOutcome) Result() (string, Verdict) {
	switch {
	case o.Undecided != "":
		return "inconclusive: " + o.Undecided, Inconclusive
	case o.Windows != nil && o.Held:
		return "held" + o.Windows.held(), Pass
	case o.Windows != nil:
		text := "failed " + o.Windows.failure()
		if o.endedRun() {
			text += ": " + EndedEarly
		}
		return text, Regressed
	case !o.Measured:
		return "failed: not measured", Regressed
	case !o.Held:
		return "failed", Regressed
	}
	return "held", Pass
}

// HasWorst reports whether Value says how the threshold fared. It doesn't if the threshold failed and
// nothing succeeded in any broken window: Value is then that of a window which kept the limit.
func (o ThresholdOutcome) HasWorst() bool {
	return o.Measured && (o.Windows == nil || o.Held || o.Windows.Broken == 0 || o.Windows.Stalled < o.Windows.Broken)
}

// UndecidedThresholds returns the thresholds that are undecided.
func UndecidedThresholds(list []ThresholdOutcome) []ThresholdOutcome {
	return withResult(list, Inconclusive)
}

// FailedThresholds returns the thresholds that failed.
func FailedThresholds(list []ThresholdOutcome) []ThresholdOutcome { return withResult(list, Regressed) }

func withResult(list []ThresholdOutcome, v Verdict) (some []ThresholdOutcome) {
	for _, o := range list {
		if _, result := o.Result(); result == v {
			some = append(some, o)
		}
	}
	return some
}

// UndecidedSummary returns a clause about the thresholds that are undecided: "1 of 3 thresholds is
// inconclusive: …". It returns "" if none is.
func UndecidedSummary(list []ThresholdOutcome) string {
	undecided := UndecidedThresholds(list)
	is := "are"
	if len(undecided) == 1 {
		is = "is"
	}
	why := func(o ThresholdOutcome) string { return o.Undecided }
	return summarizeThresholds(undecided, len(list), is+" inconclusive", why)
}

// ThresholdSummary returns a clause about the thresholds that failed: "2 of 3 thresholds failed:
// p99-ns/op < 20ms (21.3ms), …". It returns "" if none did.
func ThresholdSummary(list []ThresholdOutcome) string {
	failed := FailedThresholds(list)
	summary := summarizeThresholds(failed, len(list), "failed", func(o ThresholdOutcome) string {
		switch {
		case o.Windows != nil && !o.HasWorst():
			return o.Windows.failure()
		case o.Windows != nil:
			return FormatValue(o.Value, o.Unit) + " at worst, " + o.Windows.failure()
		case !o.Measured:
			return "not measured"
		}
		return FormatValue(o.Value, o.Unit)
	})
	if slices.ContainsFunc(failed, ThresholdOutcome.endedRun) {
		summary += ": " + EndedEarly
	}
	return summary
}

// maxThresholdsListed bounds how many thresholds a sentence names.
const maxThresholdsListed = 10

// summarizeThresholds returns a clause about some of a run's thresholds, or "" if there are none.
// why returns the text in parentheses after each.
func summarizeThresholds(some []ThresholdOutcome, of int, verb string, why func(ThresholdOutcome) string) string {
	if len(some) == 0 {
		return ""
	}
	var parts []string
	for _, o := range some[:min(len(some), maxThresholdsListed)] {
		parts = append(parts, fmt.Sprintf("%s (%s)", o.Threshold, why(o)))
	}
	if more := len(some) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%d of %s %s: %s", len(some), plaintext.Count(of, "threshold"), verb, strings.Join(parts, ", "))
}
