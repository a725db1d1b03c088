package load

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// A ClosedLoop has workers that each begin their next operation when their last one has ended.
type ClosedLoop struct {
	Workers  int
	Duration time.Duration // 0: until every device had the operation once
	Drain    time.Duration // how long operations may go on after Duration
	Shard    Shard         // the part of all workers that these are, which think at times of their own

	// Think returns how long a worker waits after an operation, given a random number in [0, 1). If
	// it is nil, workers don't wait.
	Think func(u float64) time.Duration
}

// Expect implements [Executor].
func (c ClosedLoop) Expect(devices int) Expectation {
	if c.Duration > 0 {
		return Expectation{}
	}
	return Expectation{Operations: int64(devices)}
}

// Run implements [Executor].
func (c ClosedLoop) Run(ctx context.Context, e Env) (Result, error) {
	l := newLoop(e, c.Duration, c.Duration, c.Drain)
	var next struct {
		_ [64]byte // keeps n on a cache line of its own
		n atomic.Int64
		_ [64]byte
	}
	tasks := make([]func(context.Context), c.Workers)
	for i := range tasks {
		r, think := e.Record.recorder(i), c.thinker(e.Seed, i)
		tasks[i] = func(ctx context.Context) {
			for ctx.Err() == nil {
				n, now := next.n.Add(1)-1, time.Since(l.start)
				if l.finished(n, now) {
					return
				}
				l.operate(ctx, r, n, now, now)
				if think != nil {
					think(ctx)
				}
			}
		}
	}
	elapsed, err := l.run(ctx, tasks)
	if err != nil {
		return Result{}, err
	}
	result := l.result(elapsed, 0)
	result.Workers = c.Workers
	return result, nil
}

// thinker returns a function that waits for worker i's next think time, or until ctx ends. It
// returns nil if workers don't think.
func (c ClosedLoop) thinker(seed uint64, i int) func(ctx context.Context) {
	if c.Think == nil {
		return nil
	}
	rng := rand.New(rand.NewPCG(seed, uint64(c.Shard.worker(i))))
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return func(ctx context.Context) {
		wait := c.Think(rng.Float64())
		if wait <= 0 {
			return
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
