package runner

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/timeline"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// readTimeline returns the intervals in a file of a run directory, by repetition.
func readTimeline(t *testing.T, dir, name string) [][]timeline.Interval {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, name))
	require.NoError(t, err)
	defer f.Close()
	list, err := timeline.Read(f)
	require.NoError(t, err)
	return timeline.ByRepetition(list)
}

// readLatencyLog returns the histograms in a file of a run directory, as HdrHistogram's own reader
// reads them.
func readLatencyLog(t *testing.T, dir, name string) (list []*hdrhistogram.Histogram) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, name))
	require.NoError(t, err)
	defer f.Close()
	reader := hdrhistogram.NewHistogramLogReader(bufio.NewReader(f))
	for {
		h, err := reader.NextIntervalHistogram()
		require.NoError(t, err)
		if h == nil {
			return list
		}
		list = append(list, h)
	}
}

// requireIntervals checks that the intervals of a run add up to what run.json and samples.txt say of
// each repetition: the sums of the counters to its operations, and the sums of the histograms to the
// percentiles of its samples. If the devices have groups, these must add up to the same.
func requireIntervals(t *testing.T, dir string) {
	t.Helper()
	run, err := rundir.Load(dir)
	require.NoError(t, err)
	histograms := readLatencyLog(t, dir, rundir.LatencyFile)
	repetitions := readTimeline(t, dir, rundir.TimelineFile)
	require.Len(t, repetitions, run.Repetitions)
	for i, intervals := range repetitions {
		var sum timeline.Interval
		sums, failures, failed := map[string]*hdrhistogram.Histogram{}, map[string]int64{}, int64(0)
		for _, v := range intervals {
			require.Equal(t, i+1, v.Repetition)
			require.Equal(t, sum.EndNS, v.StartNS)
			require.Greater(t, v.EndNS, v.StartNS)
			sum.EndNS, sum.InFlight, sum.NotSent = v.EndNS, v.InFlight, v.NotSent
			sum.Planned, sum.Sent, sum.Succeeded = sum.Planned+v.Planned, sum.Sent+v.Sent, sum.Succeeded+v.Succeeded
			sum.Failed, sum.BrokenOff, sum.Retries = sum.Failed+v.Failed, sum.BrokenOff+v.BrokenOff, sum.Retries+v.Retries
			for class, n := range v.Classes {
				failures[class] += n
				failed += n
			}
			if v.Bytes != nil {
				require.GreaterOrEqual(t, v.Bytes.Read, int64(0))
			}
			for _, op := range v.Operations {
				histograms = takeHistogram(t, histograms, sums, op.Op, v, op.Count, op.Response)
				if op.Service != nil {
					histograms = takeHistogram(t, histograms, sums, op.Op+"/service", v, op.Count, *op.Service)
				}
			}
		}
		o := run.Operations[i]
		require.Equal(t, o.Started, sum.Sent)
		require.Equal(t, o.Succeeded, sum.Succeeded)
		require.Equal(t, o.Failed, sum.Failed)
		require.Equal(t, o.Failed, failed)
		require.Equal(t, o.BrokenOff, sum.BrokenOff)
		require.Zero(t, sum.InFlight)
		if o.Planned > 0 {
			require.Equal(t, o.Planned, sum.Planned)
			require.Equal(t, o.NotSent, sum.NotSent)
		}
		for _, r := range run.Records {
			h := sums[r.Op]
			if r.Repetition != i+1 || h == nil {
				continue
			}
			require.Equal(t, r.Ops, h.TotalCount(), r.Op)
			for unit, percent := range map[string]float64{
				results.UnitP50: 50, results.UnitP75: 75, results.UnitP90: 90, results.UnitP95: 95,
				results.UnitP99: 99, results.UnitP999: 99.9, results.UnitMax: 100,
			} {
				value, ok := r.Value(unit)
				require.True(t, ok)
				require.EqualValues(t, value, h.ValueAtQuantile(percent), unit)
			}
			if service := sums[r.Op+"/service"]; service != nil {
				value, _ := r.Value(results.UnitServiceP99)
				require.EqualValues(t, value, service.ValueAtQuantile(99))
			}
		}
		histograms = requireGroups(t, run, i, histograms, sums, failures, intervals[0].Time)
	}
	require.Empty(t, histograms, "each belongs to an interval")
}

// requireGroups checks that the groups of a repetition add up to the whole: counts of devices,
// operations, failures by class, and the first histograms of list bucket by bucket to sums. It
// returns the other histograms.
func requireGroups(
	t *testing.T, run *rundir.Loaded, repetition int, list []*hdrhistogram.Histogram,
	sums map[string]*hdrhistogram.Histogram, failures map[string]int64, began time.Time,
) []*hdrhistogram.Histogram {
	t.Helper()
	var counts results.Counts
	var sum results.Operations
	classes, byOp := map[string]int64{}, map[string]*hdrhistogram.Histogram{}
	ofRepetition := func(g results.Group) bool { return g.Repetition == repetition+1 }
	if !slices.ContainsFunc(run.Groups, ofRepetition) {
		return list
	}
	for _, g := range run.Groups {
		if !ofRepetition(g) {
			continue
		}
		c := g.Counts
		counts = results.Counts{
			Devices: counts.Devices + c.Devices, Updated: counts.Updated + c.Updated, Failed: counts.Failed + c.Failed,
			Lost: counts.Lost + c.Lost, AppliedTwice: counts.AppliedTwice + c.AppliedTwice,
		}
		sum.Succeeded, sum.Failed = sum.Succeeded+g.Succeeded, sum.Failed+g.Failed
		sum.BrokenOff += g.BrokenOff
		for class, n := range g.Failures {
			classes[class] += n
		}
		for _, op := range g.Operations {
			if op.Succeeded == 0 {
				continue
			}
			require.NotEmpty(t, list)
			h := list[0]
			list = list[1:]
			require.Equal(t, op.Op+"/group="+g.Name, h.Tag())
			require.Equal(t, op.Succeeded, h.TotalCount())
			require.EqualValues(t, op.Metrics[results.UnitP50], h.ValueAtQuantile(50))
			require.EqualValues(t, op.Metrics[results.UnitP99], h.ValueAtQuantile(99))
			require.EqualValues(t, op.Metrics[results.UnitMax], h.Max())
			require.InDelta(t, began.UnixMilli(), h.StartTimeMs(), 1)
			if byOp[op.Op] == nil {
				byOp[op.Op] = hdrhistogram.New(h.LowestTrackableValue(), h.HighestTrackableValue(), 3)
			}
			require.Zero(t, byOp[op.Op].Merge(h))
		}
	}
	o := run.Operations[repetition]
	require.Equal(t, run.RepetitionCounts[repetition], counts)
	require.Equal(t, []int64{o.Succeeded, o.Failed, o.BrokenOff}, []int64{sum.Succeeded, sum.Failed, sum.BrokenOff})
	require.Equal(t, failures, classes)
	for tag, whole := range sums {
		if strings.HasSuffix(tag, rundir.ServiceTag) {
			continue
		}
		require.NotNil(t, byOp[tag], tag)
		require.True(t, whole.Equals(byOp[tag]), tag)
		delete(byOp, tag)
	}
	require.Empty(t, byOp)
	return list
}

// takeHistogram adds the first histogram of list, which must be that of an interval with the given
// tag, to the sum for its tag. It returns the others.
func takeHistogram(
	t *testing.T, list []*hdrhistogram.Histogram, sums map[string]*hdrhistogram.Histogram, tag string,
	v timeline.Interval, count int64, times timeline.Times,
) []*hdrhistogram.Histogram {
	t.Helper()
	require.NotEmpty(t, list)
	h := list[0]
	require.Equal(t, tag, h.Tag())
	require.Equal(t, count, h.TotalCount())
	require.Equal(t, timeline.Times{
		P50NS: h.ValueAtQuantile(50), P90NS: h.ValueAtQuantile(90), P99NS: h.ValueAtQuantile(99), MaxNS: h.Max(),
	}, times)
	require.InDelta(t, v.Time.UnixMilli(), h.StartTimeMs(), 1)
	require.InDelta(t, v.Time.Add(v.End()-v.Start()).UnixMilli(), h.EndTimeMs(), 1)
	if sums[tag] == nil {
		sums[tag] = hdrhistogram.New(h.LowestTrackableValue(), h.HighestTrackableValue(), 3)
	}
	require.Zero(t, sums[tag].Merge(h))
	return list[1:]
}

// TestIntervalLogAllocatesNothing checks that what is written at the end of an interval doesn't add
// to the allocations of the client.
func TestIntervalLogAllocatesNothing(t *testing.T) {
	dir, err := rundir.Create(t.TempDir(), "allocations", time.Now(), "1a2b3c")
	require.NoError(t, err)
	defer dir.Close()
	require.NoError(t, dir.WriteRun(results.Run{}))
	l := newIntervalLog(dir, 1, time.Unix(0, 0))
	l.begin(time.Unix(1, 0), &delivery.Stats{})
	v := &load.Interval{Succeeded: 1}
	for _, op := range []delivery.Op{delivery.OpPush, delivery.OpVerify, delivery.OpDeliver} {
		times := load.NewLatencies(true, time.Minute)
		times.Add(time.Second, time.Millisecond)
		v.Times = append(v.Times, load.OpTimes{Op: op, Latencies: times})
	}
	stats := delivery.Stats{BytesRead: 5}
	add := func() {
		v.Start, v.End = v.End, v.End+time.Second
		l.add(v, stats)
	}
	require.Zero(t, testing.AllocsPerRun(100, add))
	require.NoError(t, l.failed)
}

// TestIntervals_kept checks that the lines of a trial, which are kept in memory, are those that
// would have been written.
func TestIntervals_kept(t *testing.T) {
	l := newIntervalLog(nil, 3, time.Unix(0, 0))
	l.begin(time.Unix(1, 0), nil)
	times := load.NewLatencies(false, time.Minute)
	times.Add(time.Second, time.Second)
	l.add(&load.Interval{End: time.Second, Succeeded: 1, Times: []load.OpTimes{{Op: "push", Latencies: times}}},
		delivery.Stats{})
	chunks, err := l.chunks()
	require.NoError(t, err)
	require.Equal(t, []string{rundir.TimelineFile, rundir.LatencyFile}, []string{chunks[0].Name, chunks[1].Name})
	require.Empty(t, chunks[2].Data, "there are no groups")
	list, err := timeline.Read(strings.NewReader(string(chunks[0].Data)))
	require.NoError(t, err)
	second := timeline.Times{P50NS: 1000341503, P90NS: 1000341503, P99NS: 1000341503, MaxNS: 1000341503}
	require.Equal(t, []timeline.Interval{{
		Repetition: 3, Time: time.Unix(1, 0).UTC(), EndNS: 1e9, Succeeded: 1,
		Operations: []timeline.Operation{{Op: "push", Count: 1, Response: second}},
	}}, list)
	require.True(t, strings.HasPrefix(string(chunks[1].Data), "Tag=push,1.000000,1.000000,1000.341503,"))
	partial := l.partialChunks()
	require.Equal(t, chunks[0].Data, partial[0].Data)
	require.True(t, slices.Equal(partial[1].Data[l.header:], chunks[1].Data))
	require.True(t, strings.HasPrefix(string(partial[1].Data), "#[Fleetmark: times in nanoseconds"))
}

// TestIntervalsOfAnHour checks what the intervals of an hour at 10,000 operations a second take: the
// files, and the memory, which doesn't grow from one interval to the next.
func TestIntervalsOfAnHour(t *testing.T) {
	testenv.Slow(t)
	dir, err := rundir.Create(t.TempDir(), "hour", time.Now(), "1a2b3c")
	require.NoError(t, err)
	require.NoError(t, dir.WriteRun(results.Run{Scenario: "hour", Machine: results.Machine{GOMAXPROCS: 2}}))
	l := newIntervalLog(dir, 1, time.Now())
	l.begin(time.Now(), &delivery.Stats{})
	rng := rand.New(rand.NewPCG(1, 2))
	times := load.NewLatencies(true, 100*time.Second)
	stats := delivery.Stats{}
	v := &load.Interval{Times: []load.OpTimes{{Op: delivery.OpPush, Latencies: times}}}
	var after [2]uint64
	for second := range 3600 {
		times.Reset()
		for range 10_000 {
			service := time.Duration(2e5 + 3e5*rng.ExpFloat64())
			times.Add(service+time.Duration(1e4*rng.ExpFloat64()), service)
		}
		v.Start, v.End = v.End, v.End+time.Second
		v.Planned, v.Sent, v.Succeeded = 10_000, 10_000, 10_000
		stats.BytesWritten, stats.BytesRead = stats.BytesWritten+20_000_000, stats.BytesRead+2_000_000
		l.add(v, stats)
		if second == 10 || second == 3599 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			after[min(1, second/11)] = m.HeapAlloc
		}
	}
	chunks, err := l.chunks()
	require.NoError(t, err)
	require.NoError(t, dir.AppendRepetition(nil, chunks...))
	require.NoError(t, dir.Close())
	histograms, err := os.Stat(filepath.Join(dir.Path(), rundir.LatencyFile))
	require.NoError(t, err)
	lines, err := os.Stat(filepath.Join(dir.Path(), rundir.TimelineFile))
	require.NoError(t, err)
	t.Logf("%s %d KiB, %s %d KiB, live heap %d KiB after 10 s, %d KiB after an hour",
		rundir.LatencyFile, histograms.Size()>>10, rundir.TimelineFile, lines.Size()>>10, after[0]>>10, after[1]>>10)
	require.Less(t, histograms.Size(), int64(64<<20), "what a report reads")
	require.Less(t, lines.Size(), int64(4<<20))
	require.Less(t, after[1], after[0]+1<<20)
}

// BenchmarkIntervalLog measures what it costs to write an interval of an open load.
func BenchmarkIntervalLog(b *testing.B) {
	for _, operations := range []int{5, 1000} {
		b.Run(fmt.Sprintf("operations=%d", operations), func(b *testing.B) {
			dir, err := rundir.Create(b.TempDir(), "benchmark", time.Now(), "1a2b3c")
			require.NoError(b, err)
			defer dir.Close()
			require.NoError(b, dir.WriteRun(results.Run{}))
			l := newIntervalLog(dir, 1, time.Now())
			l.begin(time.Now(), &delivery.Stats{})
			rng := rand.New(rand.NewPCG(1, 2))
			times := load.NewLatencies(true, 100*time.Second)
			for range operations {
				times.Add(time.Duration(1e6*rng.ExpFloat64()), time.Duration(1e6*rng.ExpFloat64()))
			}
			v := &load.Interval{Times: []load.OpTimes{{Op: delivery.OpPush, Latencies: times}}}
			b.ReportAllocs()
			for b.Loop() {
				v.Start, v.End = v.End, v.End+time.Second
				l.add(v, delivery.Stats{})
			}
		})
	}
}
