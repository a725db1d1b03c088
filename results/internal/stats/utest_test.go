package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSmallestU(t *testing.T) {
	// 2/C(n1+n2, n1), with binomials from Pascal's triangle.
	for _, c := range []struct {
		n1, n2 int
		orders float64
	}{{1, 1, 2}, {3, 3, 20}, {4, 4, 70}, {3, 4, 35}, {4, 3, 35}, {5, 5, 252}, {1, 39, 40}, {10, 10, 184756}} {
		require.InEpsilon(t, 2/c.orders, SmallestU(c.n1, c.n2), 1e-12)
	}
	require.Equal(t, 1.0, SmallestU(0, 5))
	require.Zero(t, SmallestU(5000, 5000), "no overflow to NaN")
}

// TestUQuantile compares with the critical values of U, one-sided at 0.025, from Mann and Whitney's
// table, as in S. Siegel, "Nonparametric statistics for the behavioral sciences", table K.
func TestUQuantile(t *testing.T) {
	for _, row := range []struct{ n1, n2, critical int }{
		{4, 4, 0}, {5, 5, 2}, {6, 6, 5}, {10, 10, 23}, {20, 20, 127}, {5, 20, 20},
	} {
		require.Equal(t, row.critical+1, uQuantile(row.n1, row.n2, 0.025), "%d and %d", row.n1, row.n2)
	}
	require.Zero(t, uQuantile(3, 3, 0.025), "the extreme one of 20 orders has a probability of 5%")
	// Above 40 the normal distribution is used; at 40 it differs from the exact value by at most one.
	exact := uQuantile(40, 40, 0.02)
	require.InDelta(t, exact, int(800+0.5-2.05375*math.Sqrt(40*40*81/12.0)), 1)
	require.Greater(t, uQuantile(41, 41, 0.02), exact)
}

// TestShiftBound compares with a computation by hand: for 6 and 6 values, the bound at 2% leaves
// out 5 of the 36 differences, since P(U <= 4) is 13/924, and P(U <= 5) is 19/924.
func TestShiftBound(t *testing.T) {
	old := []float64{100, 200, 300, 400, 500, 600}
	now := []float64{110, 210, 310, 410, 510, 610}
	shift, bound := ShiftBound(old, now, 0.02)
	require.Equal(t, 10.0, shift)
	require.Equal(t, 310.0, bound, "510; 410, 410; 310, 310, 310 are the largest: the fifth from above")
	_, bound = ShiftBound(old[:2], now[:2], 0.02)
	require.True(t, math.IsInf(bound, 1))
}

// TestMeanShiftBound: the means are 2 and 3. The mean of the first sample has a variance of 1/3,
// that of the second 0. The normal distribution has 97.5% below 1.95996.
func TestMeanShiftBound(t *testing.T) {
	old, now := []float64{1, 2, 3}, []float64{3, 3, 3}
	require.InDelta(t, 1+1.95996*math.Sqrt(1.0/3), MeanShiftBound(old, now, 0.025), 1e-4)
	require.Equal(t, 1.0, MeanShiftBound(old[:1], old[1:2], 0.025), "one value has no variance")
}
