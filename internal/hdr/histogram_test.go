package hdr

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"
)

// reference returns an empty histogram of the library that this package must agree with.
func reference(highest time.Duration) *hdrhistogram.Histogram {
	return hdrhistogram.New(unit, int64(highest), digits)
}

// randomTimes returns times of every magnitude up to highest, and the limits of ranges.
func randomTimes(rng *rand.Rand, highest time.Duration, n int) []time.Duration {
	list := []time.Duration{0, 1, 15, 16, 17, 32767, 32768, 32769, 65535, 65536, highest - 1, highest}
	for range n {
		list = append(list, time.Duration(math.Pow(float64(highest), rng.Float64())))
	}
	return list
}

// TestHistogramAgreesWithTheLibrary compares counts, percentiles and maxima with those of
// hdrhistogram-go.
func TestHistogramAgreesWithTheLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, highest := range []time.Duration{time.Second, 100 * time.Second, 30 * 24 * time.Hour} {
		h, want := New(highest), reference(highest)
		require.Len(t, h.counts, len(want.Export().Counts))
		for round := range 3 { // after the first, the histogram was used and emptied
			h.Reset()
			want.Reset()
			for _, d := range randomTimes(rng, highest, []int{5000, 20, 1}[round]) {
				require.True(t, h.Record(d))
				require.NoError(t, want.RecordValue(int64(d)))
			}
			requireEqual(t, want, h)
		}
	}
}

// requireEqual checks that a histogram agrees with one of the library.
func requireEqual(t *testing.T, want *hdrhistogram.Histogram, h *Histogram) {
	t.Helper()
	require.Equal(t, want.TotalCount(), h.TotalCount())
	for i, n := range want.Export().Counts {
		require.EqualValues(t, n, h.counts[i], "count %d", i)
	}
	percentages := []float64{0.001, 10, 50, 90, 99, 99.9, 99.999, 100}
	values := make([]int64, len(percentages))
	h.ValuesAtQuantiles(percentages, values)
	for i, p := range percentages {
		require.Equal(t, want.ValueAtQuantile(p), values[i], "%v%%", p)
		require.Equal(t, want.ValueAtQuantile(p), h.ValueAtQuantile(p), "%v%%", p)
	}
	require.Equal(t, want.Max(), h.Max())
	var bars []Count
	for _, bar := range want.Distribution() {
		if bar.Count > 0 {
			bars = append(bars, Count{bar.From, bar.To, bar.Count})
		}
	}
	var got []Count
	for c := range h.All {
		got = append(got, c)
	}
	require.Equal(t, bars, got)
}

func TestHistogram_empty(t *testing.T) {
	h := New(time.Second)
	require.Zero(t, h.ValueAtQuantile(99))
	require.Zero(t, h.Max())
	require.Zero(t, h.TotalCount())
	for range h.All {
		t.Fatal("it has a count")
	}
}

func TestRecord_outOfRange(t *testing.T) {
	h := New(time.Second)
	require.False(t, h.Record(time.Hour))
	require.True(t, h.Record(-time.Second))
	require.True(t, h.Record(time.Second))
	want := reference(time.Second)
	require.NoError(t, want.RecordValues(int64(time.Second), 2))
	require.NoError(t, want.RecordValue(0))
	requireEqual(t, want, h)
}

func TestMerge(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	sum, want := New(time.Minute), reference(time.Minute)
	for range 20 {
		part := New(time.Minute)
		for _, d := range randomTimes(rng, time.Minute, rng.IntN(200)) {
			part.Record(d)
			require.NoError(t, want.RecordValue(int64(d)))
		}
		sum.Merge(part)
	}
	requireEqual(t, want, sum)
	require.PanicsWithValue(t, "hdr: merge: 1m0s and 1s are different ranges", func() { sum.Merge(New(time.Second)) })
}

func TestHistogramAllocatesNothing(t *testing.T) {
	h, sum := New(100*time.Second), New(100*time.Second)
	values := make([]int64, 3)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		h.Record(time.Millisecond)
		h.Record(time.Second)
		sum.Merge(h)
		h.ValuesAtQuantiles([]float64{50, 90, 99}, values)
		h.Max()
		h.Reset()
	}))
}

func BenchmarkRecord(b *testing.B) {
	h := New(100 * time.Second)
	for i := range b.N {
		h.Record(time.Duration(i&1023) * time.Microsecond)
	}
}

// BenchmarkInterval measures what the end of an interval costs for one histogram with as many
// different times as a thousand operations have.
func BenchmarkInterval(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	from, h, sum := New(100*time.Second), New(100*time.Second), New(100*time.Second)
	for range 1000 {
		from.Record(time.Duration(1e6 * rng.ExpFloat64()))
	}
	log, line := NewLogWriter(time.Unix(0, 0)), []byte(nil)
	values := make([]int64, 3)
	b.ReportAllocs()
	for b.Loop() {
		h.Merge(from)
		sum.Merge(h)
		h.ValuesAtQuantiles([]float64{50, 90, 99}, values)
		line = log.AppendInterval(line[:0], "push", time.Unix(0, 0), time.Unix(1, 0), h)
		h.Reset()
	}
}

// BenchmarkLibraryInterval measures the same with hdrhistogram-go.
func BenchmarkLibraryInterval(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	from, h, sum := reference(100*time.Second), reference(100*time.Second), reference(100*time.Second)
	for range 1000 {
		require.NoError(b, from.RecordValue(int64(1e6*rng.ExpFloat64())))
	}
	b.ReportAllocs()
	for b.Loop() {
		h.Merge(from)
		sum.Merge(h)
		for _, p := range []float64{50, 90, 99} {
			h.ValueAtQuantile(p)
		}
		_, err := h.EncodeV2()
		require.NoError(b, err)
		h.Reset()
	}
}
