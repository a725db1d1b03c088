package scenarios

import (
	"math"
	"time"
)

// trend is how response times went over the time of a load, by quarters of it. Where
// operations come faster than they are done, each waits longer than the one before.
type trend struct {
	lasts    time.Duration
	quarters [4]moment
}

// moment is what a mean and its standard error are worked out from.
type moment struct{ n, sum, squares float64 }

func (m moment) mean() float64 { return m.sum / m.n }

// error2 is the square of the mean's standard error.
func (m moment) error2() float64 {
	if m.n < 2 {
		return 0
	}
	return max(0, m.squares-m.sum*m.sum/m.n) / (m.n - 1) / m.n
}

// add takes an operation by when it was planned.
func (t *trend) add(planned, response time.Duration) {
	q := &t.quarters[min(len(t.quarters)-1, int(4*planned/t.lasts))]
	q.n++
	q.sum += response.Seconds()
	q.squares += response.Seconds() * response.Seconds()
}

func (t *trend) merge(other *trend) {
	for i, q := range other.quarters {
		t.quarters[i].n += q.n
		t.quarters[i].sum += q.sum
		t.quarters[i].squares += q.squares
	}
}

// growth is by how much response times grew over a second of the load, from its second
// quarter to its last, and the standard error of that. The first quarter is left out: it
// has the opening of connections. A load at a rate r times what is served grows by (r-1)/r.
func (t *trend) growth() (perSecond, standardError float64, ok bool) {
	early, late := t.quarters[1], t.quarters[3]
	if early.n == 0 || late.n == 0 {
		return 0, 0, false
	}
	apart := t.lasts.Seconds() / 2
	return (late.mean() - early.mean()) / apart, math.Sqrt(early.error2()+late.error2()) / apart, true
}
