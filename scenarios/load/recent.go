package load

import (
	"math/bits"
	"time"
)

// A LatencyWindow returns percentiles over the last seconds of a running load. The zero value is
// ready for use by one goroutine.
type LatencyWindow struct {
	samples [windowSamples]recentLatencies
	turn    int
}

// windowSamples is the number of samples in a window.
const windowSamples = 10

// Sample takes the response times that r recorded since the last call, and returns the median and
// the 99th percentile of the last ten samples. They are 0 if the samples are empty.
func (w *LatencyWindow) Sample(r *Recording) (p50, p99 time.Duration) {
	now := &w.samples[w.turn%windowSamples]
	w.turn++
	*now = recentLatencies{}
	for _, rec := range r.recorders {
		rec.mu.Lock()
		rec.recent.drainTo(now)
		rec.mu.Unlock()
	}
	var all recentLatencies
	for i := range w.samples {
		for b, n := range w.samples[i].counts {
			all.counts[b] += n
		}
	}
	return all.quantile(0.5), all.quantile(0.99)
}

// recentLatencies is a coarse histogram of response times, small enough to be read several times a
// second. A bucket's width is an eighth of a power of two.
type recentLatencies struct{ counts [recentBuckets]uint32 }

const (
	recentFraction = 3                          // bits below the highest that choose a bucket
	recentBuckets  = (45 + 1) << recentFraction // up to 2^45 ns, which is 9.8 h
)

func (r *recentLatencies) add(d time.Duration) { r.counts[recentBucket(d)]++ }

func recentBucket(d time.Duration) int {
	ns := uint64(max(d, 1))
	top := bits.Len64(ns) - 1
	within := ns << recentFraction >> top & (1<<recentFraction - 1)
	return min(top<<recentFraction|int(within), recentBuckets-1)
}

// midpoint returns the middle of a bucket's times.
func midpoint(bucket int) time.Duration {
	top := bucket >> recentFraction
	width := max(1, uint64(1)<<top>>recentFraction)
	return time.Duration(uint64(1)<<top + uint64(bucket&(1<<recentFraction-1))*width + width/2)
}

// drainTo moves r's counts to another histogram.
func (r *recentLatencies) drainTo(to *recentLatencies) {
	for i, n := range r.counts {
		to.counts[i] += n
	}
	*r = recentLatencies{}
}

// quantile returns the time that the given share of response times don't exceed, or 0 if there are
// none.
func (r *recentLatencies) quantile(share float64) time.Duration {
	var all uint64
	for _, n := range r.counts {
		all += uint64(n)
	}
	if all == 0 {
		return 0
	}
	var sum uint64
	for i, n := range r.counts {
		if sum += uint64(n); float64(sum) >= share*float64(all) {
			return midpoint(i)
		}
	}
	return midpoint(recentBuckets - 1)
}
