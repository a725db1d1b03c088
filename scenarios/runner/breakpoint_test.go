package runner

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

func searching(capacity scenarios.Rate) scenarios.Spec {
	s := small()
	s.Fleet.Devices, s.Fleet.Capacity = 20, capacity
	s.Repetitions, s.Warmup, s.Profiled = 1, 1, 0
	s.Load = scenarios.LoadSpec{Model: scenarios.Breakpoint, Operation: delivery.OpPush, Workers: 64, Rate: 50,
		Breakpoint: scenarios.BreakpointSpec{To: 6400, TrialDuration: scenarios.Duration(time.Second)}}
	return s
}

// TestASearchFindsAKnownLimit searches for the limit of a fleet that answers at most 200 updates a
// second. BenchmarkBreakpoint reports how exactly it is found. On a busy machine the driver's own
// limit may be lower, or a higher rate unclear, which the run then reports. One search in three
// must find a limit.
func TestASearchFindsAKnownLimit(t *testing.T) {
	testenv.Slow(t)
	s := searching(200)
	s.Load.Rate, s.Load.Breakpoint.TrialDuration = 70, scenarios.Duration(300*time.Millisecond)
	var res *Result
	for range 3 {
		var err error
		res, err = Run(t.Context(), options(t, s))
		require.NoError(t, err)
		if !strings.HasPrefix(strings.Join(res.Run.Invalid, "\n"), "the search has no lower end: 70/s is unclear: ") {
			break
		}
		require.Empty(t, res.Records, "no limit is recorded")
	}
	for _, reason := range res.Run.Invalid { // on a busy machine, the driver may reach its limit first, which is reported
		require.Regexp(t, `^the limit that was found, [\d.]+/s, (isn't the devices': at .* the driver was too slow, or its machine|may be too low: [\d.]+/s is unclear: )`, reason)
	}
	notes := slices.DeleteFunc(res.Run.Notes,
		func(note string) bool { // on a busy machine, the fleet may be slow before the load
			return strings.Contains(note, "devices did not answer within 500ms before the load")
		})
	require.Len(t, notes, 1)
	require.Regexp(t, `^[\d.]+/s held; [\d.]+/s (didn't|is unclear): `, notes[0])
	require.Len(t, res.Records, 1)
	limit, ok := res.Records[0].Value(results.UnitLimit)
	require.True(t, ok)
	require.Less(t, limit, 200*1.1)
	require.Greater(t, limit, 49.0)
	require.Zero(t, res.Run.Counts.Failed)
}

func TestASearchThatHasNoEnd(t *testing.T) {
	s := searching(0)
	s.Load.Rate, s.Load.Breakpoint.To, s.Load.Breakpoint.TrialDuration = 200, 400, scenarios.MinTrialDuration
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
	require.Equal(t, []string{"400/s held, the highest rate that was to be tried (load.breakpoint.to): the limit lies above"}, res.Run.Notes)

	s.Fleet.Behavior.Faults = []fault.Fault{{Kind: "status-400"}}
	res, err = Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.False(t, res.Run.Valid)
	require.Equal(t, results.Invalid, res.Run.Verdict)
	require.Contains(t, res.Run.Invalid[0], "the search has no lower end: 200/s didn't: ")
	require.Empty(t, res.Records)
}

// TestASearchHoldsItsThresholds checks that a rate whose answers take too long is beyond the limit,
// even if operations don't pile up.
func TestASearchHoldsItsThresholds(t *testing.T) {
	s := searching(0)
	s.Load.Rate, s.Load.Breakpoint.TrialDuration = 200, scenarios.MinTrialDuration
	s.Fleet.Behavior.Latency = must(random.Fixed(20 * time.Millisecond))
	var threshold scenarios.Threshold
	require.NoError(t, threshold.UnmarshalText([]byte("p50-ns/op < 1ms")))
	s.Thresholds = []scenarios.Threshold{threshold}
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.Contains(t, res.Run.Invalid[0], "200/s didn't: the threshold p50-ns/op < 1ms failed")
}

// BenchmarkBreakpoint reports how exactly a search finds a fleet's limit.
func BenchmarkBreakpoint(b *testing.B) {
	machine, err := results.ThisMachine(b.Context())
	require.NoError(b, err)
	for _, capacity := range []scenarios.Rate{300, 1000, 3000} {
		b.Run("capacity="+capacity.String()[:len(capacity.String())-2], func(b *testing.B) {
			var worst float64
			for b.Loop() {
				s := searching(capacity)
				s.Load.Rate, s.Load.Breakpoint = capacity/7, scenarios.BreakpointSpec{To: capacity * 8,
					TrialDuration: scenarios.Duration(3 * time.Second), Tolerance: 0.02}
				res, err := Run(b.Context(), Options{Machine: machine, Spec: s, Target: target.Options{Address: target.InProcess},
					Out: b.TempDir()})
				require.NoError(b, err)
				require.Len(b, res.Records, 1, "%v", res.Run.Invalid)
				limit, _ := res.Records[0].Value(results.UnitLimit)
				off := (limit - float64(capacity)) / float64(capacity)
				b.Logf("found %.1f/s of %s: %+.1f%%", limit, capacity, 100*off)
				worst = max(worst, off, -off)
			}
			b.ReportMetric(100*worst, "%-off")
		})
	}
}

// TestJudgeTrial checks that a rate holds only if that is certain: if response times may grow by
// more than the tolerance, 5%, the outcome is unclear.
func TestJudgeTrial(t *testing.T) {
	steady, steep := load.Growth{Margin: 0.01}, load.Growth{PerSecond: 0.4, Margin: 0.1}
	unsteady, tooFew := load.Growth{PerSecond: 0.04, Margin: 0.18}, load.Growth{Margin: math.Inf(1)}
	const pileUp = "operations pile up: response times grew by 40.0% of the time that passed"
	saturated := []health.Finding{{Kind: health.HarnessSaturated, Detail: "it was late"}}
	contradicted := []health.Finding{{Kind: health.Contradiction}}
	for name, row := range map[string]struct {
		growth            load.Growth
		succeeded, failed int64
		notSent           int64
		findings          []health.Finding
		want              load.TrialOutcome
		reason            string
	}{
		"steady": {growth: steady, succeeded: 20, want: load.Held},
		"steep":  {growth: steep, succeeded: 20, want: load.Exceeded, reason: pileUp},
		"unsteady": {growth: unsteady, succeeded: 20, want: load.Unclear,
			reason: "response times grew by 4.0% of the time that passed, give or take 18.0%, where up to 5.0% would do"},
		"too few": {growth: tooFew, succeeded: 2, want: load.Unclear,
			reason: "2 operations are too few to tell whether they pile up"},
		"not sent": {growth: unsteady, succeeded: 20, notSent: 4, want: load.Exceeded,
			reason: "4 of 24 operations were not sent in time"},
		"failed": {growth: steady, succeeded: 19, failed: 1, want: load.Exceeded,
			reason: "1 of 20 operations failed"},
		"failed, and unsteady": {growth: unsteady, succeeded: 19, failed: 1, want: load.Exceeded,
			reason: "1 of 20 operations failed"},
		"nearly all failed": {growth: tooFew, succeeded: 1, failed: 19, want: load.Exceeded,
			reason: "19 of 20 operations failed, and hardly any succeeded"},
		"saturated": {growth: steady, succeeded: 20, findings: saturated, want: load.Exceeded,
			reason: "the harness was the bottleneck: it was late"},
		"steep, and saturated": {growth: steep, succeeded: 20, findings: saturated, want: load.Exceeded, reason: pileUp},
		"contradicted": {growth: steady, succeeded: 20, findings: contradicted,
			want: load.Held}, // another finding, which makes the run invalid
	} {
		t.Run(name, func(t *testing.T) {
			m := &measured{findings: row.findings}
			m.Succeeded, m.Failed = row.succeeded, row.failed
			m.Operations.NotSent, m.Operations.Planned = row.notSent, row.succeeded+row.failed+row.notSent
			m.latencies, _ = load.NewRecording(load.RecordingConfig{Op: delivery.OpPush}).Merge()
			spec := scenarios.Spec{Load: scenarios.LoadSpec{Operation: delivery.OpPush}}
			outcome, reason := judgeTrial(spec, m, row.growth, 0.05)
			require.Equal(t, row.want, outcome)
			require.Equal(t, row.reason, reason)
		})
	}
}
