package results

import (
	"bytes"
	"fmt"
	"io"

	"github.com/fleetmark/fleetmark/results/internal/page"
)

// ThresholdOutcome is what became of one threshold of a scenario.
type ThresholdOutcome struct {
	Threshold string  `json:"threshold"` // as it was written
	Op        string  `json:"op"`
	Unit      string  `json:"unit"`
	Value     float64 `json:"value"`    // that was held against it; 0 where nothing was measured
	Samples   int     `json:"samples"`  // repetitions that it is of
	Measured  bool    `json:"measured"` // false fails it: what wasn't measured holds nothing
	Held      bool    `json:"held"`
}

// FailedThresholds are those of a run that didn't hold.
func FailedThresholds(list []ThresholdOutcome) (failed []ThresholdOutcome) {
	for _, o := range list {
		if !o.Held {
			failed = append(failed, o)
		}
	}
	return failed
}

// WriteThresholds writes the outcomes as a table for a terminal; of none, nothing.
func WriteThresholds(w io.Writer, list []ThresholdOutcome, o TableOptions) error {
	if len(list) == 0 {
		return nil
	}
	var b bytes.Buffer
	err := thresholdTable(list, func(held bool, s string) string {
		verdict := Pass
		if !held {
			verdict = Regressed
		}
		return paint(verdict, s, o.Color)
	}, page.Plain).Text(&b)
	if err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// WriteThresholdsMarkdown writes them as a Markdown table.
func WriteThresholdsMarkdown(w io.Writer, list []ThresholdOutcome) error {
	if len(list) == 0 {
		return nil
	}
	return thresholdTable(list, func(held bool, s string) string {
		if !held {
			s = "**" + s + "**"
		}
		return s
	}, page.Escape).Markdown(w)
}

func thresholdTable(list []ThresholdOutcome, emphasis func(held bool, s string) string, escape func(string) string) page.Table {
	t := page.Table{Header: []string{"threshold", "measured", "result"}, Align: "lrl"}
	for _, o := range list {
		value, result := "–", "held"
		if o.Measured {
			value = FormatValue(o.Value, o.Unit)
		}
		switch {
		case !o.Measured:
			result = "failed: not measured"
		case !o.Held:
			result = "failed"
		}
		t.Rows = append(t.Rows, []string{escape(o.Threshold), escape(value), emphasis(o.Held, result)})
	}
	return t
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
func HoldThreshold(text, op, unit, comparison string, limit float64, records []Record) ThresholdOutcome {
	o := ThresholdOutcome{Threshold: text, Op: op, Unit: unit}
	var values []float64
	for _, r := range records {
		if v, ok := r.Value(unit); ok && r.Op == op {
			values = append(values, v)
		}
	}
	if o.Samples = len(values); o.Samples == 0 {
		return o
	}
	o.Measured, o.Held = true, true
	known, _ := LookupUnit(unit)
	if !known.Exact {
		values = []float64{median(values)}
	}
	// The first that fails is as good as any: of exact values, one alone is wanted.
	o.Value = values[0]
	for _, v := range values {
		if !Held(v, comparison, limit) {
			o.Value, o.Held = v, false
			break
		}
	}
	return o
}

// maxThresholdsTold is how many a sentence names before it becomes a list that nobody reads.
const maxThresholdsTold = 10

// ThresholdSummary is a clause on those that failed: "2 of 3 thresholds failed: p99-ns/op < 20ms (21.3ms), …".
func ThresholdSummary(list []ThresholdOutcome) string {
	failed := FailedThresholds(list)
	if len(failed) == 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %s failed: ", len(failed), plural(len(list), "threshold"))
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
