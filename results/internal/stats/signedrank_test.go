package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// byEnumeration returns the same p-value as signedRankP by trying all ways to give signs to the
// ranks.
func byEnumeration(differences []float64) float64 {
	var d []float64
	for _, x := range differences {
		if x != 0 {
			d = append(d, x)
		}
	}
	rank := func(x float64) float64 { // of |x|: the mean of its places among the sorted values
		less, same := 0, 0
		for _, y := range d {
			switch {
			case math.Abs(y) < math.Abs(x):
				less++
			case math.Abs(y) == math.Abs(x):
				same++
			}
		}
		return float64(less) + float64(same+1)/2
	}
	sum := 0.0
	for _, x := range d {
		if x > 0 {
			sum += rank(x)
		}
	}
	below, above := 0, 0
	for signs := range 1 << len(d) {
		s := 0.0
		for i, x := range d {
			if signs>>i&1 == 1 {
				s += rank(x)
			}
		}
		if s <= sum {
			below++
		}
		if s >= sum {
			above++
		}
	}
	return min(1, 2*float64(min(below, above))/float64(int(1)<<len(d)))
}

func TestSignedRankP(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		d := make([]float64, 1+random.IntN(10))
		for i := range d {
			d[i] = float64(random.IntN(9) - 3) // with ties and zeros
		}
		require.InDelta(t, byEnumeration(d), signedRankP(d), 1e-12, "%v", d)
	}
	require.Equal(t, 1.0, signedRankP(nil))
	require.Equal(t, 1.0, signedRankP([]float64{0, 0}))

	// Darwin's maize, cross- against self-fertilized, in eighths of an inch (R. A. Fisher, "The
	// design of experiments", 1935): 15 pairs. The two negative differences have the ranks 10 and
	// 14, so W = 24. Of 32,768 ways to give signs, 676 have at most that sum.
	maize := []float64{49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48}
	require.InDelta(t, 2*676.0/32768, signedRankP(maize), 1e-12)
	require.InDelta(t, byEnumeration(maize), signedRankP(maize), 1e-12)
}

// TestSignedRankQuantile compares with the two-sided critical values of Wilcoxon's table: the
// largest rank sum at which the test rejects at that level. An interval leaves out one average more
// than that sum.
func TestSignedRankQuantile(t *testing.T) {
	for n, critical := range map[int]struct{ at5, at1 int }{
		6: {0, -1}, 8: {3, 0}, 10: {8, 3}, 12: {13, 7}, 15: {25, 15}, 20: {52, 37}, 25: {89, 68}, 30: {137, 109},
	} {
		require.Equal(t, critical.at5+1, SignedRankQuantile(n, 0.025), "n=%d at 5%%", n)
		require.Equal(t, critical.at1+1, SignedRankQuantile(n, 0.005), "n=%d at 1%%", n)
	}
}

func TestHodgesLehmann(t *testing.T) {
	estimate, low, high, bounded := hodgesLehmann([]float64{1, 2, 3, 4, 5, 6}, SignedRankQuantile(6, 0.025))
	require.True(t, bounded)
	require.Equal(t, []float64{3.5, 1, 6}, []float64{estimate, low, high}) // the smallest and the largest of 21 averages
	_, _, _, bounded = hodgesLehmann([]float64{1, 2, 3}, SignedRankQuantile(3, 0.025))
	require.False(t, bounded, "three pairs are too few for an interval of 95%")

	// The interval contains the true value about as often as its confidence says: at least 95% of
	// the time, and not much more.
	random := rand.New(rand.NewPCG(3, 4))
	within, outside := 0, SignedRankQuantile(20, 0.025)
	const trials = 4000
	for range trials {
		d := make([]float64, 20)
		for i := range d {
			d[i] = 7 + math.Pow(random.NormFloat64(), 3) // symmetric, with long tails
		}
		if _, low, high, _ := hodgesLehmann(d, outside); low <= 7 && 7 <= high {
			within++
		}
	}
	require.InDelta(t, 0.95, float64(within)/trials, 0.012)
}

// TestHodgesLehmannAgreesWithTheTest checks that the interval excludes zero exactly if the test
// rejects it.
func TestHodgesLehmannAgreesWithTheTest(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		d := make([]float64, 8+random.IntN(20))
		for i := range d {
			d[i] = 0.5 + random.NormFloat64()
		}
		_, low, high, bounded := hodgesLehmann(slices.Clone(d), SignedRankQuantile(len(d), 0.025))
		require.Equal(t, signedRankP(d) <= 0.05, bounded && (low > 0 || high < 0), "%v", d)
	}
}
