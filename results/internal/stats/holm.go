package stats

import (
	"cmp"
	"slices"
)

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
