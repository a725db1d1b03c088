package rundir

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results"
)

// folderOf makes a folder with n runs, which change modifies.
func folderOf(t *testing.T, n int, change func(i int, r *results.Run)) string {
	t.Helper()
	folder := t.TempDir()
	for i := range n {
		run := testRun()
		run.Schema, run.Status, run.Repetitions = results.RunSchema, results.StatusFinished, 10
		run.Started = testStart.Add(time.Duration(i) * time.Hour)
		change(i, &run)
		data, err := json.Marshal(run)
		require.NoError(t, err)
		dir := filepath.Join(folder, fmt.Sprintf("run-%d", i))
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, RunFile), data, 0o600))
	}
	return folder
}

func names(runs []Entry) string {
	var all []string
	for _, r := range runs {
		all = append(all, filepath.Base(r.Path))
	}
	return strings.Join(all, " ")
}

func TestList(t *testing.T) {
	folder := folderOf(t, 4, func(i int, r *results.Run) {
		r.Scenario = []string{"rollout", "throughput", "rollout", "soak"}[i]
		r.Verdict = []results.Verdict{results.Pass, results.Regressed, "", results.Invalid}[i]
		r.Revision = []string{"aaaa", "abcd", "bbbb", "aaaa+dirty"}[i]
	})
	require.NoError(t, os.WriteFile(filepath.Join(folder, "run-0", SamplesFile), make([]byte, 5000), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "notes.txt"), nil, 0o600))
	for _, c := range []struct {
		name   string
		filter Filter
		want   string
	}{
		{"all, newest first", Filter{}, "run-3 run-2 run-1 run-0"},
		{"a scenario", Filter{Scenario: "rollout"}, "run-2 run-0"},
		{"a pattern", Filter{Scenario: "*o*t"}, "run-2 run-1 run-0"},
		{"a revision", Filter{Revision: "a"}, "run-3 run-1 run-0"},
		{"a verdict", Filter{Verdict: results.Regressed}, "run-1"},
		{"no verdict", Filter{Verdict: FilterUnjudged}, "run-2"},
		{"since", Filter{Since: testStart.Add(2 * time.Hour)}, "run-3 run-2"},
		{"several at once", Filter{Scenario: "rollout", Verdict: results.Pass, Since: testStart}, "run-0"},
		{"none", Filter{Scenario: "roll"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs, err := List(folder, c.filter)
			require.NoError(t, err)
			require.Equal(t, c.want, names(runs))
		})
	}
	runs, err := List(folder, Filter{Verdict: results.Pass})
	require.NoError(t, err)
	require.Greater(t, runs[0].Bytes, int64(5000))
	require.Equal(t, testStart, runs[0].Started)
	require.Equal(t, 10, runs[0].Repetitions)
	require.True(t, runs[0].Valid)
}

func TestListReportsUnreadableRuns(t *testing.T) {
	folder := folderOf(t, 2, func(i int, r *results.Run) {
		if i == 1 {
			r.Status = results.StatusRunning
		}
	})
	broken := map[string]string{
		"empty":  "no run.json: no run was begun in it",
		"cut":    "run.json:1: damaged (unexpected end of JSON input)",
		"later":  "run.json: has schema version 99, and this fleetmark knows up to 1",
		"a-dir":  "run.json: can't be read (is a directory)",
		".begun": "no run.json: no run was begun in it",
	}
	for name := range broken {
		require.NoError(t, os.Mkdir(filepath.Join(folder, name), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "cut", RunFile), []byte(`{"schema": 1, "sta`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "later", RunFile), []byte(`{"schema": 99}`), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(folder, "a-dir", RunFile), 0o700))

	runs, err := List(folder, Filter{Scenario: "nothing-like-it"})
	require.NoError(t, err)
	require.Len(t, runs, len(broken), "they are listed, since they may match")
	for _, r := range runs {
		require.Equal(t, broken[filepath.Base(r.Path)], r.Problem)
	}
	runs, err = List(folder, Filter{})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(names(runs), "run-1 run-0 "), names(runs))
}

func TestListRefuses(t *testing.T) {
	folder := folderOf(t, 1, func(int, *results.Run) {})
	_, err := List(filepath.Join(folder, "missing"), Filter{})
	requireInput(t, err, 0, "missing: can't be opened")
	_, err = List(filepath.Join(folder, "run-0"), Filter{})
	requireInput(t, err, 0, "is a run itself: name the folder that it is in")
	_, err = List(filepath.Join(folder, "run-0", RunFile), Filter{})
	requireInput(t, err, 0, "can't be read")
	_, err = List(folder, Filter{Scenario: "["})
	require.ErrorContains(t, err, `scenario "[": want a name, or a pattern`)
	_, err = List(folder, Filter{Verdict: "good"})
	require.ErrorContains(t, err, `verdict "good": want pass, improved`)
}

// TestListHoldsNoRuns checks that List keeps only an entry of each run in memory, however large
// run.json is.
func TestListHoldsNoRuns(t *testing.T) {
	testenv.SlowRaced(t)
	large := json.RawMessage(`"` + strings.Repeat("x", 256<<10) + `"`)
	folder := folderOf(t, 40, func(_ int, r *results.Run) { r.Spec = large })
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	runs, err := List(folder, Filter{})
	require.NoError(t, err)
	after := heap()
	require.Len(t, runs, 40)
	require.Less(t, int64(after)-int64(before), int64(256<<10))
	runtime.KeepAlive(runs)
}

func BenchmarkList(b *testing.B) {
	folder := b.TempDir()
	data, err := json.Marshal(results.Run{Schema: results.RunSchema, Scenario: "rollout", Status: results.StatusFinished,
		Spec: json.RawMessage(`"` + strings.Repeat("x", 4096) + `"`)})
	require.NoError(b, err)
	for i := range 1000 {
		dir := filepath.Join(folder, fmt.Sprint(i))
		require.NoError(b, os.Mkdir(dir, 0o700))
		require.NoError(b, os.WriteFile(filepath.Join(dir, RunFile), data, 0o600))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := List(folder, Filter{}); err != nil {
			b.Fatal(err)
		}
	}
}
