package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// folderOf makes a folder of runs; change gives each what tells it apart.
func folderOf(t *testing.T, n int, change func(i int, r *Run)) string {
	t.Helper()
	folder := t.TempDir()
	for i := range n {
		run := testRun()
		run.Schema, run.Status, run.Repetitions = RunSchema, StatusFinished, 10
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

func names(runs []RunEntry) string {
	var all []string
	for _, r := range runs {
		all = append(all, filepath.Base(r.Path))
	}
	return strings.Join(all, " ")
}

func TestListRuns(t *testing.T) {
	folder := folderOf(t, 4, func(i int, r *Run) {
		r.Scenario = []string{"rollout", "throughput", "rollout", "soak"}[i]
		r.Verdict = []Verdict{Pass, Regressed, "", Invalid}[i]
		r.Revision = []string{"aaaa", "abcd", "bbbb", "aaaa+dirty"}[i]
	})
	require.NoError(t, os.WriteFile(filepath.Join(folder, "run-0", SamplesFile), make([]byte, 5000), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "notes.txt"), nil, 0o600))
	for _, c := range []struct {
		name   string
		filter RunFilter
		want   string
	}{
		{"all, newest first", RunFilter{}, "run-3 run-2 run-1 run-0"},
		{"a scenario", RunFilter{Scenario: "rollout"}, "run-2 run-0"},
		{"a pattern", RunFilter{Scenario: "*o*t"}, "run-2 run-1 run-0"},
		{"a revision", RunFilter{Revision: "a"}, "run-3 run-1 run-0"},
		{"a verdict", RunFilter{Verdict: Regressed}, "run-1"},
		{"no verdict", RunFilter{Verdict: NoVerdict}, "run-2"},
		{"since", RunFilter{Since: testStart.Add(2 * time.Hour)}, "run-3 run-2"},
		{"several at once", RunFilter{Scenario: "rollout", Verdict: Pass, Since: testStart}, "run-0"},
		{"none", RunFilter{Scenario: "roll"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs, err := ListRuns(folder, c.filter)
			require.NoError(t, err)
			require.Equal(t, c.want, names(runs))
		})
	}
	runs, err := ListRuns(folder, RunFilter{Verdict: Pass})
	require.NoError(t, err)
	require.Greater(t, runs[0].Bytes, int64(5000))
	require.Equal(t, testStart, runs[0].Started)
	require.Equal(t, 10, runs[0].Repetitions)
	require.True(t, runs[0].Valid)
}

func TestListRunsTellsOfWhatItCannotRead(t *testing.T) {
	folder := folderOf(t, 2, func(i int, r *Run) {
		if i == 1 {
			r.Status = StatusRunning
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

	runs, err := ListRuns(folder, RunFilter{Scenario: "nothing-like-it"})
	require.NoError(t, err)
	require.Len(t, runs, len(broken), "nobody knows that they don't match")
	for _, r := range runs {
		require.Equal(t, broken[filepath.Base(r.Path)], r.Problem)
	}
	runs, err = ListRuns(folder, RunFilter{})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(names(runs), "run-1 run-0 "), names(runs))
	var table bytes.Buffer
	require.NoError(t, WriteRuns(&table, runs, TableOptions{}))
	require.Contains(t, table.String(), "unfinished")
	require.Equal(t, len(broken), strings.Count(table.String(), "unreadable"))
	for name, problem := range broken {
		require.Contains(t, table.String(), "\n"+name+": "+problem+"\n")
	}
}

func TestListRunsRefuses(t *testing.T) {
	folder := folderOf(t, 1, func(int, *Run) {})
	_, err := ListRuns(filepath.Join(folder, "missing"), RunFilter{})
	requireInput(t, err, 0, "missing: can't be opened")
	_, err = ListRuns(filepath.Join(folder, "run-0"), RunFilter{})
	requireInput(t, err, 0, "is a run itself: name the folder that it is in")
	_, err = ListRuns(filepath.Join(folder, "run-0", RunFile), RunFilter{})
	requireInput(t, err, 0, "can't be read")
	_, err = ListRuns(folder, RunFilter{Scenario: "["})
	require.ErrorContains(t, err, `scenario "[": want a name, or a pattern`)
	_, err = ListRuns(folder, RunFilter{Verdict: "good"})
	require.ErrorContains(t, err, `verdict "good": want pass, improved`)
}

func TestRunsTableFitsTheTerminal(t *testing.T) {
	folder := folderOf(t, 1, func(_ int, r *Run) {
		r.Revision, r.Verdict, r.Scenario = strings.Repeat("ab", 20)+"+dirty", Regressed, "roll\x1b[31mout"
	})
	runs, err := ListRuns(folder, RunFilter{})
	require.NoError(t, err)
	text := func(o TableOptions) string {
		var b bytes.Buffer
		require.NoError(t, WriteRuns(&b, runs, o))
		return b.String()
	}
	wide := text(TableOptions{})
	require.Contains(t, wide, "abababababab+ ", "a commit is told by its beginning")
	require.NotContains(t, wide, "\x1b", "no colour, and no sequence that a file brings along")
	require.Equal(t, 1, strings.Count(text(TableOptions{Color: true}), colorRed))
	header := func(width int) string {
		head, _, _ := strings.Cut(text(TableOptions{Width: width}), "\n")
		return strings.Join(strings.Fields(head), " ")
	}
	require.Equal(t, "began scenario revision status verdict reps size run", header(0))
	require.Equal(t, "began scenario revision status verdict size run", header(widest(wide)-1))
	require.Equal(t, "scenario verdict run", header(1))
	for width := 1; width <= widest(wide); width++ {
		if shown := text(TableOptions{Width: width}); header(width) != header(1) {
			require.LessOrEqual(t, widest(shown), width)
		}
	}
}

// TestListRunsHoldsNoRuns: what stays in memory is an entry a run, however large run.json is.
func TestListRunsHoldsNoRuns(t *testing.T) {
	large := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	folder := folderOf(t, 40, func(_ int, r *Run) { r.Spec = large })
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	runs, err := ListRuns(folder, RunFilter{})
	require.NoError(t, err)
	after := heap()
	require.Len(t, runs, 40)
	require.Less(t, int64(after)-int64(before), int64(1<<20))
	runtime.KeepAlive(runs)
}

func BenchmarkListRuns(b *testing.B) {
	folder := b.TempDir()
	data, err := json.Marshal(Run{Schema: RunSchema, Scenario: "rollout", Status: StatusFinished, Spec: json.RawMessage(`"` + strings.Repeat("x", 4096) + `"`)})
	require.NoError(b, err)
	for i := range 1000 {
		dir := filepath.Join(folder, fmt.Sprint(i))
		require.NoError(b, os.Mkdir(dir, 0o700))
		require.NoError(b, os.WriteFile(filepath.Join(dir, RunFile), data, 0o600))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ListRuns(folder, RunFilter{}); err != nil {
			b.Fatal(err)
		}
	}
}
