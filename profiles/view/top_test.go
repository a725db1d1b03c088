package view_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/profiles/internal/profiletest"
	"github.com/fleetmark/fleetmark/profiles/view"
)

// pprofTool returns the pprof that comes with Go, the oracle of these tests. The go command builds
// it once.
var pprofTool = sync.OnceValues(func() (string, error) {
	path, err := exec.Command("go", "tool", "-n", "pprof").Output()
	return strings.TrimSpace(string(path)), err
})

// goToolTop returns what "go tool pprof -top" prints.
func goToolTop(t *testing.T, files []string, args ...string) string {
	t.Helper()
	path, err := pprofTool()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), path, append(append([]string{"-top"}, args...), files...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), stderr.String())
	return stdout.String()
}

// repetitions captures two repetitions, with samples in every kind.
func repetitions(t *testing.T) (run string) {
	t.Helper()
	run = t.TempDir()
	for repetition := 1; repetition <= 2; repetition++ {
		cfg := capture.Config{Labels: map[string]string{"scenario": "rollout"}}
		c, err := capture.Start(t.Context(), filepath.Join(run, "profiles"), repetition, cfg)
		require.NoError(t, err)
		runtime.SetMutexProfileFraction(1) // every event is counted; Stop restores the rates
		runtime.SetBlockProfileRate(1)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		profiletest.Loop(ctx)
		cancel()
		contend(t)
		live := profiletest.Allocate()
		_, err = c.Stop()
		require.NoError(t, err)
		runtime.KeepAlive(live)
	}
	return run
}

// contend makes a goroutine wait for a lock, so that mutex and block profiles hold samples.
func contend(t *testing.T) {
	var mu sync.Mutex
	mu.Lock()
	wait := profiletest.StartWaiter(t, func() {
		mu.Lock()
		defer mu.Unlock()
	})
	mu.Unlock()
	wait()
}

func top(t *testing.T, files []string, opts view.TopOptions) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, view.Top(t.Context(), &text, files, opts))
	return text.String()
}

func TestTopEqualsPprof(t *testing.T) {
	testenv.SlowRaced(t)
	run := repetitions(t)
	for _, k := range profiles.Kinds() {
		files, err := profiles.Find(run, k)
		require.NoError(t, err)
		require.Len(t, files, 2)
		for name, test := range map[string]struct {
			files []string
			opts  view.TopOptions
			args  []string
		}{
			"one file":   {files[:1], view.TopOptions{}, []string{"-nodecount=20"}},
			"two files":  {files, view.TopOptions{}, []string{"-nodecount=20"}},
			"five lines": {files, view.TopOptions{Lines: 5}, []string{"-nodecount=5"}},
			"all":        {files, view.TopOptions{Lines: -1}, nil},
			"cumulative": {files, view.TopOptions{Cumulative: true}, []string{"-nodecount=20", "-cum"}},
			"first column": {files, view.TopOptions{Lines: -1, Selection: profiles.Selection{SampleIndex: "0"}},
				[]string{"-sample_index=0"}},
		} {
			t.Run(string(k)+"/"+name, func(t *testing.T) {
				text := top(t, test.files, test.opts)
				require.Equal(t, goToolTop(t, test.files, test.args...), text)
				require.Contains(t, text, "scenario=rollout")
				requireRowsOf(t, test.files, test.opts, test.args)
			})
		}
	}
}

// requireRowsOf requires the rows of TopRows to equal those that go tool pprof prints in whole
// units.
func requireRowsOf(t *testing.T, files []string, opts view.TopOptions, args []string) {
	t.Helper()
	rows, _, err := view.TopRows(files, opts)
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	got := make([]string, len(rows))
	for i, r := range rows {
		got[i] = fmt.Sprintln(r.Flat, r.Cum, r.Function)
	}
	// -symbolize=none keeps pprof from simplifying the C++ names of the race detector.
	args = append([]string{"-symbolize=none", "-unit=" + rows[0].Unit}, args...)
	require.Equal(t, textRows(t, goToolTop(t, files, args...)), got)
}

// textRows parses the table of a report in whole units.
func textRows(t *testing.T, text string) []string {
	t.Helper()
	_, table, ok := strings.Cut(text, "cum%\n")
	require.True(t, ok, text)
	var rows []string
	for line := range strings.Lines(table) {
		fields := strings.Fields(line) // flat flat% sum% cum cum% name [(inline)]
		name := strings.Join(fields[5:], " ")
		name = strings.TrimSuffix(strings.TrimSuffix(name, " (inline)"), " (partial-inline)")
		rows = append(rows, fmt.Sprintln(wholeUnits(t, fields[0]), wholeUnits(t, fields[3]), name))
	}
	return rows
}

func wholeUnits(t *testing.T, s string) int64 {
	t.Helper()
	number := strings.TrimRight(s, "nsBcout") // ns, B, count or nothing
	n, err := strconv.ParseFloat(number, 64)
	require.NoError(t, err, s)
	require.Equal(t, math.Trunc(n), n)
	return int64(n)
}

func TestTopRowsByHand(t *testing.T) {
	path := profiletest.Write(t, t.TempDir(), "cpu.1.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("cpu", "nanoseconds", map[string]int64{
			"leaf mid root":       100,
			"mid root":            30,
			"loop loop loop root": 50, // recursive: counted once in cum
			"in+outer root":       40, // in is inlined into outer
			"back root":           -60,
			"tie root":            30,
			"? root":              5, // no name: shown as the binary's name
			"noise root":          1, // 1 of 196 is more than half a percent
			"zero root":           0,
		})))
	ns := "nanoseconds"
	want := []view.Row{
		{Function: "leaf", Flat: 100, Cum: 100, Unit: ns},
		{Function: "back", Flat: -60, Cum: -60, Unit: ns},
		{Function: "loop", Flat: 50, Cum: 50, Unit: ns},
		{Function: "in", Flat: 40, Cum: 40, Unit: ns},
		{Function: "mid", Flat: 30, Cum: 130, Unit: ns},
		{Function: "tie", Flat: 30, Cum: 30, Unit: ns},
		{Function: "[handmade]", Flat: 5, Cum: 5, Unit: ns},
		{Function: "noise", Flat: 1, Cum: 1, Unit: ns},
		{Function: "outer", Flat: 0, Cum: 40, Unit: ns},
		{Function: "root", Flat: 0, Cum: 196, Unit: ns},
	}
	rows, _, err := view.TopRows([]string{path}, view.TopOptions{})
	require.NoError(t, err)
	require.Equal(t, want, rows)

	rows, _, err = view.TopRows([]string{path}, view.TopOptions{Cumulative: true, Lines: 2})
	require.NoError(t, err)
	require.Equal(t, []view.Row{want[9], want[4]}, rows)

	rows, _, err = view.TopRows([]string{path, path}, view.TopOptions{Lines: 1})
	require.NoError(t, err)
	require.Equal(t, []view.Row{{Function: "leaf", Flat: 200, Cum: 200, Unit: ns}}, rows)

	for _, files := range [][]string{{path}, {path, path}} {
		require.Equal(t, goToolTop(t, files), top(t, files, view.TopOptions{Lines: -1}))
	}
}

func TestTopRowsDropsNoise(t *testing.T) {
	path := profiletest.Write(t, t.TempDir(), "cpu.1.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("cpu", "nanoseconds", map[string]int64{
			"hot": 995, "noise": 4, "edge": 5, // the cutoff is 1004 × 0.005, rounded down: 5
		})))
	rows, _, err := view.TopRows([]string{path}, view.TopOptions{Lines: -1})
	require.NoError(t, err)
	require.Equal(t, []string{"hot", "edge"}, functionNames(rows))
}

func TestTopOfNoSamples(t *testing.T) {
	path := profiletest.Write(t, t.TempDir(), "mutex.1.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("delay", "nanoseconds", nil)))
	require.Equal(t, goToolTop(t, []string{path}), top(t, []string{path}, view.TopOptions{}))
	rows, _, err := view.TopRows([]string{path}, view.TopOptions{})
	require.NoError(t, err)
	require.Empty(t, rows)
}

func TestTopRefuses(t *testing.T) {
	dir := t.TempDir()
	cpu := profiletest.Write(t, dir, "cpu.1.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("cpu", "nanoseconds", map[string]int64{"leaf": 1})))
	mutex := profiletest.Write(t, dir, "mutex.1.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("delay", "nanoseconds", map[string]int64{"leaf": 1})))
	cut := profiletest.Write(t, dir, "cpu.2.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("cpu", "nanoseconds", nil))[:20])
	bad := profiletest.Handmade("cpu", "nanoseconds", map[string]int64{"leaf": 1})
	bad.DropFrames = "("
	regexp := profiletest.Write(t, dir, "cpu.3.pb.gz", profiletest.Encode(t, bad))
	refused := func(files []string, opts view.TopOptions) error {
		var text strings.Builder
		err := view.Top(t.Context(), &text, files, opts)
		require.Error(t, err)
		require.Empty(t, text.String())
		require.NotContains(t, err.Error(), "\n")
		_, _, rowsErr := view.TopRows(files, opts)
		require.EqualError(t, rowsErr, err.Error())
		return err
	}

	profiletest.RequireProblem(t, refused([]string{cpu, mutex}, view.TopOptions{}), mutex, profiles.OtherKind)
	profiletest.RequireProblem(t, refused([]string{cpu, cut}, view.TopOptions{}), cut, profiles.Cut)
	profiletest.RequireProblem(t, refused([]string{regexp}, view.TopOptions{}), regexp, profiles.NotProfile)
	profiletest.RequireProblem(t, refused([]string{"http://127.0.0.1:1/debug/pprof/heap"}, view.TopOptions{}),
		"http://127.0.0.1:1/debug/pprof/heap", profiles.Missing)
	require.ErrorContains(t, refused([]string{cpu}, view.TopOptions{Selection: profiles.Selection{SampleIndex: "bytes"}}),
		cpu+`: holds no such number (sample_index "bytes" must be one of: [cpu])`)
	require.ErrorContains(t, refused(nil, view.TopOptions{}), "no files")

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the user left"))
	require.ErrorContains(t, view.Top(ctx, new(strings.Builder), []string{cpu}, view.TopOptions{}), "the user left")

	require.ErrorIs(t, view.Top(t.Context(), brokenPipe{}, []string{cpu}, view.TopOptions{}), errBroken)
}

var errBroken = errors.New("broken pipe")

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

// TestTopConcurrently checks that concurrent calls give the same text as calls one after the other,
// though pprof's driver keeps its settings in global variables.
func TestTopConcurrently(t *testing.T) {
	path := profiletest.Write(t, t.TempDir(), "cpu.1.pb.gz",
		profiletest.Encode(t, profiletest.Handmade("cpu", "nanoseconds",
			map[string]int64{"a c": 10, "b c": 20, "c": 5})))
	variants := []view.TopOptions{{}, {Cumulative: true}, {Lines: 1}, {Lines: 2, Cumulative: true},
		{Selection: profiles.Selection{SampleIndex: "cpu"}}}
	want := make([]string, len(variants))
	for i, opts := range variants {
		want[i] = top(t, []string{path}, opts)
	}
	require.NotEqual(t, want[0], want[1])
	got := make([]string, 8*len(variants))
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			var text strings.Builder
			err := view.Top(context.Background(), &text, []string{path}, variants[i%len(variants)])
			got[i] = text.String() + fmt.Sprint(err)
		})
	}
	wg.Wait()
	for i := range got {
		require.Equal(t, want[i%len(variants)]+"<nil>", got[i])
	}
}

// TestTopHasNoSideEffects checks that Top writes only to its writer: nothing to standard output,
// and no files.
func TestTopHasNoSideEffects(t *testing.T) {
	dir := t.TempDir()
	p := profiletest.Handmade("cpu", "nanoseconds", map[string]int64{"leaf": 2, "? leaf": 1})
	// pprof would symbolize this mapping with a tool, or over the network.
	p.Mapping[0].HasFunctions = false
	p.Mapping[0].File = "http://127.0.0.1:1/binary"
	path := profiletest.Write(t, dir, "cpu.1.pb.gz", profiletest.Encode(t, p))
	home := t.TempDir()
	for _, name := range []string{"HOME", "TMPDIR", "PPROF_TMPDIR", "XDG_CONFIG_HOME"} {
		t.Setenv(name, home)
	}
	t.Chdir(home)

	out, err := os.Create(filepath.Join(dir, "output"))
	require.NoError(t, err)
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = out, out
	t.Cleanup(func() { os.Stdout, os.Stderr = stdout, stderr })
	topErr := view.Top(t.Context(), new(strings.Builder), []string{path}, view.TopOptions{})
	brokenErr := view.Top(t.Context(), brokenPipe{}, []string{path}, view.TopOptions{})
	os.Stdout, os.Stderr = stdout, stderr
	require.NoError(t, out.Close())

	require.NoError(t, topErr)
	require.ErrorIs(t, brokenErr, errBroken)
	data, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	require.Empty(t, string(data))
	entries, err := os.ReadDir(home)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func functionNames(rows []view.Row) []string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.Function
	}
	return names
}
