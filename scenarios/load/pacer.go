package load

import (
	"iter"
	"math"
	"time"
)

// A Pacer plans when the operations of an [ArrivalRate] are due.
//
// A pacer needs no other method. Other questions about its plan are answered from its arrivals,
// unless it has one of these methods. At(n int64) time.Duration returns the planned time of operation
// n, counted from 0, if no seed changes it, or [math.MaxInt64] if there is none. CountBy(end time.Duration) int64 returns how many operations
// are planned before end, on average if their times are random, without counting them one by one.
// RateAt(at time.Duration) float64 returns the planned operations per second at a time, which is
// shown as progress. AllowedLag(lastPlanned time.Duration) time.Duration replaces the usual result
// of [AllowedLag].
type Pacer interface {
	// Arrivals yields the planned time of each operation in order, counted from the load's start.
	// The same seed always gives the same times.
	Arrivals(seed uint64) iter.Seq[time.Duration]
}

// timeOf returns the planned time of operation n, counted from 0, or never if there is none.
func timeOf(p Pacer, n int64, seed uint64) time.Duration {
	if p, ok := p.(interface{ At(int64) time.Duration }); ok {
		return p.At(n)
	}
	for planned := range p.Arrivals(seed) {
		if n == 0 {
			return planned
		}
		n--
	}
	return never
}

// countBy returns how many operations p plans before end, but no more than most.
func countBy(p Pacer, end time.Duration, most int64) (n int64) {
	if p, ok := p.(interface{ CountBy(time.Duration) int64 }); ok {
		return min(most, p.CountBy(end))
	}
	for planned := range p.Arrivals(0) {
		if planned >= end || n == most {
			break
		}
		n++
	}
	return n
}

// rateAt returns the planned operations per second over time, or nil if p has no rate.
func rateAt(p Pacer) func(time.Duration) float64 {
	if p, ok := p.(interface{ RateAt(time.Duration) float64 }); ok {
		return p.RateAt
	}
	return nil
}

// How far behind its plan a load may be at its end: the larger of the two.
const (
	maxLag = 0.05                   // share of the last operation's planned time
	minLag = 100 * time.Millisecond // a busy machine may pause for as long
)

// AllowedLag returns how late a load may send its last operation, which is planned for lastPlanned,
// without falling behind its plan. It is 5% of lastPlanned, but at least 100 ms, unless p says
// otherwise.
func AllowedLag(p Pacer, lastPlanned time.Duration) time.Duration {
	if p, ok := p.(interface {
		AllowedLag(time.Duration) time.Duration
	}); ok {
		return p.AllowedLag(lastPlanned)
	}
	return max(minLag, time.Duration(maxLag*float64(lastPlanned)))
}

// Bursts plans Size operations at once, again after each Every. If Every is 0, there is one burst.
// It is a [Pacer].
type Bursts struct {
	Size  int64
	Every time.Duration
}

// Arrivals implements [Pacer].
func (b Bursts) Arrivals(uint64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for due := time.Duration(0); ; due += b.Every {
			for range b.Size {
				if !yield(due) {
					return
				}
			}
			if b.Every == 0 || due > never-b.Every {
				return
			}
		}
	}
}

// At returns the planned time of operation n.
func (b Bursts) At(n int64) time.Duration {
	burst := n / b.Size
	switch {
	case burst == 0:
		return 0
	case b.Every == 0 || burst > math.MaxInt64/int64(b.Every):
		return never
	}
	return time.Duration(burst) * b.Every
}

// CountBy returns how many operations are planned before end.
func (b Bursts) CountBy(end time.Duration) int64 {
	switch {
	case end <= 0:
		return 0
	case b.Every == 0:
		return b.Size
	}
	bursts := int64((end-1)/b.Every) + 1
	if bursts > math.MaxInt64/b.Size {
		return math.MaxInt64
	}
	return bursts * b.Size
}

// AllowedLag returns Every. The workers always need some time for a burst. A burst is late only if
// it isn't sent when the next one is due.
func (b Bursts) AllowedLag(time.Duration) time.Duration {
	if b.Every == 0 {
		return never
	}
	return b.Every
}
