// Package hdr counts times in an HDR histogram that is cheap to empty, to merge and to write.
//
// A run keeps a histogram for each interval of a second or less, and merges, writes and empties it
// at the interval's end, while it counts its own processor time and allocations. The histograms of
// package hdrhistogram-go visit every count for that (some 20,000) and allocate about a megabyte to
// write one. Those of this package visit only the counts that were used, and allocate nothing.
//
// Both divide times alike. What [LogWriter] writes, any reader of HdrHistogram logs reads, and a
// [Sum] adds up what any program wrote.
package hdr

import (
	"fmt"
	"math/bits"
	"time"
)

// The resolution of histograms: unit nanoseconds below 2·halfBuckets units, and one part in
// halfBuckets or better above. An HdrHistogram with a lowest value of 16 and 3 significant digits
// has the same.
const (
	unitBits    = 4
	unit        = 1 << unitBits // nanoseconds
	halfBits    = 10
	halfBuckets = 1 << halfBits
	digits      = 3

	blockBits = 6 // a block has 64 counts
	block     = 1 << blockBits
)

// A Histogram counts times from 0 to a highest one. It isn't safe for concurrent use.
type Histogram struct {
	counts  []uint64
	used    []uint64 // a bit for each block of counts, set if one of the counts may not be 0
	total   int64
	highest int64 // the highest time, in nanoseconds
}

// New returns an empty histogram of times up to highest.
func New(highest time.Duration) *Histogram {
	n := length(highest)
	return &Histogram{
		counts: make([]uint64, n), used: make([]uint64, (n/block+63)/64), highest: int64(highest),
	}
}

// length returns how many counts a histogram of times up to highest has.
func length(highest time.Duration) int {
	n := index(max(int64(highest), 0)) + 1
	n = (n + halfBuckets - 1) / halfBuckets * halfBuckets // a whole number of buckets, as others have
	return max(n, 2*halfBuckets)
}

// index returns the index of the count for a time of v nanoseconds, which must not be negative.
func index(v int64) int {
	bucket := bits.Len64(uint64(v)|(2*halfBuckets-1)<<unitBits) - (unitBits + halfBits + 1)
	return bucket<<halfBits + int(v>>(uint(bucket)+unitBits))
}

// lowestAt returns the lowest time that is counted at an index, and the width of the range of times
// that are counted there, both in nanoseconds.
func lowestAt(i int) (lowest, width int64) {
	bucket := max(0, i>>halfBits-1)
	return int64(i-bucket<<halfBits) << (uint(bucket) + unitBits), unit << uint(bucket)
}

// Highest returns the highest time that h can count.
func (h *Histogram) Highest() time.Duration { return time.Duration(h.highest) }

// Record counts a time. It reports whether the time is within the histogram's range. A negative
// time counts as 0, and one beyond the highest as the highest.
func (h *Histogram) Record(d time.Duration) bool {
	v := min(max(int64(d), 0), h.highest)
	i := index(v)
	h.counts[i]++
	h.used[i>>(blockBits+6)] |= 1 << (uint(i) >> blockBits & 63)
	h.total++
	return int64(d) <= h.highest
}

// TotalCount returns how many times were counted.
func (h *Histogram) TotalCount() int64 { return h.total }

// Reset empties the histogram.
func (h *Histogram) Reset() {
	for at := range h.blocks {
		clear(h.counts[at : at+block])
	}
	clear(h.used)
	h.total = 0
}

// Merge adds the counts of from, which must have the same highest time.
func (h *Histogram) Merge(from *Histogram) {
	if h.highest != from.highest {
		panic(fmt.Sprintf("hdr: merge: %v and %v are different ranges", h.Highest(), from.Highest()))
	}
	for at := range from.blocks {
		to, of := h.counts[at:at+block], from.counts[at:at+block]
		for i, n := range of {
			to[i] += n
		}
	}
	for i, w := range from.used {
		h.used[i] |= w
	}
	h.total += from.total
}

// blocks yields where the used blocks begin, in order.
func (h *Histogram) blocks(yield func(at int) bool) {
	for i, word := range h.used {
		for ; word != 0; word &= word - 1 {
			if !yield((i<<6 | bits.TrailingZeros64(word)) << blockBits) {
				return
			}
		}
	}
}

// ValueAtQuantile returns the time, in nanoseconds, that percent of the counted times don't exceed;
// percent is above 0 and at most 100. Of the times that are counted together, it returns the
// highest. It returns 0 if h is empty.
func (h *Histogram) ValueAtQuantile(percent float64) int64 {
	var values [1]int64
	h.ValuesAtQuantiles([]float64{percent}, values[:])
	return values[0]
}

// ValuesAtQuantiles sets values to what [Histogram.ValueAtQuantile] returns for each of the
// percentages, which must be in ascending order.
func (h *Histogram) ValuesAtQuantiles(percentages []float64, values []int64) {
	clear(values[:len(percentages)])
	if h.total == 0 {
		return
	}
	next, sum, rank := 0, int64(0), h.rank(percentages[0])
	for at := range h.blocks {
		for i, n := range h.counts[at : at+block] {
			if n == 0 {
				continue
			}
			sum += int64(n)
			for sum >= rank {
				lowest, width := lowestAt(at + i)
				values[next] = lowest + width - 1
				if next++; next == len(percentages) {
					return
				}
				rank = h.rank(percentages[next])
			}
		}
	}
}

// rank returns how many of the counted times the given percentage is, rounded, but at least one.
func (h *Histogram) rank(percent float64) int64 {
	return max(1, int64(min(percent, 100)/100*float64(h.total)+0.5))
}

// Max returns the longest counted time in nanoseconds. Of the times that are counted together with
// it, it returns the highest. It returns 0 if h is empty.
func (h *Histogram) Max() int64 {
	i := h.last()
	if i < 0 {
		return 0
	}
	lowest, width := lowestAt(i)
	return lowest + width - 1
}

// last returns the index of the last count that isn't 0, or -1.
func (h *Histogram) last() int {
	for w := len(h.used) - 1; w >= 0; w-- {
		for word := h.used[w]; word != 0; {
			b := 63 - bits.LeadingZeros64(word)
			word &^= 1 << b
			at := (w<<6 | b) << blockBits
			for i := at + block - 1; i >= at; i-- {
				if h.counts[i] != 0 {
					return i
				}
			}
		}
	}
	return -1
}

// A Count is how many times were counted together.
type Count struct {
	Lowest, Highest int64 // the range of these times, in nanoseconds
	N               int64
}

// All yields the counts that aren't 0, in ascending order of their times.
func (h *Histogram) All(yield func(Count) bool) {
	for at := range h.blocks {
		for i, n := range h.counts[at : at+block] {
			if n == 0 {
				continue
			}
			lowest, width := lowestAt(at + i)
			if !yield(Count{lowest, lowest + width - 1, int64(n)}) {
				return
			}
		}
	}
}
