package runner

import (
	"cmp"
	"math"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// executorOf returns the executor of a load. If the load starts workers as needed, it starts at
// most maxAuto of them, unless maxAuto is 0. l has the workers of the shard alone. A rollout calls
// onEvent with its events.
func executorOf(l scenarios.LoadSpec, maxAuto int, shard load.Shard, onEvent func(rollout.Event)) load.Executor {
	workers, most := l.WorkerRange()
	switch l.Model {
	case scenarios.Service: // Session.newDrive sets Watch
		return load.Witnessed{}
	case scenarios.Rollout:
		return load.Rollout{Options: rolloutOptions(l, onEvent)}
	case scenarios.ClosedLoop, scenarios.Once:
		x := load.ClosedLoop{Workers: workers, Duration: l.Duration.Std(), Drain: l.DrainTime(), Shard: shard}
		if !l.Think.IsZero() {
			x.Think = l.Think.Sample
		}
		return x
	}
	if l.AutoWorkers() && maxAuto > 0 {
		most = maxAuto
	}
	return load.ArrivalRate{
		Pacer: pacerOf(l), Duration: l.TotalDuration(), Workers: min(workers, most), MaxWorkers: most,
		Drain: l.DrainTime(), StopBehind: l.Drain == 0, Shard: shard,
	}
}

// pacerOf returns the pacer that plans the operations of an open load.
func pacerOf(l scenarios.LoadSpec) load.Pacer {
	if l.Model == scenarios.Burst {
		return load.Bursts{Size: int64(l.Burst.Size), Every: l.Burst.Every.Std()}
	}
	var segments []load.Segment
	for _, s := range stagesOf(l) {
		segments = append(segments, load.Segment{Length: s.For.Std(), From: float64(s.Rate), To: float64(endRate(s))})
	}
	schedule := load.NewRateSchedule(segments...)
	if l.Model == scenarios.Poisson || l.Arrivals == scenarios.PoissonArrivals {
		return load.Poisson{Rate: schedule}
	}
	return schedule
}

// stagesOf returns the rate of an open load over time. Every model that has a rate is a short form
// of stages.
func stagesOf(l scenarios.LoadSpec) []scenarios.StageSpec {
	switch l.Model {
	case scenarios.RampingRate:
		return []scenarios.StageSpec{{Rate: l.Rate, To: &l.Ramp.To, For: l.Duration}}
	case scenarios.Spike:
		at, long := l.Spike.At, l.Spike.For
		return []scenarios.StageSpec{
			{Rate: l.Rate, For: at}, {Rate: l.Spike.Rate, For: long}, {Rate: l.Rate, For: l.Duration - at - long},
		}
	case scenarios.Stages:
		return l.Stages
	}
	return []scenarios.StageSpec{{Rate: l.Rate, For: math.MaxInt64}}
}

// endRate returns the rate at the end of a stage.
func endRate(s scenarios.StageSpec) scenarios.Rate {
	if s.To != nil {
		return *s.To
	}
	return s.Rate
}

// peakRate returns the highest rate of the plan, in operations a second. It is 0 for bursts, whose
// operations come all at once.
func peakRate(l scenarios.LoadSpec) float64 {
	if !l.IsOpen() || l.Model == scenarios.Burst {
		return 0
	}
	highest := scenarios.Rate(0)
	for _, s := range stagesOf(l) {
		highest = max(highest, s.Rate, endRate(s))
	}
	return float64(highest)
}

// minLongest is the least time that histograms must be able to hold.
const minLongest = 100 * time.Second

// maxLongest is the longest time that histograms may hold, since their memory grows with it.
const maxLongest = 30 * 24 * time.Hour

// Deadlines of the client if the scenario sets none, as package delivery documents them.
const (
	clientTotal    = 5 * time.Minute
	clientAttempts = 4
	clientRetryCap = 10 * time.Second
	clientPollFor  = 5 * time.Minute
)

// processGrace is more than what a process gets after the deadline of its operation.
const processGrace = 2 * time.Second

// serviceGrace is more than what passes between the deadline of a service and the last look at the
// ledger, which may have updates of that time.
const serviceGrace = time.Minute

// longest returns how long an operation of the scenario can take, by the client's deadlines,
// retries and waits and, in an open load, by the wait for a worker. No response time is longer.
func longest(s scenarios.Spec) time.Duration {
	or := func(d scenarios.Duration, otherwise time.Duration) float64 {
		return cmp.Or(d.Std(), otherwise).Seconds()
	}
	most := or(s.Client.TotalTimeout, clientTotal)
	if s.Load.Operation == delivery.OpDeliver {
		attempts := float64(cmp.Or(s.Client.MaxAttempts, clientAttempts))
		request := most + or(s.Client.RetryCap, clientRetryCap)
		settles := attempts*request + or(s.Client.PollTimeout, clientPollFor) + request
		most = attempts * (request + settles)
	}
	if c := s.Client.WithProcessDefaults(); len(c.Command) > 0 { // it ends what takes longer, and workers wait for a process
		_, workers := s.Load.WorkerRange()
		requests := 1 + max(1, c.ConfirmReads)
		most = (c.Deadline.Std() + processGrace).Seconds() * float64(requests*(workers/(c.Processes*c.Concurrency)+1))
	}
	if v := s.Client.Service.WithDefaults(); !v.IsZero() {
		most = (v.Deadline.Std() + serviceGrace).Seconds()
	}
	if s.Load.IsOpen() {
		if _, workers := s.Load.WorkerRange(); !s.Load.Drains() { // the workers there are work off a burst
			most *= float64(s.Load.Burst.Size/workers + 1)
		}
		most += s.Load.DrainTime().Seconds()
	}
	return time.Duration(min(max(most, minLongest.Seconds()), maxLongest.Seconds()) * float64(time.Second))
}

// atRate returns the load of one trial of a search for the breakpoint: a constant rate for the
// given time.
func atRate(l scenarios.LoadSpec, rate float64, duration time.Duration) scenarios.LoadSpec {
	l.Model, l.Rate, l.Duration = scenarios.ConstantRate, scenarios.Rate(rate), scenarios.Duration(duration)
	l.Breakpoint = scenarios.BreakpointSpec{}
	return l
}
