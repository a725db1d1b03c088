package scenarios

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/timeline"
)

func TestThresholdsAreRead(t *testing.T) {
	for text, want := range map[string]Threshold{
		"p99-ns/op{op=push} < 20ms":   {Unit: "p99-ns/op", op: delivery.OpPush, comparison: "<", limit: 20e6},
		"p99-ns/op<20000000":          {Unit: "p99-ns/op", comparison: "<", limit: 20e6},
		"failed/device == 0":          {Unit: "failed/device", comparison: "==", limit: 0},
		"failed/device <= 1%":         {Unit: "failed/device", comparison: "<=", limit: 0.01},
		"  retries/device != 2  ":     {Unit: "retries/device", comparison: "!=", limit: 2},
		"ops/s >= 2000/s":             {Unit: "ops/s", comparison: ">=", limit: 2000},
		"ops/s > 1.5e3":               {Unit: "ops/s", comparison: ">", limit: 1500},
		"peak-rss-B < 200MiB":         {Unit: "peak-rss-B", comparison: "<", limit: 200 << 20},
		"B/op < 2KiB":                 {Unit: "B/op", comparison: "<", limit: 2048},
		"wire-B/device < 1MB":         {Unit: "wire-B/device", comparison: "<", limit: 1e6},
		"allocs/op{op=deliver} <= 40": {Unit: "allocs/op", op: delivery.OpDeliver, comparison: "<=", limit: 40},
		"p99-ns/op{op=push, group=slow} < 2s": {
			Unit: "p99-ns/op", op: delivery.OpPush, Group: "slow", comparison: "<", limit: 2e9,
		},
		"failed/device{group=rest} < 1%": {Unit: "failed/device", Group: "rest", comparison: "<", limit: 0.01},
		"MB/s > 100":                     {Unit: "MB/s", comparison: ">", limit: 100},
		"p99-ns/op < 20ms in every 5s": {Unit: "p99-ns/op", comparison: "<", limit: 20e6,
			Window: 5 * time.Second, InRow: 1},
		" ops/s{op=push}>=90/s  in  every 1m30s\tfor 3 windows ": {Unit: "ops/s", op: delivery.OpPush, comparison: ">=",
			limit: 90, Window: 90 * time.Second, InRow: 3},
		"failed/device < 1% in every 10ms for 1 window": {Unit: "failed/device", comparison: "<", limit: 0.01,
			Window: 10 * time.Millisecond, InRow: 1},
	} {
		var got Threshold
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		written, err := got.MarshalText()
		require.NoError(t, err)
		var again Threshold
		require.NoError(t, again.UnmarshalText(written))
		require.Equal(t, got, again)
		got.text = ""
		require.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		"":                         "want METRIC < LIMIT",
		"p99-ns/op":                "want METRIC < LIMIT",
		"p99-ns/op <":              "want METRIC < LIMIT",
		"p99-ns/op = 3":            "want METRIC < LIMIT",
		"p99-ns/op ! 3":            "want METRIC < LIMIT",
		"p99-ns/op{op=push < 3ms":  "want METRIC < LIMIT",
		"p98-ns/op < 3ms":          `metric "p98-ns/op": did you mean p9`,
		"p99-ns/op{op=ping} < 3ms": "{op=ping}: want {op=push}",
		"p99-ns/op{push} < 3ms":    "{push}: want {op=push}",
		"p99-ns/op < 3 parsecs":    `limit "3 parsecs": want a duration such as 20ms`,
		"p99-ns/op < -3ms":         `limit "-3ms": want a duration`,
		"p99-ns/op < NaN":          `limit "NaN": want a duration`,
		"peak-rss-B < much":        `limit "much": want an amount of data`,
		"ops/s > 10 a second":      `limit "10 a second": want a rate`,
		"failed/device < few":      `limit "few": want a number, or a percentage`,
		"p99-ns/op{group=} < 3ms":  "{group=}: want {op=push}",
		"ops/s{group=slow} > 3/s": "ops/s is of the whole load: leave {group=slow} out, or use a metric that groups have: " +
			"ns/op, p50-ns/op, p75-ns/op, p90-ns/op, p95-ns/op, p99-ns/op, p99.9-ns/op, max-ns/op, service-p99-ns/op, " +
			"time-to-updated-p50-ns/op, time-to-updated-p90-ns/op, time-to-updated-p99-ns/op, time-to-updated-max-ns/op, " +
			"retries/device, failed/device",
		"allocs/op < 0x10":                            `limit "0x10": want a number`,
		"p99-ns/op < in every 5s":                     `limit "": want a duration`,
		"p99-ns/op < 5ms every 5s":                    "every 5s: want in every 5s, or in every 5s for 3 windows",
		"p99-ns/op < 5ms for 3 windows":               "for 3 windows: want in every 5s, or in every 5s for 3 windows",
		"p99-ns/op < 5ms in each 5s":                  "in each 5s: want in every 5s, or in every 5s for 3 windows",
		"p99-ns/op < 5ms in every":                    "in every: want in every 5s, or",
		"p99-ns/op < 5ms in every 5s for 3":           "in every 5s for 3: want in every 5s, or",
		"p99-ns/op < 5ms in every 5 s":                "in every 5 s: want in every 5s, or",
		"p99-ns/op < 5ms in every five":               "in every five: want a multiple of 10ms, 720h at most, such as 5s",
		"p99-ns/op < 5ms in every 0s":                 "in every 0s: want a multiple of 10ms",
		"p99-ns/op < 5ms in every 5ms":                "in every 5ms: want a multiple of 10ms",
		"p99-ns/op < 5ms in every 25ms":               "in every 25ms: want a multiple of 10ms",
		"p99-ns/op < 5ms in every 721h":               "in every 721h: want a multiple of 10ms",
		"p99-ns/op < 5ms in every 5s for 0 windows":   "for 0 windows: want a number from 1 to 200000",
		"p99-ns/op < 5ms in every 5s for -1 windows":  "for -1 windows: want a number from 1 to 200000",
		"p99-ns/op < 5ms in every 5s for a windows":   "for a windows: want a number",
		"p99-ns/op < 5ms in every 5s for 1e3 windows": "for 1e3 windows: want a number",
	} {
		var got Threshold
		require.ErrorContains(t, got.UnmarshalText([]byte(text)), want, text)
	}
}

func TestThresholdsOfASpecMakeSense(t *testing.T) {
	for text, want := range map[string]string{
		"{name: x, thresholds: [ops/s > 1/s, p99-ns/op < 1s, 'p99-ns/op{op=verify} < 1s']}": "",
		"{name: x, load: {operation: push}, thresholds: ['p99-ns/op{op=verify} < 1s']}":     `x.yaml:1:49: thresholds[0]: "p99-ns/op{op=verify} < 1s": a load of push has no operation verify`,
		"{name: x, thresholds: [ops/s > 1/s, 'ops/s{op=push} > 1/s']}":                      `x.yaml:1:37: thresholds[1]: "ops/s{op=push} > 1/s": ops/s is of the whole load: leave {op=push} out`,
		"{name: x, load: {operation: verify}, thresholds: [MB/s > 1]}":                      `thresholds[0]: "MB/s > 1": a verification pushes nothing`,
		"{name: x, thresholds: ['ns/op{group=slow} < 1s', 'ns/op{group=rest} < 1s'], " +
			"fleet: {devices: 10, groups: [{name: slow, share: 10%}]}}": "",
		"{name: x, thresholds: ['ns/op{group=slw} < 1s'], fleet: {devices: 10, groups: [{name: slow, share: 10%}]}}": `x.yaml:1:24: ` +
			`thresholds[0]: "ns/op{group=slw} < 1s": group "slw": did you mean slow?; want one of slow, rest`,
		"{name: x, thresholds: ['ns/op{group=rest} < 1s'], fleet: {devices: 10, groups: [{name: a, share: 100%}]}}": `group "rest"; want one of a`,
		"{name: x, thresholds: ['ns/op{group=slow} < 1s']}":                                                         `group "slow": the fleet has no groups`,
		"{name: x, thresholds: [speed > 1]}":                                                                        `x.yaml:1:24: thresholds[0]: "speed > 1": metric "speed"`,
	} {
		_, err := Parse("x.yaml", []byte(text))
		if want == "" {
			require.NoError(t, err, text)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
}

func TestThresholdsAreHeld(t *testing.T) {
	record := func(op string, repetition int, values ...results.Value) results.Record {
		return results.Record{Scenario: "x", Op: op, Repetition: repetition, Ops: 1000, Values: values}
	}
	v := func(unit string, value float64) results.Value { return results.Value{Unit: unit, Value: value} }
	records := []results.Record{
		record("push", 1, v("p99-ns/op", 10e6)), record("deliver", 1, v("p99-ns/op", 20e6), v("failed/device", 0)),
		record("push", 2, v("p99-ns/op", 30e6)), record("deliver", 2, v("p99-ns/op", 20e6), v("failed/device", 0.5)),
		record("push", 3, v("p99-ns/op", 11e6)), record("deliver", 3, v("p99-ns/op", 20e6), v("failed/device", 0)),
	}
	for text, want := range map[string]results.ThresholdOutcome{
		"p99-ns/op{op=push} < 12ms": {Op: "push", Unit: "p99-ns/op", Value: 11e6, Samples: 3, Measured: true,
			Held: true}, // judged by the median
		"p99-ns/op{op=push} < 11ms": {Op: "push", Unit: "p99-ns/op", Value: 11e6, Samples: 3, Measured: true},
		"p99-ns/op == 20ms": {Op: "deliver", Unit: "p99-ns/op", Value: 20e6, Samples: 3, Measured: true,
			Held: true},
		"failed/device == 0": {Op: "deliver", Unit: "failed/device", Value: 0.5, Samples: 3,
			Measured: true}, // judged by the worst repetition
		"failed/device <= 0.5": {Op: "deliver", Unit: "failed/device", Value: 0, Samples: 3, Measured: true,
			Held: true},
		"p99-ns/op{op=verify} < 1s": {Op: "verify", Unit: "p99-ns/op"},
		"p99-ns/op{min=1001, op=push} < 12ms": {Op: "push", Unit: "p99-ns/op", Value: 11e6, Samples: 3, Measured: true,
			Held: true}, // one repetition of 1,000 is enough
	} {
		var threshold Threshold
		require.NoError(t, threshold.UnmarshalText([]byte(text)))
		want.Threshold = text
		require.Equal(t, want, threshold.Outcome(LoadSpec{Operation: delivery.OpDeliver}, records, nil))
	}
}

// TestThresholds_ofAGroup checks that a threshold with a group is held against that group alone.
func TestThresholds_ofAGroup(t *testing.T) {
	group := func(name string, repetition int, p50, failed float64) results.Group {
		return results.Group{Name: name, Repetition: repetition, Operations: []results.GroupOperation{
			{Op: "push", Succeeded: 100, Metrics: map[string]float64{"p50-ns/op": p50 / 2}},
			{Op: "deliver", Succeeded: 100, Metrics: map[string]float64{"p50-ns/op": p50, "failed/device": failed}},
		}}
	}
	groups := []results.Group{
		group("slow", 1, 8e6, 0), group("rest", 1, 2e6, 0.1), group("slow", 2, 6e6, 0.5), group("rest", 2, 2e6, 0.1),
		group("slow", 3, 9e6, 0), group("rest", 3, 2e6, 0.1),
	}
	whole := []results.Record{{Op: "deliver", Ops: 600, Values: []results.Value{{Unit: "p50-ns/op", Value: 1}}}}
	for text, want := range map[string]results.ThresholdOutcome{
		"p50-ns/op{group=slow} < 8ms": {Op: "deliver", Group: "slow", Unit: "p50-ns/op", Value: 8e6, Samples: 3,
			Measured: true},
		"p50-ns/op{group=rest} < 8ms": {Op: "deliver", Group: "rest", Unit: "p50-ns/op", Value: 2e6, Samples: 3,
			Measured: true, Held: true},
		"p50-ns/op{op=push,group=slow} == 4ms": {Op: "push", Group: "slow", Unit: "p50-ns/op", Value: 4e6, Samples: 3,
			Measured: true, Held: true},
		"failed/device{group=slow} == 0": {Op: "deliver", Group: "slow", Unit: "failed/device", Value: 0.5, Samples: 3,
			Measured: true}, // the worst repetition
		"p50-ns/op{group=gone} < 8ms": {Op: "deliver", Group: "gone", Unit: "p50-ns/op"},
	} {
		var threshold Threshold
		require.NoError(t, threshold.UnmarshalText([]byte(text)))
		want.Threshold = text
		require.Equal(t, want, threshold.Outcome(LoadSpec{Operation: delivery.OpDeliver}, whole, groups))
	}
}

// TestAPercentileOfAFewOperationsIsInconclusive checks that such a percentile is inconclusive,
// unless the threshold says that so few are enough, or their median shows that it failed.
func TestAPercentileOfAFewOperationsIsInconclusive(t *testing.T) {
	record := func(ops int64, values ...results.Value) []results.Record {
		return []results.Record{{Scenario: "x", Op: "push", Repetition: 1, Ops: ops, Values: values}}
	}
	v := func(unit string, value float64) results.Value { return results.Value{Unit: unit, Value: value} }
	failures := record(1000, v("failed/device", 0.2), v("failed-p99-ns/op", 1e6))
	failures[0].Failed = 250
	for _, row := range []struct {
		text    string
		records []results.Record
		verdict results.Verdict
		says    string
	}{
		{"p99.9-ns/op < 1s", record(8, v("p99.9-ns/op", 1e6)), results.Inconclusive,
			"inconclusive: 8 operations: a p99.9 wants 10,000"},
		{"p99.9-ns/op{min=8} < 1s", record(8, v("p99.9-ns/op", 1e6)), results.Pass, "held"},
		{"p99.9-ns/op{min=9} < 1s", record(8, v("p99.9-ns/op", 1e6)), results.Inconclusive,
			"inconclusive: 8 operations: a p99.9 wants 9"},
		{"p90-ns/op < 1s", record(100, v("p90-ns/op", 1e6)), results.Pass, "held"},
		{"p90-ns/op < 1s", record(99, v("p90-ns/op", 1e6)), results.Inconclusive,
			"inconclusive: 99 operations: a p90 wants 100"},
		{"p50-ns/op < 1s", record(1, v("p50-ns/op", 1e6)), results.Inconclusive, "inconclusive: 1 operation: a p50 wants 20"},
		{"max-ns/op < 1s", record(1, v("max-ns/op", 1e6)), results.Pass, "held"},
		// Half of the 8 operations took longer, which is more than one in a hundred.
		{"p99-ns/op < 1ms", record(8, v("p50-ns/op", 2e6), v("p99-ns/op", 9e6)), results.Regressed, "failed"},
		{"p99-ns/op < 5ms", record(8, v("p50-ns/op", 2e6), v("p99-ns/op", 9e6)), results.Inconclusive,
			"inconclusive: 8 operations: a p99 wants 1,000"},
		// 1,000 succeeded and 250 failed; this metric counts the failures.
		{"failed-p99-ns/op < 5ms", failures, results.Inconclusive, "inconclusive: 250 operations: a p99 wants 1,000"},
	} {
		var threshold Threshold
		require.NoError(t, threshold.UnmarshalText([]byte(row.text)))
		text, verdict := threshold.Outcome(LoadSpec{Operation: delivery.OpPush}, row.records, nil).Result()
		require.Equal(t, row.verdict, verdict, row.text)
		require.Equal(t, row.says, text, row.text)
	}
	for _, bad := range []string{"p99-ns/op{min=0} < 1s", "p99-ns/op{min=x} < 1s", "p99-ns/op{few} < 1s",
		"p99-ns/op{op=push < 1s"} {
		require.Error(t, new(Threshold).UnmarshalText([]byte(bad)), bad)
	}
	s := Default()
	s.Name = "x"
	for text, problem := range map[string]string{
		"ops/s{min=5} > 1/s": "ops/s is no percentile: leave min=5 out",
		"stopped == 0":       "stopped is of a rollout",
		"updated/fleet == 1": "updated/fleet is of a rollout",
	} {
		var threshold Threshold
		require.NoError(t, threshold.UnmarshalText([]byte(text)))
		s.Thresholds = []Threshold{threshold}
		require.ErrorContains(t, s.Validate(), problem)
	}
}

// TestThreshold_written checks how thresholds are written, with and without abort, and that each
// form is read back.
func TestThreshold_written(t *testing.T) {
	const text = "name: x\nload: {duration: 10s}\nthresholds:\n" +
		"  - ops/s > 1/s in every 1s\n  - {abort: true, threshold: 'ns/op{op=push} < 1s in every 10ms for 3 windows'}\n" +
		"  - {threshold: failed/device == 0}\n"
	s, err := Parse("x.yaml", []byte(text))
	require.NoError(t, err)
	require.True(t, s.Thresholds[1].Abort)

	shown, err := s.YAML()
	require.NoError(t, err)
	require.Contains(t, string(shown), "thresholds:\n- ops/s > 1/s in every 1s\n"+
		"- threshold: ns/op{op=push} < 1s in every 10ms for 3 windows\n  abort: true\n- failed/device == 0\n")
	commented, err := s.CommentedYAML()
	require.NoError(t, err)
	require.Contains(t, string(commented), "  # Whether the run ends as soon as the threshold has failed, with exit code 1.")
	for _, form := range [][]byte{shown, commented} {
		back, err := Parse("y.yaml", form)
		require.NoError(t, err, "%s", form)
		require.Equal(t, s, back)
	}

	written, err := json.Marshal(s.Thresholds)
	require.NoError(t, err)
	require.JSONEq(t, `["ops/s > 1/s in every 1s", `+
		`{"threshold": "ns/op{op=push} < 1s in every 10ms for 3 windows", "abort": true}, "failed/device == 0"]`, string(written))
	var back []Threshold
	require.NoError(t, json.Unmarshal(written, &back))
	require.Equal(t, s.Thresholds, back)
	for _, bad := range []string{`[3]`, `["ops/s"]`, `[{"threshold": 3}]`, `[{}]`} {
		require.Error(t, json.Unmarshal([]byte(bad), &back), bad)
	}

	plain := Default()
	plain.Name, plain.Load.Duration = "x", Duration(10*time.Second)
	require.NoError(t, plain.Set("thresholds=[{threshold: ops/s > 1/s in every 1s, abort: true}]"))
	require.NoError(t, plain.Validate())
	require.True(t, plain.Thresholds[0].Abort)
	require.NoError(t, plain.Set("thresholds[0]=ops/s > 2/s in every 1s"))
	require.False(t, plain.Thresholds[0].Abort)
	require.ErrorContains(t, plain.Set("thresholds=[{threshold: ops/s > 1/s, abort: maybe}]"),
		`thresholds[0].abort: "maybe": want true or false`)
}

func TestWindowStep(t *testing.T) {
	for _, c := range []struct {
		windows []time.Duration
		want    time.Duration
	}{
		{nil, 0}, {[]time.Duration{0, 0}, 0}, {[]time.Duration{5 * time.Second}, 5 * time.Second},
		{[]time.Duration{6 * time.Second, 0, 4 * time.Second}, 2 * time.Second},
		{[]time.Duration{70 * time.Millisecond, 30 * time.Millisecond}, 10 * time.Millisecond},
	} {
		var s Spec
		for _, w := range c.windows {
			s.Thresholds = append(s.Thresholds, Threshold{Window: w})
		}
		require.Equal(t, c.want, s.WindowStep())
	}
	require.Equal(t, timeline.MaxIntervals, maxIntervals)
}
