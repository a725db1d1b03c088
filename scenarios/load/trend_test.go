package load

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// trendOf returns the trend of a load of 16 s with one planned operation in the middle of each
// second, so that each part has one. The first four, which Growth leaves out, take an hour.
func trendOf(response func(second int) time.Duration) *Trend {
	trend := NewTrend(16 * time.Second)
	for second := range 16 {
		took := time.Hour
		if second >= 4 {
			took = response(second)
		}
		trend.Operation(time.Duration(second)*time.Second+500*time.Millisecond, took, true)
		trend.Operation(time.Duration(second)*time.Second, time.Hour, false) // failures are ignored
	}
	return trend
}

// TestTrend checks slopes and margins that were worked out by hand. The twelve parts are 1 s apart,
// so the sum of the squares of their distances from the middle is (12³-12)/12 = 143. Student's t at
// 97.5% with ten degrees of freedom is 2.228.
func TestTrend(t *testing.T) {
	const tenth = 100 * time.Millisecond
	for name, row := range map[string]struct {
		response          func(second int) time.Duration
		perSecond, margin float64
		outcome           TrialOutcome // for a tolerance of 5%
	}{
		"stays": {func(int) time.Duration { return time.Second }, 0, 0, Held},
		"grows": {func(second int) time.Duration { return time.Second + time.Duration(second)*tenth }, 0.1, 0, Exceeded},
		// All twelve are 0.1 s off the line, in the pattern + - - + and so on, which doesn't change
		// its slope: a variance of 12·0.1²/10 = 0.012, and a margin of 2.228·√(0.012/143).
		"grows, unsteadily": {func(second int) time.Duration {
			off := tenth
			if second%4 == 1 || second%4 == 2 {
				off = -tenth
			}
			return time.Second + time.Duration(second)*tenth + off
		}, 0.1, 0.02041, Exceeded},
		"stays, unsteadily": {func(second int) time.Duration {
			off := 5 * tenth
			if second%4 == 1 || second%4 == 2 {
				off = -5 * tenth
			}
			return time.Second + off
		}, 0, 0.10206, Unclear},
		// At 1.4 times the limit. In the second quarter the driver couldn't read its answers for
		// 3.2 s, so that the means of the second quarter and of the last are the same, 6.4 s. The
		// slope changes by (0+1+2+3-4·5.5)·3.2/143 = -0.358. Of the squares, 4·3.2²-12.8²/12, 8.975
		// are left: a margin of 2.228·√(8.975/10/143).
		"grows, and was disturbed": {func(second int) time.Duration {
			response := time.Second + time.Duration(second-4)*4*tenth
			if second < 8 {
				response += 32 * tenth
			}
			return response
		}, 0.04196, 0.17652, Unclear},
	} {
		t.Run(name, func(t *testing.T) {
			growth := trendOf(row.response).Growth()
			require.InDelta(t, row.perSecond, growth.PerSecond, 1e-5)
			require.InDelta(t, row.margin, growth.Margin, 1e-5)
			require.Equal(t, row.outcome, growth.Outcome(0.05))
		})
	}
}

// TestTrend_fewOperations checks that two points give an infinite margin.
func TestTrend_fewOperations(t *testing.T) {
	trend := NewTrend(16 * time.Second)
	for _, at := range []time.Duration{0, time.Second, 5 * time.Second, 15 * time.Second, 16 * time.Second} {
		trend.Operation(at, time.Second, true)
	}
	growth := trend.Growth()
	require.True(t, math.IsInf(growth.Margin, 1))
	require.Equal(t, Unclear, growth.Outcome(0.05))
	trend.Operation(10*time.Second, time.Second, true)
	require.Equal(t, Growth{}, trend.Growth())
}

// TestTrendMerge checks that each part of a load counts in proportion to its operations.
func TestTrendMerge(t *testing.T) {
	trend := trendOf(func(second int) time.Duration { return time.Duration(second) * time.Second })
	for range 3 {
		trend.Merge(trendOf(func(int) time.Duration { return time.Second }))
	}
	require.EqualValues(t, 4, trend.parts[0].n)
	require.InDelta(t, 0.25, trend.Growth().PerSecond, 1e-9)
}

func TestGrowthOutcome(t *testing.T) {
	for _, row := range []struct {
		perSecond, margin float64
		want              TrialOutcome
	}{
		{0.4, 0.02, Exceeded},
		{0.04, 0.01, Exceeded}, // at least 3%, which is more than half of 5%
		{0.04, 0.02, Unclear},  // 2% to 6%
		{0.02, 0.02, Held},     // at most 4%
		{0.02, 0.04, Unclear},  // up to 6%
		{0, 0.06, Unclear},     // too uncertain either way
		{0.3, 0.4, Unclear},
		{-0.1, 0.1, Held},
		{0, math.Inf(1), Unclear},
	} {
		require.Equal(t, row.want, Growth{row.perSecond, row.margin}.Outcome(0.05), "%v ± %v", row.perSecond, row.margin)
	}
}
