package gobench

import (
	"context"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// calibrate sets the number of iterations in a block of the target. Both sides have the same
// number, which fills a block of the slower side.
func (c *comparison) calibrate(ctx context.Context, t *target) error {
	n, overhead := maxIterations, time.Duration(0)
	for _, b := range []*binary{t.base, t.now} {
		found, last, err := c.ramp(ctx, t, b)
		if err != nil {
			return c.giveUp(t, b, err)
		}
		c.declared.add(last.units)
		n, overhead = min(n, found), max(overhead, last.overhead)
	}
	if block := min(maxBlock, overhead); block > c.Block {
		n = int(min(maxIterations, float64(n)*float64(block)/float64(c.Block)))
	}
	t.iterations = max(1, n)
	return nil
}

// ramp measures more and more iterations until they take a certain time. It returns how many fill a
// block, and the last step. The first step is estimated from the single iteration of discover,
// which ran with cold caches.
func (c *comparison) ramp(ctx context.Context, t *target, b *binary) (int, *block, error) {
	n := 100
	if first := t.firstIteration[b]; first > 0 {
		n = int(max(1, min(float64(rampFactor)*float64(n), float64(c.Block)/float64(first))))
	}
	lowest := c.Limit // the lowest overhead of a process so far
	for tries := 1; ; tries++ {
		got, err := b.runBlock(ctx, t.Benchmark, n)
		if err != nil {
			return 0, nil, err
		}
		lowest = min(lowest, got.overhead)
		if idle, ok := t.idleCPU[b]; !ok || got.cpu-got.elapsed() < idle {
			t.idleCPU[b] = max(0, got.cpu-got.elapsed())
		}
		untimed := got.overhead - lowest // what the iterations took while the timer was stopped
		_, timed := got.record.Value(results.UnitMean)
		switch elapsed := got.elapsed(); {
		case !timed, elapsed >= c.Block/5:
			return iterationsIn(c.Block, got), got, nil
		case untimed >= maxUntimed && tries < untimedTries:
			continue // on a busy machine, the process may have waited for a processor
		case untimed >= maxUntimed && elapsed < untimed/10_000, n == maxIterations:
			return 0, nil, &problem{text: fmt.Sprintf("reports %v for %d iterations: "+
				"see that it loops b.N times, or while b.Loop(), and that its timer runs", elapsed, n)}
		case untimed >= maxUntimed:
			return n, got, nil
		}
		tries = 0
		n = max(n+1, min(iterationsIn(c.Block, got), rampFactor*n,
			int(float64(n)*float64(2*maxUntimed)/float64(untimed+1)), maxIterations))
	}
}

const (
	// rampFactor limits how many times as many iterations a step of the ramp may have as the last
	// one.
	rampFactor = 100

	// maxUntimed is how long the iterations of a block may take while the timer is stopped, as in a
	// benchmark that prepares each iteration. untimedTries is how often that must be observed.
	maxUntimed   = 200 * time.Millisecond
	untimedTries = 4
)

// maxIterations limits the iterations of a block. The testing package has the same limit.
const maxIterations = 1_000_000_000

// iterationsIn returns how many iterations fit into d, by the mean time of one in a block.
func iterationsIn(d time.Duration, b *block) int {
	one := float64(b.elapsed()) / float64(max(1, b.record.Ops))
	if one <= 0 { // the benchmark reports no time, only metrics of its own
		return int(max(1, b.record.Ops))
	}
	return int(min(maxIterations, max(1, float64(d)/one)))
}
