package scenarios

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

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
