package explain

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/combin"
	"gonum.org/v1/gonum/stat/distuv"
)

// maxPermutations is up to where all exchanges of repetitions are tried; beyond, so many are drawn.
const maxPermutations = 5000

// standardErrors returns the unit in which each row's difference is measured: how much counting
// events, and the machine's speed, move it by themselves. It doesn't depend on which side is which,
// as a test by permutation requires, and unlike the deviation of a handful of repetitions it is
// never small by luck.
func (c *costTable) standardErrors(rows [][]float64, n int) []float64 {
	operations := stat.Mean(c.operations, nil)
	whole := stat.Mean(rows[0], nil)
	// What the total varies by beyond what counting does is the machine's, and moves all alike.
	counting := c.eventCost * whole / operations
	if c.fromRusage {
		counting = 0
	}
	machine := max(0, stat.Variance(rows[0], nil)-counting) / (whole * whole)
	scales := make([]float64, len(rows))
	repetitions := 1/float64(n) + 1/float64(len(rows[0])-n)
	for i, r := range rows {
		m := stat.Mean(r, nil)
		// Half an event at least: a function that has none in most repetitions isn't known that
		// well.
		m = max(m, c.eventCost/2/operations)
		scales[i] = math.Sqrt((c.eventCost*m/operations + machine*m*m) * repetitions)
	}
	if c.fromRusage {
		scales[0] = whole * math.Sqrt(max(machine, tiny)*repetitions)
	}
	return scales
}

// tiny keeps a machine that never varies from dividing by zero.
const tiny = 1e-12

// permutationTest returns the p-value of each row's difference, corrected for all rows, step by
// step: the largest difference is held against the largest of each exchange, the second largest
// against the largest of those without the first, and so on. A function that is new, as a wrapper
// around everything may be, then doesn't hide what is in it.
func permutationTest(ctx context.Context, rows [][]float64, n int, paired bool, scales []float64) ([]float64, error) {
	observed, order := make([]float64, len(rows)), make([]int, len(rows))
	for i, r := range rows {
		observed[i], order[i] = math.Abs(stat.Mean(r[n:], nil)-stat.Mean(r[:n], nil))/scales[i], i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(observed[a], observed[b]) }) // the smallest first
	beyond := make([]int, len(rows))
	exchanges := 0
	err := permutations(ctx, n, len(rows[0])-n, paired, func(sign []float64) {
		exchanges++
		largest := 0.0
		for _, i := range order {
			difference := 0.0
			for j, v := range rows[i] {
				difference += sign[j] * v
			}
			largest = max(largest, math.Abs(difference)/scales[i])
			if largest >= observed[i]*(1-1e-9) { // the same sum in another order
				beyond[i]++
			}
		}
	})
	ps, least := make([]float64, len(rows)), 0.0
	for k := len(order) - 1; k >= 0; k-- { // one that is smaller is no surer
		least = max(least, float64(beyond[order[k]])/float64(exchanges))
		ps[order[k]] = least
	}
	return ps, err
}

// permutations calls try with the weights that give the difference of the sides' means for each way
// to deal the repetitions, the one that was measured first.
func permutations(ctx context.Context, base, now int, paired bool, try func(sign []float64)) error {
	random := rand.New(rand.NewPCG(uint64(base), uint64(now))) // the same answer for the same files
	sign := make([]float64, base+now)
	if paired {
		set := func(flip func(i int) bool) {
			for i := range base {
				w := 1 / float64(base)
				if flip(i) {
					w = -w
				}
				sign[i], sign[base+i] = -w, w
			}
			try(sign)
		}
		if base < 63 && 1<<base <= maxPermutations {
			for mask := range 1 << base {
				set(func(i int) bool { return mask>>i&1 == 1 })
			}
			return ctx.Err()
		}
		for k := 0; k < maxPermutations && ctx.Err() == nil; k++ {
			set(func(int) bool { return k > 0 && random.IntN(2) == 1 })
		}
		return ctx.Err()
	}
	set := func(ofBase []int) {
		for j := range sign {
			sign[j] = 1 / float64(now)
		}
		for _, j := range ofBase {
			sign[j] = -1 / float64(base)
		}
		try(sign)
	}
	if arrangements(base, now) <= maxPermutations {
		for _, ofBase := range combin.Combinations(base+now, base) {
			set(ofBase)
		}
		return ctx.Err()
	}
	order := make([]int, base+now)
	for j := range order {
		order[j] = j
	}
	for k := 0; k < maxPermutations && ctx.Err() == nil; k++ {
		set(order[:base])
		random.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
	}
	return ctx.Err()
}

// arrangements returns in how many ways so many repetitions are dealt to two sides.
func arrangements(base, now int) float64 {
	return math.Round(combin.GeneralizedBinomial(float64(base+now), float64(base)))
}

// smallestP is the least that a test can answer: the two sides as they are, and the other way
// round.
func smallestP(base, now int, paired bool) float64 {
	all := arrangements(base, now)
	if paired {
		all = math.Pow(2, float64(base))
	}
	all = min(all, maxPermutations)
	if !paired && base != now {
		return 1 / all // the other way round is no way to deal them
	}
	return 2 / all
}

// change compares the two sides of a row, with Student's interval for the difference.
func change(values []float64, n int, paired bool, p, alpha float64) Change {
	ch := Change{Base: stat.Mean(values[:n], nil), Now: stat.Mean(values[n:], nil), P: p, Significant: p <= alpha}
	ch.Delta = ch.Now - ch.Base
	v, _, degrees := differenceVariance(values, values, n, paired)
	half := tQuantile(degrees) * math.Sqrt(v)
	ch.Low, ch.High = ch.Delta-half, ch.Delta+half
	return ch
}

// level is the confidence level of the intervals.
const level = 0.95

func tQuantile(degrees float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: max(1, degrees)}.Quantile(1 - (1-level)/2)
}

// differenceVariance returns the variance of the difference of a's means between the sides, its
// covariance with b's, and their degrees of freedom.
func differenceVariance(a, b []float64, n int, paired bool) (va, cov, degrees float64) {
	if paired {
		da, db := make([]float64, n), make([]float64, n)
		for i := range n {
			da[i], db[i] = a[n+i]-a[i], b[n+i]-b[i]
		}
		return stat.Covariance(da, da, nil) / float64(n), stat.Covariance(da, db, nil) / float64(n), float64(n - 1)
	}
	m := len(a) - n
	va = stat.Covariance(a[:n], a[:n], nil)/float64(n) + stat.Covariance(a[n:], a[n:], nil)/float64(m)
	cov = stat.Covariance(a[:n], b[:n], nil)/float64(n) + stat.Covariance(a[n:], b[n:], nil)/float64(m)
	return va, cov, float64(min(n, m) - 1)
}

// fieller returns the share that a row's difference has of the total's, with its interval. The interval
// is nil if the total may not differ at all.
func fieller(row, total []float64, n int, paired bool) (share float64, low, high *float64) {
	part, whole := stat.Mean(row[n:], nil)-stat.Mean(row[:n], nil), stat.Mean(total[n:], nil)-stat.Mean(total[:n], nil)
	if whole == 0 {
		return 0, nil, nil
	}
	share = part / whole
	vp, cov, degrees := differenceVariance(row, total, n, paired)
	vw, _, _ := differenceVariance(total, total, n, paired)
	t := tQuantile(degrees)
	// The shares s for which part - s·whole isn't beyond t standard errors from 0 lie between
	// the roots of a·s² - 2·b·s + c.
	a, b, c := whole*whole-t*t*vw, part*whole-t*t*cov, part*part-t*t*vp
	root := b*b - a*c
	if a <= 0 || root < 0 {
		return share, nil, nil
	}
	l, h := (b-math.Sqrt(root))/a, (b+math.Sqrt(root))/a
	return share, &l, &h
}
