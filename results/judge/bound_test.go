package judge_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
)

// TestNewBound compares with a computation by hand: for 6 and 6 values, the bound at 2% leaves out
// 5 of the 36 differences, since P(U <= 4) is 13/924, and P(U <= 5) is 19/924.
func TestNewBound(t *testing.T) {
	unit, _ := results.LookupUnit("ns/op")
	old := []float64{100, 200, 300, 400, 500, 600}
	now := []float64{110, 210, 310, 410, 510, 610}
	shift, worst := judge.NewBound(old, now, unit)
	require.Equal(t, 10.0, shift)
	require.Equal(t, 310.0, worst, "510; 410, 410; 310, 310, 310 are the largest: the fifth from above")
	rate, _ := results.LookupUnit("ops/s")
	shift, worst = judge.NewBound(now, old, rate)
	require.Equal(t, 10.0, shift, "a lower rate is worse")
	require.Equal(t, 310.0, worst)
	_, worst = judge.NewBound(old[:2], now[:2], unit)
	require.True(t, math.IsInf(worst, 1))

	// A count that seldom differs: one of six values is larger by 6, so the mean is larger by 1.
	count, _ := results.LookupUnit("requests/device")
	shift, worst = judge.NewBound([]float64{2, 2, 2, 2, 2, 3}, []float64{2, 2, 2, 2, 2, 8}, count)
	require.Zero(t, shift)
	require.Greater(t, worst, 5.0/6)
}

// TestCompare_strict checks that if every metric must have a verdict, one passes only if it can't
// be worse by twice its tolerance, which is 25% for a time. Otherwise it passes unless it is shown
// to be worse.
func TestCompare_strict(t *testing.T) {
	samples := func(values ...float64) (records []results.Record) {
		for i, v := range values {
			records = append(records, results.Record{Scenario: "s", Op: "push", Repetition: i + 1, Ops: 1,
				Values: []results.Value{{Unit: "ns/op", Value: v}}})
		}
		return records
	}
	quiet := []float64{1000, 1010, 1020, 1030, 1040, 1050}
	for name, c := range map[string]struct {
		old, now []float64
		want     results.Verdict
		note     string
	}{
		"quiet, unchanged":  {quiet, quiet, results.Pass, ""},
		"quiet, 20% slower": {quiet, []float64{1200, 1210, 1220, 1230, 1240, 1250}, results.Pass, ""},
		"quiet, 60% slower": {quiet, []float64{1600, 1610, 1620, 1630, 1640, 1650}, results.Regressed, ""},
		"noisy, unchanged": {[]float64{500, 700, 900, 1100, 1300, 1500}, []float64{510, 710, 910, 1110, 1310, 1510},
			results.Inconclusive, `it may be worse by 61.0%, and only less than 50.0%, twice the tolerance, is a pass: about 9 repetitions of both sides would tell`},
		"noisy, 40% slower": {[]float64{500, 700, 900, 1100, 1300, 1500}, []float64{700, 1000, 1250, 1550, 1800, 2100},
			results.Inconclusive, "repetitions of both sides would tell"},
		"noisy, 40% faster": {[]float64{500, 700, 900, 1100, 1300, 1500}, []float64{300, 420, 540, 660, 780, 900},
			results.Pass, "beyond the tolerance, but it may be noise"},
		"one slow of twelve": {append([]float64{9000}, quiet...), quiet, results.Pass, ""},
	} {
		t.Run(name, func(t *testing.T) {
			base := &baseline.Scenario{Records: samples(c.old...)}
			conditions := judge.Conditions{SameMachine: true, SameWorkload: true, Strict: true}
			row := judge.Compare(base, samples(c.now...), conditions).Rows[0]
			require.Equal(t, c.want, row.Verdict, report.Note(row))
			require.Contains(t, report.Note(row), c.note)
			if c.want == results.Inconclusive {
				conditions.Strict = false
				require.Equal(t, results.Pass, judge.Compare(base, samples(c.now...), conditions).Rows[0].Verdict)
			}
		})
	}
}
