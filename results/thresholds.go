package results

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// ThresholdOutcome is what became of one threshold of a scenario.
type ThresholdOutcome struct {
	Threshold string  `json:"threshold"` // as it was written
	Op        string  `json:"op"`
	Unit      string  `json:"unit"`
	Value     float64 `json:"value"`    // that was held against it; null where nothing was measured
	Samples   int     `json:"samples"`  // repetitions that it is of
	Measured  bool    `json:"measured"` // false fails it: what wasn't measured holds nothing
	Held      bool    `json:"held"`

	// Undecided says why it can't be told whether it holds; empty where it can. Then it is neither held
	// nor failed.
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

// Result returns what became of it in a word or two, and the verdict that this amounts to.
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

// UndecidedThresholds are those of a run of which it can't be told whether they hold.
func UndecidedThresholds(list []ThresholdOutcome) (undecided []ThresholdOutcome) {
	for _, o := range list {
		if o.Undecided != "" {
			undecided = append(undecided, o)
		}
	}
	return undecided
}

// FailedThresholds are those of a run that didn't hold.
func FailedThresholds(list []ThresholdOutcome) (failed []ThresholdOutcome) {
	for _, o := range list {
		if !o.Held && o.Undecided == "" {
			failed = append(failed, o)
		}
	}
	return failed
}

// Held holds a value against a limit, by one of the comparisons <, <=, >, >=, == and !=.
func Held(value float64, comparison string, limit float64) bool {
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

// HoldThreshold holds what was measured of an operation against a limit: the median of the
// repetitions, or, where the unit is one that the seed determines, their worst value.
//
// A percentile of fewer operations than it wants, 10/(1−q), is undecided, unless least says of how many
// operations it is to be judged, and there are so many. It is decided all the same where the median of
// enough operations to have one is beyond the limit as well: then the percentile is.
func HoldThreshold(text, op, unit, comparison string, limit float64, least int64, records []Record) ThresholdOutcome {
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
	// The first that fails is as good as any: of exact values, one alone is wanted.
	o.Value = values[0]
	for _, v := range values {
		if !Held(v, comparison, limit) {
			o.Value, o.Held = v, false
			break
		}
	}
	if o.Undecided = few(unit, fewest, least); o.Undecided != "" {
		surely := !o.Held && strings.HasPrefix(comparison, "<") && fewest >= fewestForMedian && len(medians) == o.Samples && !Held(stats.Median(medians), comparison, limit)
		if surely {
			o.Undecided = ""
		} else {
			o.Held = false
		}
	}
	return o
}

// fewestForMedian is of how many operations a median beyond a limit shows that a higher percentile is:
// that half of them were by chance what one in a hundred is has a probability below a millionth.
const fewestForMedian = 5

// UndecidedSummary is a clause on those that can't be told: "1 of 3 thresholds is inconclusive: …".
func UndecidedSummary(list []ThresholdOutcome) string {
	undecided := UndecidedThresholds(list)
	if len(undecided) == 0 {
		return ""
	}
	is := "are"
	if len(undecided) == 1 {
		is = "is"
	}
	text := fmt.Sprintf("%d of %s %s inconclusive: ", len(undecided), plaintext.Count(len(list), "threshold"), is)
	for i, o := range undecided {
		if i > 0 {
			text += ", "
		}
		if i == maxThresholdsTold {
			return text + fmt.Sprintf("and %d more", len(undecided)-i)
		}
		text += fmt.Sprintf("%s (%s)", o.Threshold, o.Undecided)
	}
	return text
}

// maxThresholdsTold is how many a sentence names before it becomes a list that nobody reads.
const maxThresholdsTold = 10

// ThresholdSummary is a clause on those that failed: "2 of 3 thresholds failed: p99-ns/op < 20ms (21.3ms), …".
func ThresholdSummary(list []ThresholdOutcome) string {
	failed := FailedThresholds(list)
	if len(failed) == 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %s failed: ", len(failed), plaintext.Count(len(list), "threshold"))
	for i, o := range failed {
		if i > 0 {
			text += ", "
		}
		if i == maxThresholdsTold {
			return text + fmt.Sprintf("and %d more", len(failed)-i)
		}
		value := "not measured"
		if o.Measured {
			value = FormatValue(o.Value, o.Unit)
		}
		text += fmt.Sprintf("%s (%s)", o.Threshold, value)
	}
	return text
}
