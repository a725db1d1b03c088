package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// Threshold is what a metric of a run must hold, as text:
//
//	p99-ns/op{op=push} < 20ms
//	failed/device == 0
//
// A metric as in samples.txt, the operation that it is of (left out, the one that the load
// asks for), of a percentile the operations from which on it is judged (min=100; left out, 10/(1−q)),
// one of < <= > >= == !=, and a limit in the metric's terms: a duration for
// times, an amount of data for bytes, a rate for rates, a percentage for shares, or a plain
// number in the metric's own unit.
type Threshold struct {
	text       string
	unit       string
	op         Operation // empty: the load's own
	least      int64     // of how many operations a percentile is judged; 0: as many as it wants
	comparison string
	limit      float64
}

const thresholdForm = `want METRIC < LIMIT, such as "p99-ns/op{op=push} < 20ms" or "failed/device == 0"`

// UnmarshalText reads a threshold.
func (t *Threshold) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	at := strings.IndexAny(s, "<>=!")
	if open := strings.IndexByte(s, '{'); open >= 0 && open < at { // the = of op= is none
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return fmt.Errorf("%q: %s", text, thresholdForm)
		}
		if at = strings.IndexAny(s[end:], "<>=!"); at >= 0 {
			at += end
		}
	}
	if at < 0 {
		return fmt.Errorf("%q: %s", text, thresholdForm)
	}
	metric, rest := strings.TrimSpace(s[:at]), s[at:]
	parsed := Threshold{text: s}
	for _, c := range []string{"<=", ">=", "==", "!=", "<", ">"} {
		if after, ok := strings.CutPrefix(rest, c); ok {
			parsed.comparison, rest = c, strings.TrimSpace(after)
			break
		}
	}
	if parsed.comparison == "" || rest == "" {
		return fmt.Errorf("%q: %s", text, thresholdForm)
	}
	if err := parsed.readMetric(metric); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	var err error
	if parsed.limit, err = limitOf(parsed.unit, rest); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	*t = parsed
	return nil
}

func (t *Threshold) readMetric(metric string) error {
	name, filter, filtered := strings.Cut(metric, "{")
	if filtered {
		inner, closed := strings.CutSuffix(filter, "}")
		for part := range strings.SplitSeq(inner, ",") {
			if !closed || !t.readFilter(strings.TrimSpace(part)) {
				return fmt.Errorf("{%s: want {op=push}, {op=verify} or {op=deliver}, and of a percentile {min=100}, the operations from which on it is judged", filter)
			}
		}
	}
	known, ok := results.LookupUnit(strings.TrimSpace(name))
	if !ok {
		var names []string
		for _, u := range results.Units() {
			names = append(names, u.Name)
		}
		return fmt.Errorf("metric %q%s; want one of %s", name, didYouMean(name, names), strings.Join(names, ", "))
	}
	t.unit = known.Name
	return nil
}

// readFilter reads a part of what is in braces, and reports whether there is such a thing.
func (t *Threshold) readFilter(part string) bool {
	key, value, _ := strings.Cut(part, "=")
	switch key {
	case "op":
		t.op = Operation(value)
		return slices.Contains([]Operation{Push, Verify, Deliver}, t.op)
	case "min":
		n, err := strconv.ParseInt(value, 10, 64)
		t.least = n
		return err == nil && n > 0
	}
	return false
}

// limitOf reads a limit in the terms of its metric.
func limitOf(unit, text string) (float64, error) {
	if n, err := strconv.ParseFloat(text, 64); err == nil && parsesPlainly(text) {
		return n, nil
	}
	switch {
	case strings.HasSuffix(unit, "ns/op"):
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("limit %q: want a duration such as 20ms, or nanoseconds", text)
		}
		return float64(d), nil
	case strings.HasPrefix(unit, "B/"), strings.HasPrefix(unit, "wire-B"), strings.HasSuffix(unit, "-B"):
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil {
			return 0, fmt.Errorf("limit %w", err)
		}
		return float64(b), nil
	case strings.HasSuffix(unit, "ops/s"):
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err != nil {
			return 0, fmt.Errorf("limit %w", err)
		}
		return float64(r), nil
	case strings.HasSuffix(unit, "/device"), strings.HasSuffix(unit, "/fleet"):
		if digits, ok := strings.CutSuffix(text, "%"); ok {
			if n, err := parseDecimal(strings.TrimSpace(digits)); err == nil {
				return n / 100, nil
			}
		}
		return 0, fmt.Errorf("limit %q: want a number, or a percentage such as 1%%", text)
	}
	return 0, fmt.Errorf("limit %q: want a number", text)
}

// parsesPlainly keeps Inf, NaN and hexadecimals out.
func parsesPlainly(text string) bool { return strings.Trim(text, "0123456789.eE+-") == "" }

// MarshalText writes what UnmarshalText has read.
func (t Threshold) MarshalText() ([]byte, error) { return []byte(t.text), nil }

func (t Threshold) String() string { return t.text }

// check holds the records of a run, or of a part of one, against the threshold.
func (t Threshold) check(load LoadSpec, records []results.Record) results.ThresholdOutcome {
	op := t.op
	if op == "" {
		op = load.Operation
	}
	return results.HoldThreshold(t.text, string(op), t.unit, t.comparison, t.limit, t.least, records)
}

// thresholds are those of the scenario, and that a rollout which may stop doesn't, unless a threshold says
// of it what it should do.
func (s Spec) thresholds() []Threshold {
	if s.Load.Model != Rolling || s.Load.Rollout.AbortShare == 0 ||
		slices.ContainsFunc(s.Thresholds, func(t Threshold) bool { return t.unit == results.UnitStopped }) {
		return s.Thresholds
	}
	return append(slices.Clip(s.Thresholds), Threshold{text: results.UnitStopped + " == 0", unit: results.UnitStopped, comparison: "=="})
}

// ofRollouts reports whether a metric is of the rollout model alone.
func ofRollouts(unit string) bool {
	return strings.HasSuffix(unit, "/fleet") || unit == results.UnitStopped
}

// wholeLoad reports whether a metric is of the whole load.
func wholeLoad(name string) bool {
	unit, _ := results.LookupUnit(name)
	return unit.Scope == results.WholeLoad
}

// checkThresholds reports thresholds that nothing could meet, for want of the metric.
func (s Spec) checkThresholds(bad func(field, format string, args ...any)) {
	for i, t := range s.Thresholds {
		field := indexed("thresholds", i)
		switch {
		case t.text == "":
			bad(field, "is empty: %s", thresholdForm)
		case t.op != "" && !slices.Contains(s.Load.Operations(), t.op):
			bad(field, "%q: a load of %s has no operation %s", t.text, s.Load.Operation, t.op)
		case t.op != "" && t.op != s.Load.Operation && wholeLoad(t.unit):
			bad(field, "%q: %s is of the whole load: leave {op=%s} out", t.text, t.unit, t.op)
		case t.least > 0 && results.WantedOperations(t.unit) == 0:
			bad(field, "%q: %s is no percentile: leave min=%d out", t.text, t.unit, t.least)
		case ofRollouts(t.unit) && s.Load.Model != Rolling:
			bad(field, "%q: %s is of a rollout: want load.model: rollout, or failed/device", t.text, t.unit)
		case t.unit == results.UnitThroughput && s.Load.Operation == Verify:
			bad(field, "%q: a verification pushes nothing", t.text)
		}
	}
}
