package load

import (
	"math"
	"time"
)

// A Trend is how response times went over a time, by quarters of it. Where operations come faster
// than they are done, each waits longer than the one before. It is a [Hook].
type Trend struct {
	lasts    time.Duration
	quarters [4]sums
}

// NewTrend returns the trend of a load that lasts so long.
func NewTrend(lasts time.Duration) *Trend { return &Trend{lasts: lasts} }

// sums is what a mean and its standard error are worked out from.
type sums struct{ n, sum, squares float64 }

func (s sums) mean() float64 { return s.sum / s.n }

// squaredError returns the square of the mean's standard error.
func (s sums) squaredError() float64 {
	if s.n < 2 {
		return 0
	}
	return max(0, s.squares-s.sum*s.sum/s.n) / (s.n - 1) / s.n
}

// Operation implements [Hook]. It leaves out operations that failed.
func (t *Trend) Operation(planned, response time.Duration, succeeded bool) {
	if !succeeded {
		return
	}
	q := &t.quarters[min(len(t.quarters)-1, int(4*planned/t.lasts))]
	q.n++
	q.sum += response.Seconds()
	q.squares += response.Seconds() * response.Seconds()
}

// Merge adds another part of the same load.
func (t *Trend) Merge(other *Trend) {
	for i, q := range other.quarters {
		t.quarters[i].n += q.n
		t.quarters[i].sum += q.sum
		t.quarters[i].squares += q.squares
	}
}

// Growth returns by how much response times grew over a second of the load, from its second quarter
// to its last, and the standard error of that. ok is false if one of the two has no operation. The
// first quarter is left out: it has the opening of connections. A load at a rate r times what is
// served grows by (r-1)/r.
func (t *Trend) Growth() (perSecond, standardError float64, ok bool) {
	early, late := t.quarters[1], t.quarters[3]
	if early.n == 0 || late.n == 0 {
		return 0, 0, false
	}
	apart := t.lasts.Seconds() / 2
	return (late.mean() - early.mean()) / apart, math.Sqrt(early.squaredError()+late.squaredError()) / apart, true
}
