package results

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// ThresholdOutcome is the outcome of one threshold of a scenario.
type ThresholdOutcome struct {
	Threshold string  `json:"threshold"` // as it was written
	Op        string  `json:"op"`
	Unit      string  `json:"unit"`
	Value     float64 `json:"value"`    // that was compared with the limit; null if nothing was measured
	Samples   int     `json:"samples"`  // repetitions that measured it
	Measured  bool    `json:"measured"` // if false, the threshold failed
	Held      bool    `json:"held"`

	// Undecided says why nobody can tell whether the threshold holds. If it isn't empty, the
	// threshold neither held nor failed.
	Undecided string `json:"undecided,omitempty"`
}

// MarshalJSON writes null for a value that wasn't measured.
func (o ThresholdOutcome) MarshalJSON() ([]byte, error) {
	written := struct {
		Threshold string   `json:"threshold"`
		Op        string   `json:"op"`
		Unit      string   `json:"unit"`
		Value     *float64 `json:"value"`
		Samples   int      `json:"samples"`
		Measured  bool     `json:"measured"`
		Held      bool     `json:"held"`
		Undecided string   `json:"undecided,omitempty"`
	}{o.Threshold, o.Op, o.Unit, nil, o.Samples, o.Measured, o.Held, o.Undecided}
	if o.Measured {
		written.Value = &o.Value
	}
	return json.Marshal(written)
}

// Result returns the outcome in a few words, and as a verdict.
func (o ThresholdOutcome) Result() (string, Verdict) {
	switch {
	case o.Undecided != "":
		return "inconclusive: " + o.Undecided, Inconclusive
	case !o.Measured:
		return "failed: not measured", Regressed
	case !o.Held:
		return "failed", Regressed
	}
	return "held", Pass
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

// compareValues reports whether a value keeps a limit by one of the comparisons <, <=, >, >=, ==
// and !=.
func compareValues(value float64, comparison string, limit float64) bool {
	switch comparison {
	case "<":
		return value < limit
	case "<=":
		return value <= limit
	case ">":
		return value > limit
	case ">=":
		return value >= limit
	case "==":
		return value == limit
	case "!=":
		return value != limit
	}
	return false
}

// EvaluateThreshold compares a metric of an operation with a limit: its median over the
// repetitions, or, if the metric is exact, each of its values.
//
// A percentile of fewer operations than it needs ([WantedOperations]) is undecided, unless there
// are at least as many as least says, which is 0 by default. It is decided all the same if the
// median of a few operations is beyond the limit: then the percentile certainly is.
func EvaluateThreshold(text, op, unit, comparison string, limit float64, least int64, records []Record) ThresholdOutcome {
	known, _ := LookupUnit(unit)
	o := ThresholdOutcome{Threshold: text, Op: op, Unit: unit}
	var values, medians []float64
	fewest := int64(math.MaxInt64)
	for _, r := range records {
		if v, ok := r.Value(unit); ok && r.Op == op {
			values = append(values, v)
			fewest = min(fewest, r.Operations(unit))
			if m, ok := r.Value(UnitP50); ok && !known.OfFailed && unit != UnitServiceP99 {
				medians = append(medians, m)
			}
		}
	}
	if o.Samples = len(values); o.Samples == 0 {
		return o
	}
	o.Measured, o.Held = true, true
	if !known.Exact {
		values = []float64{stats.Median(values)}
	}
	// The first value that fails decides.
	o.Value = values[0]
	for _, v := range values {
		if !compareValues(v, comparison, limit) {
			o.Value, o.Held = v, false
			break
		}
	}
	if o.Undecided = few(unit, fewest, least); o.Undecided != "" {
		surely := !o.Held && strings.HasPrefix(comparison, "<") && fewest >= fewestForMedian && len(medians) == o.Samples && !compareValues(stats.Median(medians), comparison, limit)
		if surely {
			o.Undecided = ""
		} else {
			o.Held = false
		}
	}
	return o
}

// fewestForMedian is how many operations it takes for a median beyond a limit to show that a higher
// percentile is beyond it too. If only one operation in a hundred were that slow, the chance that
// half of so few are would be one in a hundred thousand.
const fewestForMedian = 5

// UndecidedSummary returns a clause about the thresholds that are undecided: "1 of 3 thresholds is
// inconclusive: …". It returns "" if none is.
func UndecidedSummary(list []ThresholdOutcome) string {
	undecided := UndecidedThresholds(list)
	is := "are"
	if len(undecided) == 1 {
		is = "is"
	}
	return summarizeThresholds(undecided, len(list), is+" inconclusive", func(o ThresholdOutcome) string { return o.Undecided })
}

// ThresholdSummary returns a clause about the thresholds that failed: "2 of 3 thresholds failed:
// p99-ns/op < 20ms (21.3ms), …". It returns "" if none did.
func ThresholdSummary(list []ThresholdOutcome) string {
	return summarizeThresholds(FailedThresholds(list), len(list), "failed", func(o ThresholdOutcome) string {
		if !o.Measured {
			return "not measured"
		}
		return FormatValue(o.Value, o.Unit)
	})
}

// maxThresholdsListed bounds how many thresholds a sentence names.
const maxThresholdsListed = 10

// summarizeThresholds returns a clause about some of a run's thresholds, or "" if there are none.
// why returns what stands in parentheses after each.
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
