package stats

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/aclements/go-moremath/stats"
)

// The Mann-Whitney U test tests whether the values of one of two samples tend to be larger. Its
// estimate is Hodges and Lehmann's, the median of all differences between a value of one sample and
// a value of the other; its bound is the largest difference that the test would not reject (J. L.
// Hodges and E. L. Lehmann, "Estimates of location based on rank tests", 1963; M. Hollander and D.
// A. Wolfe, "Nonparametric statistical methods", section 4.3).

// SmallestU returns the smallest p-value that the U test can give for samples of these sizes. Every
// value of one sample then lies above every value of the other: 2 of the C(n1+n2, n1) equally
// likely orders.
func SmallestU(n1, n2 int) float64 {
	orders := 1.0
	for i := 1; i <= n1; i++ {
		orders *= float64(n2+i) / float64(i)
	}
	return min(1, 2/orders)
}

// ShiftBound returns by how much the values of now are larger than the values of old, and the upper
// bound of that at a confidence of 1-miss. The bound is infinite if the samples are too small for
// one.
func ShiftBound(old, now []float64, miss float64) (shift, bound float64) {
	differences := make([]float64, 0, len(old)*len(now))
	for _, a := range old {
		for _, b := range now {
			differences = append(differences, b-a)
		}
	}
	slices.Sort(differences)
	bound = math.Inf(1)
	if outside := uQuantile(len(old), len(now), miss); outside > 0 {
		bound = differences[len(differences)-outside]
	}
	return Median(differences), bound
}

// maxExactSamples is the largest sample for which the distribution of U is computed exactly.
const maxExactSamples = 40

// uQuantile returns how many of the n1·n2 sorted differences lie beyond a bound with a confidence
// of 1-miss. It returns 0 if the samples are too small for such a bound.
func uQuantile(n1, n2 int, miss float64) int {
	if max(n1, n2) > maxExactSamples {
		middle, deviation := float64(n1*n2)/2, math.Sqrt(float64(n1*n2*(n1+n2+1))/12)
		return max(0, int(middle+0.5+deviation*stats.StdNormal.InvCDF(miss)))
	}
	u := stats.UDist{N1: n1, N2: n2}
	return sort.Search(n1*n2/2, func(outside int) bool { return u.CDF(float64(outside)) > miss })
}

// MeanShiftBound returns the upper bound, at a confidence of 1-miss, of how much larger the mean of
// now is than the mean of old. It assumes normally distributed means, so it suits large samples.
func MeanShiftBound(old, now []float64, miss float64) float64 {
	variance := func(values []float64) float64 {
		if len(values) < 2 {
			return 0
		}
		return stats.Variance(values) / float64(len(values))
	}
	deviation := math.Sqrt(variance(old) + variance(now))
	return stats.Mean(now) - stats.Mean(old) + deviation*stats.StdNormal.InvCDF(1-miss)
}

// Holm returns the p-values p of several tests, corrected for their number. If each is compared
// with alpha, the chance that any test rejects a true hypothesis is at most alpha. A test with
// twice the weight may spend twice as much of that chance; nil gives all tests the same weight.
// Weights must be positive, and chosen without looking at p (S. Holm, "A simple sequentially
// rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979).
func Holm(p, weights []float64) []float64 {
	weight := func(i int) float64 {
		if weights == nil {
			return 1
		}
		return weights[i]
	}
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a]/weight(a), p[b]/weight(b)) })
	remaining := 0.0 // the weight of the tests that haven't been corrected yet
	for i := range p {
		remaining += weight(i)
	}
	corrected := make([]float64, len(p))
	largest := 0.0
	for _, i := range order {
		largest = max(largest, min(1, p[i]*remaining/weight(i)))
		corrected[i] = largest
		remaining -= weight(i)
	}
	return corrected
}
