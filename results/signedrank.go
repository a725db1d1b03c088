package results

import (
	"math"
	"slices"
)

// Wilcoxon's signed-rank test (F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics
// Bulletin 1, 1945) asks whether the differences of pairs lie around zero. It takes for granted
// that, where nothing changed, a difference is as likely above zero as the same below; which side of
// a pair came first being drawn, that is so whatever the machine did. The estimate that belongs to
// it is Hodges and Lehmann's, the median of all averages of two differences (J. L. Hodges and
// E. L. Lehmann, "Estimates of location based on rank tests", 1963), and its interval those of the
// averages that the test would not refuse (J. W. Tukey, 1949; M. Hollander and D. A. Wolfe,
// "Nonparametric statistical methods", section 3.3).

// maxExactPairs is up to where the distribution is counted out rather than approximated. It is
// also the most pairs that a gate takes.
const maxExactPairs = 400

// signedRankP is the two-sided p-value of differences. Zeros are left out, as Wilcoxon did;
// differences as large as each other share their ranks, and the distribution is that of the
// ranks as they are.
func signedRankP(differences []float64) float64 {
	var sizes []float64
	for _, d := range differences {
		if d != 0 {
			sizes = append(sizes, d)
		}
	}
	n := len(sizes)
	if n == 0 {
		return 1
	}
	slices.SortFunc(sizes, func(a, b float64) int { return compareFloats(math.Abs(a), math.Abs(b)) })
	doubled := make([]int, n) // twice the rank: that of a tie may be a half
	positive := 0             // sum of the doubled ranks of those above zero
	for i := 0; i < n; {
		j := i
		for j < n && math.Abs(sizes[j]) == math.Abs(sizes[i]) {
			j++
		}
		for k := i; k < j; k++ {
			doubled[k] = i + 1 + j
			if sizes[k] > 0 {
				positive += doubled[k]
			}
		}
		i = j
	}
	below, atLeast := rankSumTails(doubled, positive)
	return min(1, 2*min(below, atLeast))
}

// rankSumTails are how likely a sum of ranks is at most, and at least, sum, where each rank
// counts or doesn't with the same chance.
func rankSumTails(ranks []int, sum int) (atMost, atLeast float64) {
	chances := rankSums(ranks)
	for s, p := range chances {
		if s <= sum {
			atMost += p
		}
		if s >= sum {
			atLeast += p
		}
	}
	return atMost, atLeast
}

// rankSums is how likely each sum is.
func rankSums(ranks []int) []float64 {
	total := 0
	for _, r := range ranks {
		total += r
	}
	chances := make([]float64, total+1)
	chances[0] = 1
	reached := 0
	for _, r := range ranks {
		reached += r
		for s := reached; s >= 0; s-- {
			chances[s] /= 2
			if s >= r {
				chances[s] += chances[s-r] / 2
			}
		}
	}
	return chances
}

// shift is where differences lie: Hodges and Lehmann's estimate, and the interval beyond which at
// either end so many averages lie, as signedRankQuantile says. bounded is false where those are
// none: so few differences can't give one.
func shift(differences []float64, outside int) (estimate, low, high float64, bounded bool) {
	n := len(differences)
	averages := make([]float64, 0, n*(n+1)/2)
	for i, a := range differences {
		for _, b := range differences[i:] {
			averages = append(averages, (a+b)/2)
		}
	}
	slices.Sort(averages)
	estimate = median(averages)
	if outside == 0 {
		return estimate, 0, 0, false
	}
	return estimate, averages[outside-1], averages[len(averages)-outside], true
}

// signedRankQuantile is how many of the averages lie outside an interval at either end: the most
// for which a sum of ranks below that has a chance of tail at most.
func signedRankQuantile(n int, tail float64) int {
	ranks := make([]int, n)
	for i := range ranks {
		ranks[i] = i + 1
	}
	below := 0.0
	for s, p := range rankSums(ranks) {
		if below += p; below > tail {
			return s
		}
	}
	return 0
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
