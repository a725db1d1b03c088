package load

import (
	"iter"
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

// A Segment is a period in which a rate is constant or changes linearly.
type Segment struct {
	Length   time.Duration // math.MaxInt64 means that it never ends
	From, To float64       // operations per second, at its start and its end
}

// A RateSchedule is a rate that changes over time. Operation n is due when the integral of the
// rate over time reaches n. It is a [Pacer].
type RateSchedule []segment

// A segment is a [Segment] with its place in the schedule.
type segment struct {
	length, from, to float64 // seconds, and operations per second

	start      float64 // seconds from the load's start
	cumulative float64 // operations planned up to its end
}

// NewRateSchedule returns the schedule of segments that follow one another.
func NewRateSchedule(segments ...Segment) RateSchedule {
	r := make(RateSchedule, len(segments))
	var start, count float64
	for i, s := range segments {
		length := s.Length.Seconds()
		count += length * (s.From + s.To) / 2
		r[i] = segment{length: length, from: s.From, to: s.To, start: start, cumulative: count}
		start += length
	}
	return r
}

// ConstantRate returns the schedule of a rate that never changes or ends.
func ConstantRate(perSecond float64) RateSchedule {
	return NewRateSchedule(Segment{Length: never, From: perSecond, To: perSecond})
}

// timeOf returns when the schedule reaches count operations, or never. It is exact to about a
// nanosecond, however long the load lasts.
func (r RateSchedule) timeOf(count float64) time.Duration {
	i := sort.Search(len(r), func(i int) bool { return r[i].cumulative > count })
	if i == len(r) {
		return never
	}
	if i > 0 {
		count -= r[i-1].cumulative
	}
	if ns := math.Round((r[i].start + r[i].timeOf(count)) * float64(time.Second)); ns < math.MaxInt64 {
		return time.Duration(ns)
	}
	return never
}

// timeOf returns after how many seconds x the segment reaches count operations. It solves count =
// from*x + (to-from)/(2*length)*x² in a form that stays exact if the rate hardly changes.
func (s segment) timeOf(count float64) float64 {
	switch {
	case count == 0:
		return 0
	case s.from == s.to:
		return count / s.from
	}
	return 2 * count / (s.from + math.Sqrt(s.from*s.from+2*(s.to-s.from)/s.length*count))
}

// rateAt returns the rate after x seconds of the segment.
func (s segment) rateAt(x float64) float64 {
	if s.from == s.to {
		return s.from
	}
	return s.from + (s.to-s.from)*x/s.length
}

// Arrivals implements [Pacer].
func (r RateSchedule) Arrivals(uint64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for n := 0.0; ; n++ {
			if planned := r.timeOf(n); planned == never || !yield(planned) {
				return
			}
		}
	}
}

// At returns the planned time of operation n.
func (r RateSchedule) At(n int64) time.Duration { return r.timeOf(float64(n)) }

// CountBy returns how many operations are planned before end.
func (r RateSchedule) CountBy(end time.Duration) int64 {
	return int64(sort.Search(math.MaxInt, func(n int) bool { return r.timeOf(float64(n)) >= end }))
}

// RateAt returns the planned operations per second at a time.
func (r RateSchedule) RateAt(at time.Duration) float64 {
	for _, s := range r {
		if x := at.Seconds() - s.start; x < s.length {
			return s.rateAt(x)
		}
	}
	return 0
}

// Poisson plans independent arrivals: a Poisson process with the rate of the schedule. It
// transforms the times of a process of rate 1, whose gaps are exponential (Çinlar, "Introduction to
// Stochastic Processes", 1975, ch. 4.7). It is a [Pacer].
type Poisson struct{ Rate RateSchedule }

// poissonSeed makes the random numbers of the arrivals independent of others from the same seed.
const poissonSeed = 0x706f6973736f6e

// Arrivals implements [Pacer].
func (p Poisson) Arrivals(seed uint64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		rng := rand.New(rand.NewPCG(seed, poissonSeed))
		operations := 0.0 // when the next one arrives in a process of rate 1
		for {
			operations += rng.ExpFloat64()
			if planned := p.Rate.timeOf(operations); planned == never || !yield(planned) {
				return
			}
		}
	}
}

// CountBy returns how many operations are planned before end on average.
func (p Poisson) CountBy(end time.Duration) int64 {
	var sum float64
	for _, s := range p.Rate {
		x := max(0, min(s.length, end.Seconds()-s.start))
		sum += x * (s.from + s.rateAt(x)) / 2
	}
	return int64(math.Round(min(sum, 1<<62)))
}

// RateAt returns the mean of planned operations per second at a time.
func (p Poisson) RateAt(at time.Duration) float64 { return p.Rate.RateAt(at) }
