package load

import (
	"iter"
	"math"
	"sort"
	"time"
)

// A Pacer plans when the operations of an [ArrivalRate] are due. It is pure: the same pacer and seed give the
// same times. Times are counted from the load's start.
type Pacer interface {
	// Arrivals yields when each operation is planned, in order. The sequence ends if there is no further one.
	Arrivals(seed uint64) iter.Seq[time.Duration]
	// At returns when operation n, from 0, is planned. It returns math.MaxInt64 if it never is.
	At(n int64, seed uint64) time.Duration
	// CountBy returns how many operations are planned before a time, or about how many if times are drawn.
	CountBy(end time.Duration) int64
	// RateAt returns the operations per second at a time. It returns 0 if that says nothing.
	RateAt(at time.Duration) float64
	// AllowedLag returns how late the last operation may be sent, if it was planned for that time, in a
	// load that keeps its plan.
	AllowedLag(lastPlanned time.Duration) time.Duration
}

// Bursts plans operations in bursts of Size at once, one burst each Every. If Every is 0, there is one burst.
type Bursts struct {
	Size  int64
	Every time.Duration
}

// At implements [Pacer].
func (b Bursts) At(n int64, _ uint64) time.Duration {
	burst := n / b.Size
	switch {
	case burst == 0:
		return 0
	case b.Every == 0 || burst > math.MaxInt64/int64(b.Every):
		return never
	}
	return time.Duration(burst) * b.Every
}

// Arrivals implements [Pacer].
func (b Bursts) Arrivals(uint64) iter.Seq[time.Duration] {
	return arrivals(func(n int64) time.Duration { return b.At(n, 0) })
}

// CountBy implements [Pacer].
func (b Bursts) CountBy(end time.Duration) int64 {
	return countBy(end, func(n int64) time.Duration { return b.At(n, 0) })
}

// RateAt implements [Pacer]. It returns 0.
func (b Bursts) RateAt(time.Duration) float64 { return 0 }

// AllowedLag implements [Pacer]. A burst is worked off after its time, by as many workers as there are: that is
// what it is for. It is late only if the next one comes before that.
func (b Bursts) AllowedLag(time.Duration) time.Duration {
	if b.Every == 0 {
		return never
	}
	return b.Every
}

// arrivals yields the times of operations from 0 on, up to the first that is never planned.
func arrivals(at func(n int64) time.Duration) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for n := int64(0); ; n++ {
			if planned := at(n); planned == never || !yield(planned) {
				return
			}
		}
	}
}

// countBy returns how many operations are planned before end.
func countBy(end time.Duration, at func(n int64) time.Duration) int64 {
	return int64(sort.Search(math.MaxInt, func(n int) bool { return at(int64(n)) >= end }))
}
