package runner

import (
	"math"
	"math/rand/v2"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// pace says when each operation of an open load is planned, counted from the
// start. It is a pure function of the operation's number, so that a table tests it
// without a clock. Later operations are never planned before earlier ones.
type pace interface {
	at(n int64) time.Duration // n from 0; math.MaxInt64 is never
}

// evenPace spaces operations as evenly as a profile's rate lets it: operation n
// is planned when the rate has come to n operations.
type evenPace struct{ profile profile }

func (p evenPace) at(n int64) time.Duration { return p.profile.when(float64(n)) }

// burstPace plans operations in bursts of so many at once, one every so often; where
// that is 0, there is one burst.
type burstPace struct {
	size  int64
	every time.Duration
}

func (p burstPace) at(n int64) time.Duration {
	burst := n / p.size
	switch {
	case burst == 0:
		return 0
	case p.every == 0 || burst > math.MaxInt64/int64(p.every):
		return math.MaxInt64
	}
	return time.Duration(burst) * p.every
}

// until is how many operations a pace plans before end.
func until(p pace, end time.Duration) int64 {
	n := sort.Search(math.MaxInt, func(n int) bool { return p.at(int64(n)) >= end })
	return int64(n)
}

// profile is a rate over time: pieces over each of which it is constant, or rises or falls evenly.
type profile []piece

type piece struct {
	length   float64 // seconds; the last piece may go on for ever
	from, to float64 // operations a second, at its start and its end

	start float64 // seconds from the load's start
	until float64 // operations planned up to its end, were they to come evenly
}

// newProfile puts pieces one behind the other; start and until are worked out.
func newProfile(pieces ...piece) profile {
	var start, count float64
	for i := range pieces {
		p := &pieces[i]
		p.start = start
		start += p.length
		count += p.operations()
		p.until = count
	}
	return pieces
}

// constantProfile never ends.
func constantProfile(perSecond float64) profile {
	return newProfile(piece{length: math.Inf(1), from: perSecond, to: perSecond})
}

func (p piece) operations() float64 { return p.length * (p.from + p.to) / 2 }

// when is the time at which the profile has come to so many operations; math.MaxInt64
// where it never does. It is exact to a nanosecond or so, however long the load goes on.
func (p profile) when(count float64) time.Duration {
	i := sort.Search(len(p), func(i int) bool { return p[i].until > count })
	if i == len(p) {
		return math.MaxInt64
	}
	if i > 0 {
		count -= p[i-1].until
	}
	if ns := math.Round((p[i].start + p[i].when(count)) * float64(time.Second)); ns < math.MaxInt64 {
		return time.Duration(ns)
	}
	return math.MaxInt64
}

// when is after how many seconds the piece has come to so many operations, which are
// from*x + (to-from)/(2*length)*x². This form of the solution keeps its figures also
// where the rate hardly changes.
func (p piece) when(count float64) float64 {
	switch {
	case count == 0:
		return 0
	case p.from == p.to:
		return count / p.from
	}
	return 2 * count / (p.from + math.Sqrt(p.from*p.from+2*(p.to-p.from)/p.length*count))
}

// rate is operations a second at a moment.
func (p profile) rate(at time.Duration) float64 {
	for _, piece := range p {
		switch x := at.Seconds() - piece.start; {
		case x >= piece.length:
		case piece.from == piece.to:
			return piece.from
		default:
			return piece.from + (piece.to-piece.from)*x/piece.length
		}
	}
	return 0
}

// schedule hands out operations with the times that they are planned for, in order, to
// any number of workers. A load without a plan has none.
type schedule interface {
	take() (n int64, planned time.Duration)
	// planned is how many operations there are before end, or about how many there
	// will be, where that is drawn.
	planned(end time.Duration) int64
	// at is when operation n is planned, math.MaxInt64 where it never is. It takes nothing, and is
	// called before anything is taken.
	at(n int64) time.Duration
	// rate is operations a second at a moment; 0 where that says nothing.
	rate(at time.Duration) float64
}

// evenly is the schedule of a pace.
type evenly struct {
	pace pace
	next atomic.Int64
}

func (e *evenly) take() (int64, time.Duration) {
	n := e.next.Add(1) - 1
	return n, e.pace.at(n)
}

func (e *evenly) at(n int64) time.Duration { return e.pace.at(n) }

func (e *evenly) planned(end time.Duration) int64 { return until(e.pace, end) }

func (e *evenly) rate(at time.Duration) float64 {
	if p, ok := e.pace.(evenPace); ok {
		return p.profile.rate(at)
	}
	return 0
}

// poisson is the schedule of arrivals that know nothing of each other: a Poisson process
// with a profile's rate. It comes from one with rate 1, whose gaps are exponential, by a
// change of time (Çinlar, "Introduction to Stochastic Processes", 1975, ch. 4.7). Each
// operation's time is determined by the seed and its number.
type poisson struct {
	profile profile
	seed    uint64

	mu   sync.Mutex
	dice *rand.Rand
	n    int64
	unit float64 // the time of the last arrival at rate 1
}

func newPoisson(p profile, seed uint64) *poisson {
	return &poisson{profile: p, seed: seed, dice: rand.New(rand.NewPCG(seed, poissonStream))}
}

// poissonStream sets the arrivals' random numbers apart from others of the seed.
const poissonStream = 0x706f6973736f6e

func (p *poisson) take() (int64, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.n
	p.n++
	p.unit += p.dice.ExpFloat64()
	return n, p.profile.when(p.unit)
}

func (p *poisson) at(n int64) time.Duration {
	again, at := newPoisson(p.profile, p.seed), time.Duration(0)
	for range n + 1 {
		_, at = again.take()
	}
	return at
}

func (p *poisson) planned(end time.Duration) int64 {
	var sum float64
	for _, piece := range p.profile {
		x := max(0, min(piece.length, end.Seconds()-piece.start))
		to := piece.to
		if piece.from != piece.to {
			to = piece.from + (piece.to-piece.from)*x/piece.length
		}
		sum += x * (piece.from + to) / 2
	}
	return int64(math.Round(min(sum, 1<<62)))
}

func (p *poisson) rate(at time.Duration) float64 { return p.profile.rate(at) }
