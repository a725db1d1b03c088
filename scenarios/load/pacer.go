package load

import (
	"iter"
	"math"
	"sort"
	"time"
)

// A Pacer plans when the operations of an [ArrivalRate] are due. It is pure: the same pacer and
// seed give the same times, which count from the load's start.
type Pacer interface {
	// Arrivals yields the planned time of each operation, in order.
	Arrivals(seed uint64) iter.Seq[time.Duration]
	// At returns the planned time of operation n, counted from 0, or math.MaxInt64 if there is
	// none.
	At(n int64, seed uint64) time.Duration
	// CountBy returns how many operations are planned before end, on average if their times are
	// random.
	CountBy(end time.Duration) int64
	// RateAt returns the planned operations per second at a time, or 0 if operations come in
	// bursts.
	RateAt(at time.Duration) float64
	// AllowedLag returns how late the last operation of a load may be sent. A load that sends it
	// later has not kept its plan.
	AllowedLag(lastPlanned time.Duration) time.Duration
}

// Bursts plans operations in bursts of Size at once, one burst each Every. If Every is 0, there is
// one burst.
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

// AllowedLag implements [Pacer]. The workers need some time for a burst, which is the point of one.
// It is late only if it isn't sent when the next burst is due.
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
