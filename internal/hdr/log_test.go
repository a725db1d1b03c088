package hdr

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
)

// TestLog reads a log with hdrhistogram-go's reader.
func TestLog(t *testing.T) {
	testenv.SlowRaced(t)
	const highest = 5 * time.Minute
	rng := rand.New(rand.NewPCG(7, 8))
	started := time.Date(2026, 11, 30, 22, 0, 0, 789_000_000, time.UTC)
	w := NewLogWriter(started)
	log := w.AppendHeader(nil, "times in nanoseconds")
	var want []*Histogram
	for i := range 50 {
		h := New(highest)
		if i > 0 {
			for _, d := range randomTimes(rng, highest, rng.IntN(3000)) {
				h.Record(d)
			}
		}
		h.counts[100] += 1 << 40 // and a number that takes many bytes
		h.used[0] |= 1 << 1
		h.total += 1 << 40
		want = append(want, h)
		at := started.Add(time.Duration(i) * time.Second)
		log = w.AppendInterval(log, "push", at, at.Add(time.Second), h)
	}
	log = w.AppendInterval(log, "empty", started, started, New(highest))

	r := hdrhistogram.NewHistogramLogReader(bytes.NewReader(log))
	for i, h := range want {
		got, err := r.NextIntervalHistogram()
		require.NoError(t, err)
		require.Equal(t, "push", got.Tag())
		require.Equal(t, started.Add(time.Duration(i)*time.Second).UnixMilli(), got.StartTimeMs())
		require.Equal(t, started.Add(time.Duration(i+1)*time.Second).UnixMilli(), got.EndTimeMs())
		require.EqualValues(t, highest, got.HighestTrackableValue())
		requireEqual(t, got, h)
	}
	got, err := r.NextIntervalHistogram()
	require.NoError(t, err)
	require.Equal(t, "empty", got.Tag())
	require.Zero(t, got.TotalCount())
	got, err = r.NextIntervalHistogram()
	require.NoError(t, err)
	require.Nil(t, got)
}

func TestAppendZigZag(t *testing.T) {
	for v, want := range map[int64]string{
		0: "\x00", -1: "\x01", 1: "\x02", 63: "\x7e", -64: "\x7f", 64: "\x80\x01",
		1<<63 - 1: "\xfe\xff\xff\xff\xff\xff\xff\xff\xff", -1 << 63: "\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		require.Equal(t, want, string(appendZigZag(nil, v)), v)
	}
}

func TestAppendIntervalAllocatesNothing(t *testing.T) {
	h, w := New(100*time.Second), NewLogWriter(time.Unix(0, 0))
	for i := range 1000 {
		h.Record(time.Duration(i) * time.Microsecond)
	}
	line := w.AppendInterval(nil, "push", time.Unix(0, 0), time.Unix(1, 0), h)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		line = w.AppendInterval(line[:0], "push", time.Unix(0, 0), time.Unix(1, 0), h)
	}))
}
