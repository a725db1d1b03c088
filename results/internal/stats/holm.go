package stats

import (
	"cmp"
	"slices"
)

// Holm returns the p-values of several tests, each corrected for there being several, in the order
// of p. If all of them are compared with the same alpha, the chance that any test at all rejects a
// true hypothesis is at most alpha. A test of twice the weight may spend twice as much of that chance;
// nil weights are all the same. Weights are positive, and chosen before p is seen (S. Holm, "A simple
// sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979).
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
	left := 0.0 // the weight of the tests that haven't been corrected yet
	for i := range p {
		left += weight(i)
	}
	corrected := make([]float64, len(p))
	largest := 0.0
	for _, i := range order {
		largest = max(largest, min(1, p[i]*left/weight(i)))
		corrected[i] = largest
		left -= weight(i)
	}
	return corrected
}
