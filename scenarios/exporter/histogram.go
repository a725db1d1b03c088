package exporter

import (
	"math"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fleetmark/fleetmark/internal/hdr"
)

// The buckets of histograms, which are Prometheus' native ones of schema 5: each is 2^(1/32), 2.2%,
// wider than the one before, and a power of two of seconds is always a limit. The histograms of a
// load are 20 times as fine. A range of theirs that a limit divides is counted on the side of its
// middle, so a time may count in the bucket beside its own if it differs from the limit by less
// than 0.05%, or by 8 ns.
const (
	schema        = 5
	perOctave     = 1 << schema
	lowestOctave  = -27 // the first bucket ends at 2^-27 s, 7.5 ns, the middle of what a load measures at best
	highestOctave = 22  // the last ends at 2^22 s, 48 days
	buckets       = (highestOctave-lowestOctave)*perOctave + 1
	firstBucket   = lowestOctave * perOctave // its index by Prometheus' count

	// The classic buckets, for those who can't read native ones, end at powers of two of seconds.
	lowestClassic  = -14 // 61 µs
	highestClassic = 7   // 128 s

	// zeroThreshold is the width of the bucket of zeros, as client libraries have it by default.
	zeroThreshold = 0x1p-128
)

// bucketLimits returns the highest time in each bucket, in nanoseconds.
func bucketLimits() *[buckets]int64 {
	var limits [buckets]int64
	for i := range limits {
		limits[i] = int64(math.Exp2(float64(firstBucket+i)/perOctave) * 1e9)
	}
	return &limits
}

// A histogram counts times in the buckets of a native histogram.
type histogram struct {
	limits   *[buckets]int64
	counts   [buckets]int64
	low, end int // only counts[low:end] may differ from 0
	count    int64
	sum      float64 // seconds
}

// add adds the times of h. sum is their sum in nanoseconds; if it is negative, it is taken from the
// middles of the ranges in h.
func (t *histogram) add(h *hdr.Histogram, sum float64) {
	at, middles := -1, 0.0
	for c := range h.All {
		middle := c.Lowest + (c.Highest-c.Lowest)/2
		if at < 0 {
			at, _ = slices.BinarySearch(t.limits[:buckets-1], middle)
			if t.end == 0 {
				t.low = at
			}
			t.low = min(t.low, at)
		}
		for at < buckets-1 && middle > t.limits[at] {
			at++
		}
		t.counts[at] += c.N
		middles += float64(middle) * float64(c.N)
	}
	if at < 0 {
		return
	}
	t.end = max(t.end, at+1)
	t.count += h.TotalCount()
	if sum < 0 {
		sum = middles
	}
	t.sum += sum / float64(time.Second)
}

// proto returns the histogram as Prometheus knows it, with native and classic buckets.
func (t *histogram) proto(created time.Time) *dto.Histogram {
	h := &dto.Histogram{
		SampleCount: proto.Uint64(uint64(t.count)), SampleSum: proto.Float64(t.sum),
		Schema: proto.Int32(schema), ZeroThreshold: proto.Float64(zeroThreshold), ZeroCount: proto.Uint64(0),
		CreatedTimestamp: timestamppb.New(created),
	}
	var before int64
	next := firstBucket // the bucket after the last one with a count
	for i := t.low; i < t.end; i++ {
		n := t.counts[i]
		if n == 0 {
			continue
		}
		index := firstBucket + i
		switch last := len(h.PositiveSpan) - 1; {
		case last >= 0 && index == next:
			*h.PositiveSpan[last].Length++
		case last >= 0:
			h.PositiveSpan = append(h.PositiveSpan, span(index-next))
		default:
			h.PositiveSpan = append(h.PositiveSpan, span(index))
		}
		next = index + 1
		h.PositiveDelta = append(h.PositiveDelta, n-before)
		before = n
	}
	if len(h.PositiveSpan) == 0 { // an empty span shows that the histogram is a native one
		h.PositiveSpan = []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(0)}}
	}
	sum, at := int64(0), 0
	for octave := lowestClassic; octave <= highestClassic; octave++ {
		for ; at <= (octave-lowestOctave)*perOctave; at++ {
			sum += t.counts[at]
		}
		h.Bucket = append(h.Bucket, &dto.Bucket{
			UpperBound: proto.Float64(math.Exp2(float64(octave))), CumulativeCount: proto.Uint64(uint64(sum)),
		})
	}
	return h
}

func span(offset int) *dto.BucketSpan {
	return &dto.BucketSpan{Offset: proto.Int32(int32(offset)), Length: proto.Uint32(1)}
}
