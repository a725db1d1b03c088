package runner

import (
	"cmp"
	"github.com/fleetmark/fleetmark/scenarios"
	"time"
)

// scheduleOf returns when operations are planned. It returns nil for a closed model. The seed is for
// arrivals that are drawn.
func scheduleOf(l scenarios.LoadSpec, seed uint64) schedule {
	switch l.Model {
	case scenarios.Bursts:
		return &evenly{pace: burstPace{int64(l.Burst.Size), l.Burst.Every.Std()}}
	case scenarios.Closed, scenarios.Once, scenarios.Rolling:
		return nil
	}
	p := profileOf(l)
	if l.Model == scenarios.Poisson || l.Arrivals == scenarios.Independently {
		return newPoisson(p, seed)
	}
	return &evenly{pace: evenPace{p}}
}

// profileOf returns the rate of an open load over time.
func profileOf(l scenarios.LoadSpec) profile {
	rate := float64(l.Rate)
	switch l.Model {
	case scenarios.Ramped:
		return newProfile(piece{length: l.Duration.Std().Seconds(), from: rate, to: float64(l.Ramp.To)})
	case scenarios.Spiked:
		at, long, top := l.Spike.At.Std(), l.Spike.For.Std(), float64(l.Spike.Rate)
		return newProfile(
			piece{length: at.Seconds(), from: rate, to: rate},
			piece{length: long.Seconds(), from: top, to: top},
			piece{length: (l.Duration.Std() - at - long).Seconds(), from: rate, to: rate},
		)
	case scenarios.Staged:
		var pieces []piece
		for _, s := range l.Stages {
			to := s.Rate
			if s.To != nil {
				to = *s.To
			}
			pieces = append(pieces, piece{length: s.For.Std().Seconds(), from: float64(s.Rate), to: float64(to)})
		}
		return newProfile(pieces...)
	}
	return constantProfile(rate)
}

// peakRate returns the highest rate of the plan, in operations a second. It is 0 for bursts, whose
// operations come all at once.
func peakRate(l scenarios.LoadSpec) float64 {
	if !l.IsOpen() || l.Model == scenarios.Bursts {
		return 0
	}
	highest := 0.0
	for _, p := range profileOf(l) {
		highest = max(highest, p.from, p.to)
	}
	return highest
}

// leastLongest is what histograms reach at least.
const leastLongest = 100 * time.Second

// mostLongest bounds their memory.
const mostLongest = 30 * 24 * time.Hour

// Deadlines that the client has where the scenario sets none, as package delivery documents them.
const (
	clientTotal    = 5 * time.Minute
	clientAttempts = 4
	clientRetryCap = 10 * time.Second
	clientPollFor  = 5 * time.Minute
)

// longest returns how long an operation of the scenario can take, by the client's own deadlines,
// retries and waits, and under an open load by the wait for a worker. No response time is longer.
func longest(s scenarios.Spec) time.Duration {
	or := func(d scenarios.Duration, otherwise time.Duration) float64 {
		return cmp.Or(d.Std(), otherwise).Seconds()
	}
	most := or(s.Client.TotalTimeout, clientTotal)
	if s.Load.Operation == scenarios.Deliver {
		attempts := float64(cmp.Or(s.Client.MaxAttempts, clientAttempts))
		request := most + or(s.Client.RetryCap, clientRetryCap)
		settles := attempts*request + or(s.Client.PollFor, clientPollFor) + request
		most = attempts * (request + settles)
	}
	if s.Load.IsOpen() {
		if _, workers := s.Load.WorkerRange(); !s.Load.Drains() { // a burst is worked off by as many as there are
			most *= float64(s.Load.Burst.Size/workers + 1)
		}
		most += s.Load.DrainTime().Seconds()
	}
	return time.Duration(min(max(most, leastLongest.Seconds()), mostLongest.Seconds()) * float64(time.Second))
}

// atRate returns the load that a search for the breakpoint tries at one rate.
func atRate(l scenarios.LoadSpec, rate float64) scenarios.LoadSpec {
	l.Model, l.Rate, l.Duration, l.Breakpoint = scenarios.Constant, scenarios.Rate(rate), l.Breakpoint.WithDefaults().Probe, scenarios.Breakpoint{}
	return l
}
