package exporter

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/hdr"
)

// nativeBuckets returns the counts of a histogram by the index of their bucket.
func nativeBuckets(h *dto.Histogram) map[int]int64 {
	counts := map[int]int64{}
	index, at, n := 0, 0, int64(0)
	for _, s := range h.PositiveSpan {
		index += int(s.GetOffset())
		for range s.GetLength() {
			n += h.PositiveDelta[at]
			counts[index] = n
			at++
			index++
		}
	}
	return counts
}

// library returns the histogram that Prometheus' client library makes of times, with the same
// buckets.
func library(t *testing.T, list []time.Duration) *dto.Histogram {
	var classic []float64
	for octave := lowestClassic; octave <= highestClassic; octave++ {
		classic = append(classic, math.Exp2(float64(octave)))
	}
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "x", Buckets: classic, NativeHistogramBucketFactor: math.Exp2(1.0 / 32),
		NativeHistogramZeroThreshold: zeroThreshold,
	})
	for _, d := range list {
		h.Observe(d.Seconds())
	}
	var m dto.Metric
	require.NoError(t, h.Write(&m))
	require.EqualValues(t, schema, m.Histogram.GetSchema())
	return m.Histogram
}

// TestHistogram compares with the client library, on times that are far enough from the limits of
// buckets to be in the same ones.
func TestHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	limits := bucketLimits()
	from, got := hdr.New(24*time.Hour), &histogram{limits: limits}
	var list []time.Duration
	for range 3 { // three intervals
		from.Reset()
		sum := 0.0
		for range 4000 {
			d := time.Duration(100 * math.Pow(8.64e11, rng.Float64()))
			if i := math.Log2(d.Seconds()) * perOctave; math.Abs(i-math.Round(i)) < 0.3 {
				continue
			}
			list = append(list, d)
			sum += float64(d)
			require.True(t, from.Record(d))
		}
		got.add(from, sum)
	}
	want := library(t, list)
	h := got.proto(time.Unix(1, 0))
	require.Equal(t, want.GetSampleCount(), h.GetSampleCount())
	require.InEpsilon(t, want.GetSampleSum(), h.GetSampleSum(), 1e-9)
	require.InDelta(t, want.GetZeroThreshold(), h.GetZeroThreshold(), 0)
	require.Len(t, h.Bucket, len(want.Bucket))
	for i, b := range want.Bucket {
		require.InDelta(t, b.GetUpperBound(), h.Bucket[i].GetUpperBound(), 0)
		require.Equal(t, b.GetCumulativeCount(), h.Bucket[i].GetCumulativeCount(), "%v", b.GetUpperBound())
	}
	far := func(counts map[int]int64) map[int]int64 { // below 10 µs a bucket of the load's is as wide as these
		sum := map[int]int64{}
		for i, n := range counts {
			if n > 0 && math.Exp2(float64(i)/perOctave) > 10e-6 {
				sum[i] = n
			}
		}
		return sum
	}
	require.Equal(t, far(nativeBuckets(want)), far(nativeBuckets(h)))
}

// TestHistogram_misplaced checks how far a time may be from the limit of a bucket beside its own.
func TestHistogram_misplaced(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	limits := bucketLimits()
	from := hdr.New(time.Hour)
	for range 5000 {
		d := time.Duration(32e3 * math.Pow(1e6, rng.Float64()))
		got := &histogram{limits: limits}
		from.Reset()
		from.Record(d)
		got.add(from, -1)
		for index := range nativeBuckets(got.proto(time.Time{})) {
			low, high := math.Exp2(float64(index-1)/perOctave), math.Exp2(float64(index)/perOctave)
			require.Greater(t, d.Seconds(), low*(1-0.0005))
			require.LessOrEqual(t, d.Seconds(), high*(1+0.0005))
		}
		require.InEpsilon(t, d.Seconds(), got.sum, 0.0005)
	}
}

// TestHistogram_extremes checks that every time that a load may record has a bucket.
func TestHistogram_extremes(t *testing.T) {
	from, got := hdr.New(60*24*time.Hour), &histogram{limits: bucketLimits()}
	from.Record(0)
	from.Record(60 * 24 * time.Hour)
	got.add(from, -1)
	h := got.proto(time.Time{})
	require.EqualValues(t, 2, h.GetSampleCount())
	require.Len(t, nativeBuckets(h), 2)
	require.EqualValues(t, 1, h.Bucket[len(h.Bucket)-1].GetCumulativeCount())

	empty := (&histogram{limits: bucketLimits()}).proto(time.Time{})
	require.Len(t, empty.PositiveSpan, 1, "without a span it would be taken for a classic histogram")
	require.Zero(t, empty.PositiveSpan[0].GetLength())
}

func BenchmarkHistogramAdd(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	from, to := hdr.New(100*time.Second), &histogram{limits: bucketLimits()}
	for range 1000 {
		from.Record(time.Duration(1e6 * rng.ExpFloat64()))
	}
	b.ReportAllocs()
	for b.Loop() {
		to.add(from, 1)
	}
}
