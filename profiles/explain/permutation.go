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

// maxPermutations is the largest number of exchanges that are tried. If there are more ways to
// exchange repetitions, this many are drawn at random.
const maxPermutations = 5000

// standardErrors returns the standard error of each row's difference, by which differences are
// scaled: how much the counting of events and the machine's speed vary it. It doesn't depend on
// which repetitions belong to which side, as a permutation test requires. Unlike the standard
// deviation of a few repetitions, it is never small by chance.
func (c *costTable) standardErrors(rows [][]float64, n int) []float64 {
	operations := stat.Mean(c.operations, nil)
	whole := stat.Mean(rows[0], nil)
	// The total varies by more than counting explains. The rest is the machine's speed, which
	// scales all functions alike.
	counting := c.eventCost * whole / operations
	if c.fromRusage {
		counting = 0
	}
	machine := max(0, stat.Variance(rows[0], nil)-counting) / (whole * whole)
	scales := make([]float64, len(rows))
	repetitions := 1/float64(n) + 1/float64(len(rows[0])-n)
	for i, r := range rows {
		m := stat.Mean(r, nil)
		// At least half an event, since the cost of a function that most repetitions lack isn't
		// known more precisely.
		m = max(m, c.eventCost/2/operations)
		scales[i] = math.Sqrt((c.eventCost*m/operations + machine*m*m) * repetitions)
	}
	if c.fromRusage {
		scales[0] = whole * math.Sqrt(max(machine, tiny)*repetitions)
	}
	return scales
}

// tiny prevents a division by zero if the machine's speed doesn't vary at all.
const tiny = 1e-12

// permutationTest returns the p-value of each row's difference, corrected for all rows by Westfall
// and Young's step-down method: the largest difference is compared with the largest of each
// exchange, the second largest with the largest of all rows but the first, and so on. So a new
// function that wraps all others, and has the largest difference, doesn't hide the functions that
// it calls. The first n repetitions belong to the base; scales are the rows' standard errors.
func permutationTest(ctx context.Context, rows [][]float64, n int, paired bool, scales []float64) ([]float64, error) {
	observed, order := make([]float64, len(rows)), make([]int, len(rows))
	for i, r := range rows {
		observed[i], order[i] = math.Abs(stat.Mean(r[n:], nil)-stat.Mean(r[:n], nil))/scales[i], i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(observed[a], observed[b]) }) // smallest first
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
			if largest >= observed[i]*(1-1e-9) { // equal sums may be rounded differently
				beyond[i]++
			}
		}
	})
	ps, least := make([]float64, len(rows)), 0.0
	for k := len(order) - 1; k >= 0; k-- { // a smaller difference never has a smaller p-value
		least = max(least, float64(beyond[order[k]])/float64(exchanges))
		ps[order[k]] = least
	}
	return ps, err
}

// permutations calls try for each exchange of repetitions between the sides, the measured
// arrangement first. sign holds a weight for each repetition; the weighted sum is the difference of
// the sides' means.
func permutations(ctx context.Context, base, now int, paired bool, try func(sign []float64)) error {
	random := rand.New(rand.NewPCG(uint64(base), uint64(now))) // a fixed seed, so that the same files give the same answer
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

// arrangements returns the number of ways to divide base+now repetitions into two sides of these
// sizes.
func arrangements(base, now int) float64 {
	return math.Round(combin.GeneralizedBinomial(float64(base+now), float64(base)))
}

// smallestP returns the smallest p-value that the test can give. Two exchanges have the largest
// difference: the measured arrangement, and the one with the sides swapped.
func smallestP(base, now int, paired bool) float64 {
	all := arrangements(base, now)
	if paired {
		all = math.Pow(2, float64(base))
	}
	all = min(all, maxPermutations)
	if !paired && base != now {
		return 1 / all // swapped sides would have other sizes
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

// differenceVariance returns the variance of the difference between the sides' means of a, the
// covariance of that difference with b's, and the degrees of freedom.
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

// fieller returns a row's difference as a share of the total's difference, with Fieller's 95%
// interval. The interval is nil if the total's difference may be zero.
func fieller(row, total []float64, n int, paired bool) (share float64, low, high *float64) {
	part, whole := stat.Mean(row[n:], nil)-stat.Mean(row[:n], nil), stat.Mean(total[n:], nil)-stat.Mean(total[:n], nil)
	if whole == 0 {
		return 0, nil, nil
	}
	share = part / whole
	vp, cov, degrees := differenceVariance(row, total, n, paired)
	vw, _, _ := differenceVariance(total, total, n, paired)
	t := tQuantile(degrees)
	// A share s is in the interval if part - s·whole is within t standard errors of 0. Those shares
	// lie between the roots of a·s² - 2·b·s + c.
	a, b, c := whole*whole-t*t*vw, part*whole-t*t*cov, part*part-t*t*vp
	root := b*b - a*c
	if a <= 0 || root < 0 {
		return share, nil, nil
	}
	l, h := (b-math.Sqrt(root))/a, (b+math.Sqrt(root))/a
	return share, &l, &h
}
