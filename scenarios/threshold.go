package scenarios

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
)

// A Threshold is a limit that a metric of a run must keep, as text:
//
//	p99-ns/op{op=push} < 20ms
//	failed/device == 0
//	failed/device{group=slow} < 1%
//
// It names a metric of samples.txt. Braces may hold the operation, if it isn't the load's own, the
// group of devices, if the limit isn't for the whole fleet, and how many operations a percentile
// needs to be judged (min=100; the default is 10/(1−q)). A comparison follows (< <= > >= == !=), and
// then a limit in the metric's terms: a duration for times, an amount of data for bytes, a rate for
// rates, a percentage for shares, or a plain number in the metric's own unit. Windows of each
// repetition may follow, which are then judged instead of the run as a whole:
//
//	ops/s > 90/s in every 1s for 3 windows
type Threshold struct {
	text       string
	Unit       string
	op         delivery.Op // empty for the load's own
	Group      string      // of devices; empty for the whole fleet
	Min        int64       // how many operations a percentile needs; 0 for the default
	comparison string
	limit      float64

	Window time.Duration // the length of the windows that are judged; 0 if the run is judged as a whole
	InRow  int           // how many windows in a row must break the limit; 0 without windows
	Abort  bool          // whether the run ends as soon as the threshold has failed; not part of the text
}

const thresholdSyntax = `METRIC < LIMIT, such as "p99-ns/op{op=push} < 20ms" or "failed/device == 0"`

// thresholdPattern matches the metric, its filter, the comparison and the limit.
var thresholdPattern = regexp.MustCompile(`(?s)^([^{<>=!]*)(\{[^}]*\})?\s*(<=|>=|==|!=|<|>)\s*(.+)$`)

// UnmarshalText parses a threshold.
func (t *Threshold) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	parts := thresholdPattern.FindStringSubmatch(s)
	if parts == nil {
		return &Wrong{strconv.Quote(string(text)), thresholdSyntax}
	}
	parsed := Threshold{text: s, comparison: parts[3]}
	if err := parsed.readMetric(strings.TrimSpace(parts[1]), parts[2]); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	limit, err := parsed.readWindow(parts[4])
	if err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	if parsed.limit, err = parsed.metric().Quantity.ParseLimit(limit); err != nil {
		return fmt.Errorf("%q: limit %w", text, err)
	}
	*t = parsed
	return nil
}

// readMetric parses a metric and its filter, which is in braces or empty.
func (t *Threshold) readMetric(name, filter string) error {
	for part := range strings.SplitSeq(strings.Trim(filter, "{}"), ",") {
		if filter != "" && !t.readFilter(strings.TrimSpace(part)) {
			return fmt.Errorf("%s: want {op=push}, {op=verify} or {op=deliver}, {group=NAME} for the devices of a group, "+
				"and of a percentile {min=100}, the operations from which on it is judged", filter)
		}
	}
	known, ok := results.LookupUnit(name)
	if !ok {
		var names []string
		for _, u := range results.Units() {
			names = append(names, u.Name)
		}
		return fmt.Errorf("metric %q%s; want one of %s", name, didYouMean(name, names), strings.Join(names, ", "))
	}
	t.Unit = known.Name
	if t.Group != "" && !known.OfGroups() {
		return fmt.Errorf("%s is of the whole load: leave {group=%s} out, or use a metric that groups have: %s",
			name, t.Group, strings.Join(groupMetrics(), ", "))
	}
	return nil
}

// groupMetrics returns the metrics that are measured of each group.
func groupMetrics() (names []string) {
	for _, u := range results.Units() {
		if u.OfGroups() {
			names = append(names, u.Name)
		}
	}
	return names
}

// readFilter parses a part of the filter in braces. It reports whether the part is valid.
func (t *Threshold) readFilter(part string) bool {
	key, value, _ := strings.Cut(part, "=")
	switch key {
	case "op":
		t.op = delivery.Op(value)
		return slices.Contains([]delivery.Op{delivery.OpPush, delivery.OpVerify, delivery.OpDeliver}, t.op)
	case "group":
		t.Group = value
		return value != ""
	case "min":
		n, err := strconv.ParseInt(value, 10, 64)
		t.Min = n
		return err == nil && n > 0
	}
	return false
}

// metric returns the unit that the threshold is about.
func (t Threshold) metric() results.Unit {
	unit, _ := results.LookupUnit(t.Unit)
	return unit
}

// MarshalText returns the threshold as it was written. The text doesn't say whether it ends the run.
func (t Threshold) MarshalText() ([]byte, error) { return []byte(t.text), nil }

func (t Threshold) String() string { return t.text }

// Limit returns the limit of the threshold on a load.
func (t Threshold) Limit(load LoadSpec) results.Threshold {
	op := t.op
	if op == "" {
		op = load.Operation
	}
	return results.Threshold{
		Text: t.text, Op: string(op), Group: t.Group, Unit: t.Unit, Comparison: t.comparison, Limit: t.limit, Least: t.Min,
	}
}

// Outcome compares what a run, or a part of one, measured with the threshold: the records of the
// whole fleet, or what was measured of the threshold's group.
func (t Threshold) Outcome(
	load LoadSpec, records []results.Record, groups []results.Group,
) results.ThresholdOutcome {
	if t.Group != "" {
		records = results.GroupRecords(groups, t.Group)
	}
	return t.Limit(load).Evaluate(records)
}

// EffectiveThresholds returns the scenario's thresholds. For a rollout that may stop, it adds one
// that it must not, unless the scenario has a threshold on that.
func (s Spec) EffectiveThresholds() []Threshold {
	if s.Load.Model != Rollout || s.Load.Rollout.AbortShare == 0 ||
		slices.ContainsFunc(s.Thresholds, func(t Threshold) bool { return t.Unit == results.UnitStopped }) {
		return s.Thresholds
	}
	never := Threshold{text: results.UnitStopped + " == 0", Unit: results.UnitStopped, comparison: "=="}
	return append(slices.Clip(s.Thresholds), never)
}
