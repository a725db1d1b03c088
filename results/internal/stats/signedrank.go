package stats

import (
	"cmp"
	"math"
	"slices"
)

// Wilcoxon's signed-rank test (F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics
// Bulletin 1, 1945) tests whether the differences of pairs are symmetric around zero. It assumes
// that, if nothing changed, a difference and its negation are equally likely. That holds whatever
// the machine did if the order of each pair was drawn at random. The test's estimate is Hodges and
// Lehmann's, the median of all averages of two differences (J. L. Hodges and E. L. Lehmann,
// "Estimates of location based on rank tests", 1963), and its interval holds the averages that the
// test would not reject (J. W. Tukey, 1949; M. Hollander and D. A. Wolfe, "Nonparametric
// statistical methods", section 3.3).

// MaxExactPairs is the largest number of pairs for which the signed-rank test is meant. The
// distribution of the rank sums is computed exactly, in time that grows with the cube of the number
// of pairs.
const MaxExactPairs = 400

// signedRankP returns the two-sided p-value of differences. It leaves out zeros, as Wilcoxon did.
// Differences of the same size share their ranks, and the p-value allows for that. It is 1 if all
// differences are zero.
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
	slices.SortFunc(sizes, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) })
	doubled := make([]int, n) // twice the ranks, since a shared rank may end in a half
	positive := 0             // sum of the doubled ranks of the differences above zero
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

// rankSumTails returns the probabilities that a sum of ranks is at most, and at least, sum, if each
// rank is in the sum with probability 1/2.
func rankSumTails(ranks []int, sum int) (atMost, atLeast float64) {
	chances := rankSumDistribution(ranks)
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

// rankSumDistribution returns the probability of each sum of ranks, from 0 on.
func rankSumDistribution(ranks []int) []float64 {
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

// hodgesLehmann returns the median of the averages of two differences, and an interval around it,
// which leaves out the given number of averages at either end. bounded is false if outside is 0.
func hodgesLehmann(differences []float64, outside int) (estimate, low, high float64, bounded bool) {
	n := len(differences)
	averages := make([]float64, 0, n*(n+1)/2)
	for i, a := range differences {
		for _, b := range differences[i:] {
			averages = append(averages, (a+b)/2)
		}
	}
	slices.Sort(averages)
	estimate = Median(averages)
	if outside == 0 {
		return estimate, 0, 0, false
	}
	return estimate, averages[outside-1], averages[len(averages)-outside], true
}

// SignedRankQuantile returns how many averages of two of n differences an interval leaves out at
// either end, so that its true value lies beyond that end with a probability of at most tail. It
// returns 0 if so few differences can't give an interval.
func SignedRankQuantile(n int, tail float64) int {
	ranks := make([]int, n)
	for i := range ranks {
		ranks[i] = i + 1
	}
	below := 0.0
	for s, p := range rankSumDistribution(ranks) {
		if below += p; below > tail {
			return s
		}
	}
	return 0
}
