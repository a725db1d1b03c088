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
// asks for), one of < <= > >= == !=, and a limit in the metric's terms: a duration for
// times, an amount of data for bytes, a rate for rates, a percentage for shares, or a plain
// number in the metric's own unit.
type Threshold struct {
	text       string
	unit       string
	op         Operation // empty: the load's own
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
		op, ok := strings.CutPrefix(strings.TrimSuffix(filter, "}"), "op=")
		if !ok || !strings.HasSuffix(filter, "}") || !slices.Contains([]Operation{Push, Verify, Deliver}, Operation(op)) {
			return fmt.Errorf("{%s: want {op=push}, {op=verify} or {op=deliver}", filter)
		}
		t.op = Operation(op)
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
	return results.HoldThreshold(t.text, string(op), t.unit, t.comparison, t.limit, records)
}

// checkThresholds reports thresholds that nothing could meet, for want of the metric.
func (s Spec) checkThresholds(bad func(field, format string, args ...any)) {
	whole := []string{"ops/s", "MB/s", "cpu-ns/op", "B/op", "allocs/op", "requests/device", "wire-B/device", "retries/device", "failed/device", "failed/fleet", "failed-p99-ns/op", limitUnit, "peak-rss-B"}
	for i, t := range s.Thresholds {
		field := indexed("thresholds", i)
		switch {
		case t.text == "":
			bad(field, "is empty: %s", thresholdForm)
		case t.op != "" && !slices.Contains(s.Load.Operations(), t.op):
			bad(field, "%q: a load of %s has no operation %s", t.text, s.Load.Operation, t.op)
		case t.op != "" && t.op != s.Load.Operation && slices.Contains(whole, t.unit):
			bad(field, "%q: %s is of the whole load: leave {op=%s} out", t.text, t.unit, t.op)
		case t.unit == "MB/s" && s.Load.Operation == Verify:
			bad(field, "%q: a verification pushes nothing", t.text)
		}
	}
}
