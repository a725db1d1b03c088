package scenarios

import (
	"math/bits"
	"time"
)

// liveTimes counts response times coarsely, for who watches a run: the histograms that are
// recorded are too large to be looked at several times a second. A bucket is an eighth of
// a power of two wide.
type liveTimes struct{ counts [liveBuckets]uint32 }

const (
	liveFraction = 3                                    // bits below the highest
	liveBuckets  = (45 + 1) << liveFraction             // up to 2^45 ns, which is 9.8 h
	liveWindow   = int(2 * time.Second / progressEvery) // looks that a percentile is of
)

func (t *liveTimes) add(d time.Duration) { t.counts[liveBucket(d)]++ }

func liveBucket(d time.Duration) int {
	ns := uint64(max(d, 1))
	top := bits.Len64(ns) - 1
	within := ns << liveFraction >> top & (1<<liveFraction - 1)
	return min(top<<liveFraction|int(within), liveBuckets-1)
}

// middle of a bucket's times.
func middle(bucket int) time.Duration {
	top := bucket >> liveFraction
	width := max(1, uint64(1)<<top>>liveFraction)
	return time.Duration(uint64(1)<<top + uint64(bucket&(1<<liveFraction-1))*width + width/2)
}

// move adds what t counted to another, and empties t.
func (t *liveTimes) move(to *liveTimes) {
	for i, n := range t.counts {
		to.counts[i] += n
	}
	*t = liveTimes{}
}

// liveView keeps the last looks at the recorders.
type liveView struct {
	looks [liveWindow]liveTimes
	turn  int
}

// look takes what came since the last one, and gives the percentiles of the last ones; 0 where nothing came.
func (v *liveView) look(recorders []*recorder) (p50, p99 time.Duration) {
	now := &v.looks[v.turn%liveWindow]
	v.turn++
	*now = liveTimes{}
	for _, r := range recorders {
		r.mu.Lock()
		r.live.move(now)
		r.mu.Unlock()
	}
	var all liveTimes
	for i := range v.looks {
		for b, n := range v.looks[i].counts {
			all.counts[b] += n
		}
	}
	return all.quantile(0.5), all.quantile(0.99)
}

// quantile is the time that a share of what was counted kept within.
func (t *liveTimes) quantile(share float64) time.Duration {
	var all uint64
	for _, n := range t.counts {
		all += uint64(n)
	}
	if all == 0 {
		return 0
	}
	var sum uint64
	for i, n := range t.counts {
		if sum += uint64(n); float64(sum) >= share*float64(all) {
			return middle(i)
		}
	}
	return middle(liveBuckets - 1)
}
