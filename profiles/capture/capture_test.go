package capture_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/profiles/internal/profiletest"
	"github.com/fleetmark/fleetmark/profiles/view"
)

// everything returns a Config that samples every event, so that counts can be compared with ones
// made by hand.
func everything(kinds ...profiles.Kind) capture.Config {
	return capture.Config{Kinds: kinds}.CatchingAll()
}

// captured profiles load as repetition 1, and returns the files by kind.
func captured(t *testing.T, cfg capture.Config, load func()) map[profiles.Kind]profiles.File {
	t.Helper()
	c, err := capture.Start(t.Context(), t.TempDir(), 1, cfg)
	require.NoError(t, err)
	load()
	files, err := c.Stop()
	require.NoError(t, err)
	byKind := make(map[profiles.Kind]profiles.File)
	for _, f := range files {
		byKind[f.Kind] = f
	}
	return byKind
}

// total returns the sum of a column over the samples whose stack holds function.
func total(t *testing.T, f profiles.File, column, function string) int64 {
	t.Helper()
	return sum(t, f, column, func(s *profile.Sample) bool { return inStack(s, function) })
}

func sum(t *testing.T, f profiles.File, column string, counts func(*profile.Sample) bool) int64 {
	t.Helper()
	p, err := profiles.Load(f.Path)
	require.NoError(t, err)
	index, err := p.SampleIndexByName(column)
	require.NoError(t, err)
	var sum int64
	for _, s := range p.Sample {
		if counts(s) {
			sum += s.Value[index]
		}
	}
	return sum
}

func inStack(s *profile.Sample, function string) bool {
	for _, location := range s.Location {
		for _, line := range location.Line {
			if strings.HasPrefix(line.Function.Name, function) {
				return true
			}
		}
	}
	return false
}

func TestCaptureWritesEveryKind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "profiles") // made by Start
	cfg := everything()
	cfg.Labels = map[string]string{"transport": "lean", "scenario": "rollout", "operation": "push"}
	park(t)
	c, err := capture.Start(t.Context(), dir, 3, cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	profiletest.Loop(ctx)
	contendDuring(t)
	live := allocateDuring()
	files, err := c.Stop()
	require.NoError(t, err)
	runtime.KeepAlive(live)

	columns := map[profiles.Kind]string{
		profiles.CPU:       "samples/count cpu/nanoseconds",
		profiles.Heap:      "inuse_objects/count inuse_space/bytes",
		profiles.Allocs:    "alloc_objects/count alloc_space/bytes",
		profiles.Goroutine: "goroutine/count",
		profiles.Mutex:     "contentions/count delay/nanoseconds",
		profiles.Block:     "contentions/count delay/nanoseconds",
	}
	functions := map[profiles.Kind]string{
		profiles.CPU:       profiletest.Path + "Loop",
		profiles.Heap:      workPackage + "allocateDuring",
		profiles.Allocs:    workPackage + "allocateDuring",
		profiles.Goroutine: workPackage + "waitParked",
		profiles.Mutex:     workPackage + "holdDuring",
		profiles.Block:     workPackage + "waitDuring",
	}
	require.Len(t, files, len(profiles.Kinds()))
	for i, k := range profiles.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			f := files[i]
			require.Equal(t, k, f.Kind)
			require.Equal(t, 3, f.Repetition)
			require.Equal(t, filepath.Join(dir, string(k)+".3.pb.gz"), f.Path)

			p, err := profiles.Load(f.Path)
			require.NoError(t, err)
			var got []string
			for _, s := range p.SampleType {
				got = append(got, s.Type+"/"+s.Unit)
			}
			require.Equal(t, columns[k], strings.Join(got, " "))
			require.Positive(t, f.Samples)
			require.Len(t, p.Sample, f.Samples)
			how := []string{"taken-with=cpu, heap, allocs, goroutine, mutex, block"}
			if k == profiles.Heap || k == profiles.Allocs {
				how = append(how, fmt.Sprintf("bytes-a-sample=%d", runtime.MemProfileRate))
			}
			require.Equal(t, append([]string{"operation=push", "scenario=rollout", "transport=lean"}, how...), p.Comments)
			for key, value := range cfg.Labels {
				require.Equal(t, value, profiles.Labels(p)[key])
			}
			require.Positive(t, total(t, f, "0", functions[k]))
			if k != profiles.Heap && k != profiles.Goroutine { // snapshots have no duration
				require.Positive(t, p.DurationNanos)
			}
			for _, s := range p.Sample {
				require.Positive(t, s.Value[0])
				require.False(t, inStack(s, "github.com/fleetmark/fleetmark/profiles/capture."), "a stack of the capture itself")
			}
		})
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, len(files), "temporary files are left")

	rows, _, err := view.TopRows([]string{files[0].Path}, view.TopOptions{})
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(rows, func(r view.Row) bool { return r.Function == profiletest.Path+"Loop" }),
		rows)
}

// TestCaptureHoldsTheRepetitionAlone compares counts with exact ones, to check that the kinds that
// the runtime accumulates don't include work before the capture.
func TestCaptureHoldsTheRepetitionAlone(t *testing.T) {
	profiletest.CountEveryAllocation(t)
	kinds := everything(profiles.Allocs, profiles.Heap, profiles.Mutex, profiles.Block)
	before := captured(t, kinds, func() { contendBefore(t) })
	require.EqualValues(t, contentions, unlocks(t, before[profiles.Mutex], "holdBefore"))
	require.EqualValues(t, contentions, total(t, before[profiles.Block], "contentions", workPackage+"waitBefore"))

	runtime.KeepAlive(allocateBefore())
	var kept [][]byte
	during := captured(t, kinds, func() {
		kept = append(kept, allocateDuring()[:10]...) // the other 90 are garbage
		contendDuring(t)
	})
	runtime.KeepAlive(kept)

	require.Zero(t, unlocks(t, during[profiles.Mutex], "holdBefore"))
	require.Zero(t, total(t, during[profiles.Block], "contentions", workPackage+"waitBefore"))
	require.EqualValues(t, contentions, unlocks(t, during[profiles.Mutex], "holdDuring"))
	require.EqualValues(t, contentions, total(t, during[profiles.Block], "contentions", workPackage+"waitDuring"))
	require.Positive(t, total(t, during[profiles.Mutex], "delay", workPackage+"holdDuring"))
	require.Positive(t, total(t, during[profiles.Block], "delay", workPackage+"waitDuring"))

	require.Zero(t, blocks(t, during[profiles.Allocs], "alloc_objects", "allocateBefore"))
	require.EqualValues(t, profiletest.Blocks, blocks(t, during[profiles.Allocs], "alloc_objects", "allocateDuring"))
	require.EqualValues(t, profiletest.Blocks*profiletest.BlockBytes,
		blocks(t, during[profiles.Allocs], "alloc_space", "allocateDuring"))
	require.EqualValues(t, 10, blocks(t, during[profiles.Heap], "inuse_objects", "allocateDuring"))
	require.EqualValues(t, 10*profiletest.BlockBytes, blocks(t, during[profiles.Heap], "inuse_space", "allocateDuring"))
}

// unlocks returns the number of contended unlocks of a function. It leaves out the runtime's own
// locks, which are in the profile below whatever function calls the runtime.
func unlocks(t *testing.T, f profiles.File, function string) int64 {
	t.Helper()
	return sum(t, f, "contentions", func(s *profile.Sample) bool {
		return inStack(s, workPackage+function) && inStack(s, "sync.(*Mutex).Unlock")
	})
}

// blocks returns the sum of a column over allocations of the size that the work allocates. It
// leaves out other sizes, since an allocation may start helpers of the runtime.
func blocks(t *testing.T, f profiles.File, column, function string) int64 {
	t.Helper()
	return sum(t, f, column, func(s *profile.Sample) bool {
		return inStack(s, workPackage+function) && slices.Equal(s.NumLabel["bytes"], []int64{profiletest.BlockBytes})
	})
}

func TestCaptureTakesGoroutinesWhileTheLoadRuns(t *testing.T) {
	unpark := park(t)
	c, err := capture.Start(t.Context(), t.TempDir(), 1,
		capture.Config{Kinds: []profiles.Kind{profiles.Goroutine}}.GoroutinesAfter(time.Millisecond))
	require.NoError(t, err)
	<-c.GoroutinesTaken()
	unpark() // the load has ended when Stop is called
	files, err := c.Stop()
	require.NoError(t, err)
	require.EqualValues(t, 1, total(t, files[0], "goroutine", workPackage+"waitParked"))
}

func TestCaptureTakesGoroutinesOfAShortRepetition(t *testing.T) {
	park(t)
	files := captured(t, capture.Config{Kinds: []profiles.Kind{profiles.Goroutine}}.GoroutinesAfter(time.Hour), func() {})
	require.EqualValues(t, 1, total(t, files[profiles.Goroutine], "goroutine", workPackage+"waitParked"))
}

func TestCaptureInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := everything().GoroutinesAfter(time.Hour)
	c, err := capture.Start(ctx, t.TempDir(), 1, cfg)
	require.NoError(t, err)
	park(t)
	contendDuring(t)
	cancel()
	<-c.GoroutinesTaken() // the test would time out after an hour
	files, err := c.Stop()
	require.NoError(t, err)
	require.Len(t, files, len(profiles.Kinds()))
	require.Positive(t, total(t, files[4], "contentions", workPackage+"holdDuring"))
	require.EqualValues(t, 1, total(t, files[3], "goroutine", workPackage+"waitParked"))
}

func TestStopIsIdempotent(t *testing.T) {
	dir := t.TempDir()
	c, err := capture.Start(t.Context(), dir, 1, everything(profiles.Heap, profiles.CPU))
	require.NoError(t, err)
	var wg sync.WaitGroup
	got := make([][]profiles.File, 4)
	for i := range got {
		wg.Go(func() {
			files, err := c.Stop()
			if err == nil {
				got[i] = files
			}
		})
	}
	wg.Wait()
	require.Len(t, got[0], 2)
	for _, files := range got {
		require.Equal(t, got[0], files)
	}
	require.NoError(t, os.RemoveAll(dir))
	files, err := c.Stop() // doesn't write again
	require.NoError(t, err)
	require.Equal(t, got[0], files)
	require.NoDirExists(t, dir)
}

func TestStopRestoresRates(t *testing.T) {
	const fraction = 7
	was := runtime.SetMutexProfileFraction(fraction)
	t.Cleanup(func() { runtime.SetMutexProfileFraction(was) })

	c, err := capture.Start(t.Context(), t.TempDir(), 1, capture.Config{})
	require.NoError(t, err)
	require.Equal(t, 10, runtime.SetMutexProfileFraction(-1))
	_, err = c.Stop()
	require.NoError(t, err)
	require.Equal(t, fraction, runtime.SetMutexProfileFraction(-1))
	require.Zero(t, blockEvents(t), "the block profiler is still on")

	captured(t, everything(profiles.Block), func() {
		require.Equal(t, fraction, runtime.SetMutexProfileFraction(-1), "mutex wasn't captured, so its rate is unchanged")
		require.Positive(t, blockEvents(t))
	})
	require.Zero(t, blockEvents(t))
}

// blockEvents returns how many events of contendBefore the runtime's block profiler counts.
func blockEvents(t *testing.T) int64 {
	t.Helper()
	before := countBlockEvents(t)
	contendBefore(t)
	return countBlockEvents(t) - before
}

func countBlockEvents(t *testing.T) int64 {
	t.Helper()
	n, _ := runtime.BlockProfile(nil)
	records := make([]runtime.BlockProfileRecord, n+50)
	n, ok := runtime.BlockProfile(records)
	require.True(t, ok)
	var sum int64
	for _, r := range records[:n] {
		sum += r.Count
	}
	return sum
}

func TestStartRefusesASecondCapture(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "second")
	first, err := capture.Start(t.Context(), t.TempDir(), 1, everything(profiles.Heap))
	require.NoError(t, err)
	_, err = capture.Start(t.Context(), dir, 2, everything(profiles.Mutex))
	require.ErrorIs(t, err, capture.ErrBusy)
	require.NotContains(t, err.Error(), "\n")
	require.NoDirExists(t, dir)
	_, err = first.Stop()
	require.NoError(t, err)
	captured(t, everything(profiles.Mutex), func() {}) // the profilers are free again
}

func TestStartRefusesWhileTheProfilerIsTaken(t *testing.T) {
	was := runtime.SetMutexProfileFraction(-1)
	require.NoError(t, pprof.StartCPUProfile(new(strings.Builder)))
	t.Cleanup(pprof.StopCPUProfile)
	for range 2 { // the first refusal must not leave anything on
		_, err := capture.Start(t.Context(), t.TempDir(), 1, everything())
		require.ErrorIs(t, err, capture.ErrBusy)
		require.ErrorContains(t, err, "cpu profiling already in use")
		require.Equal(t, was, runtime.SetMutexProfileFraction(-1))
		require.Zero(t, blockEvents(t))
	}
	captured(t, everything(profiles.Mutex), func() {})
}

func TestStartRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx        context.Context
		dir        string
		repetition int
		cfg        capture.Config
		want       string
	}{
		"repetition 0":     {want: "repetition 0: want 1 or more"},
		"canceled":         {ctx: canceled, repetition: 1, want: "not started: context canceled"},
		"a file for a dir": {dir: file, repetition: 1, want: "cannot be made"},
		"unknown kind": {repetition: 1, cfg: capture.Config{Kinds: []profiles.Kind{"cpuu"}},
			want: `kind "cpuu": unknown: want one of cpu, heap`},
		"no kinds":           {repetition: 1, cfg: capture.Config{Kinds: []profiles.Kind{}}, want: "no kinds"},
		"a kind twice":       {repetition: 1, cfg: everything(profiles.CPU, profiles.CPU), want: "cpu: named twice"},
		"label key":          {repetition: 1, cfg: labeled("a=b", "c"), want: `label "a=b": want a key`},
		"empty label key":    {repetition: 1, cfg: labeled("", "c"), want: `label "": want a key`},
		"label with a line":  {repetition: 1, cfg: labeled("a", "b\nc"), want: "label a: want a value"},
		"long label":         {repetition: 1, cfg: labeled("a", strings.Repeat("x", 257)), want: "label a: want a value"},
		"label not in UTF-8": {repetition: 1, cfg: labeled("a", "\xff"), want: "label a: want a value"},
		"too many labels":    {repetition: 1, cfg: manyLabels(17), want: "17 labels: want at most 16"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.ctx == nil {
				test.ctx = t.Context()
			}
			if test.dir == "" {
				test.dir = filepath.Join(t.TempDir(), "new")
			}
			c, err := capture.Start(test.ctx, test.dir, test.repetition, test.cfg)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n")
			require.Nil(t, c)
			require.NoDirExists(t, test.dir)
		})
	}
	captured(t, everything(profiles.Heap), func() {}) // the profilers are free after each refusal
}

func labeled(key, value string) capture.Config {
	return capture.Config{Labels: map[string]string{key: value}}
}

func manyLabels(n int) capture.Config {
	labels := make(map[string]string)
	for i := range n {
		labels[strings.Repeat("k", i+1)] = "v"
	}
	return capture.Config{Labels: labels}
}

func TestStopWithoutItsDirectory(t *testing.T) {
	dir := t.TempDir()
	c, err := capture.Start(t.Context(), dir, 1, everything(profiles.Heap, profiles.Mutex))
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	files, err := c.Stop()
	require.Empty(t, files)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, filepath.Join(dir, "heap.1.pb.gz"))
	require.ErrorContains(t, err, filepath.Join(dir, "mutex.1.pb.gz"))
	require.NotEqual(t, 1, runtime.SetMutexProfileFraction(-1))
	captured(t, everything(profiles.CPU), func() {})
}

// TestStopWritesWhatItCan checks that one file that can't be written doesn't keep Stop from writing
// the others, and that no temporary file is left.
func TestStopWritesWhatItCan(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "heap.1.pb.gz", "in the way"), 0o755))
	c, err := capture.Start(t.Context(), dir, 1, everything(profiles.Heap, profiles.Mutex))
	require.NoError(t, err)
	files, err := c.Stop()
	require.ErrorContains(t, err, "heap.1.pb.gz: writing")
	require.Len(t, files, 1)
	require.Equal(t, profiles.Mutex, files[0].Kind)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
}

// TestCaptureKeepsNames checks that pprof doesn't symbolize a profile again because of one address
// without a name.
func TestCaptureKeepsNames(t *testing.T) {
	named, nameless := &profile.Location{ID: 1,
		Line: []profile.Line{{Function: &profile.Function{ID: 1, Name: "root"}}}}, &profile.Location{ID: 2}
	for _, row := range []struct {
		stack []*profile.Location
		want  bool
	}{{[]*profile.Location{nameless, named}, true}, {[]*profile.Location{nameless}, false}} {
		m := &profile.Mapping{ID: 1, File: "/bin/handmade"}
		named.Mapping, nameless.Mapping = m, m
		p := &profile.Profile{
			SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}}, Mapping: []*profile.Mapping{m},
			Location: row.stack, Function: []*profile.Function{named.Line[0].Function},
			Sample: []*profile.Sample{{Location: row.stack, Value: []int64{1}}},
		}
		require.Equal(t, row.want, capture.DropOwn(p).Mapping[0].HasFunctions)
	}
}
