package doctor

import (
	"context"
	"math"
	"time"

	"github.com/aclements/go-moremath/stats"
)

// Noise is the result of comparing the machine with itself. Blocks of the reference benchmark are
// called A and B in turns, as if they were two versions, so any difference between A and B is
// noise.
type Noise struct {
	A []float64 `json:"a_ns"` // nanoseconds per round trip, one value for each block
	B []float64 `json:"b_ns"` // each measured right after its A
}

const (
	maxPairs   = 100
	minPairs   = 10
	noiseLimit = 8 * time.Second
)

// measureNoise measures pairs of blocks for noiseLimit, but at least minPairs and at most maxPairs.
func measureNoise(ctx context.Context, block func(context.Context) (float64, error)) (n Noise, err error) {
	for began := time.Now(); len(n.B) < minPairs || len(n.B) < maxPairs && time.Since(began) < noiseLimit; {
		for _, to := range []*[]float64{&n.A, &n.B} {
			if err := ctx.Err(); err != nil {
				return n, err
			}
			ns, err := block(ctx)
			if err != nil {
				return n, err
			}
			*to = append(*to, ns)
		}
	}
	return n, nil
}

// logRatios returns ln(B/A) of each pair, so that twice as slow and twice as fast are equally far
// from 0.
func (n Noise) logRatios() []float64 {
	list := make([]float64, 0, len(n.B))
	for i, b := range n.B {
		if i < len(n.A) && n.A[i] > 0 && b > 0 {
			list = append(list, math.Log(b/n.A[i]))
		}
	}
	return list
}

// ratio returns the median of B/A. It is 1 on a machine without noise, and NaN if there are no
// pairs.
func (n Noise) ratio() float64 {
	list := n.logRatios()
	if len(list) == 0 {
		return math.NaN()
	}
	return math.Exp(stats.Sample{Xs: list}.Quantile(0.5))
}

// spread returns the standard deviation of the log ratios, which is about the share by which one
// block differs from the next. It is NaN if there are fewer than two pairs.
func (n Noise) spread() float64 { return stats.StdDev(n.logRatios()) }

// The error rates of the test: the probability alpha to report a change that isn't there, and the
// probability beta to miss one that is there.
const (
	alpha = 0.01
	beta  = 0.10
)

// detectable returns the smallest change, as a share, that the given number of pairs can tell from
// noise. It is the difference d for which the two-sided t-test of paired log ratios has the power
// 1-beta,
//
//	d = (t(1-alpha/2, n-1) + t(1-beta, n-1)) * s / sqrt(n)
//
// which is the formula for the size of a sample, solved for the difference (NIST/SEMATECH
// e-Handbook of Statistical Methods, section 7.2.2.2). s is the measured spread.
func (n Noise) detectable(pairs int) float64 {
	if pairs < 2 {
		return math.Inf(1)
	}
	t := stats.InvCDF(stats.TDist{V: float64(pairs - 1)})
	d := (t(1-alpha/2) + t(1-beta)) * n.spread() / math.Sqrt(float64(pairs))
	return math.Expm1(d)
}

// differs reports whether the two-sided t-test finds a difference between A and B, although there
// is none. That happens once in a hundred times, or more often if the noise of consecutive blocks
// isn't independent.
func (n Noise) differs() bool {
	list := n.logRatios()
	if len(list) < 2 {
		return false
	}
	t := stats.InvCDF(stats.TDist{V: float64(len(list) - 1)})
	return math.Abs(stats.Mean(list)) > t(1-alpha/2)*n.spread()/math.Sqrt(float64(len(list)))
}
