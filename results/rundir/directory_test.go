package rundir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

func testRun() results.Run {
	return results.Run{ID: "1a2b3c", Scenario: "rollout", Spec: json.RawMessage(`{"devices":5000}`),
		WorkloadDigest: "sha256:aa", Command: "fleetmark run rollout",
		Seed: 1, Machine: testMachine, Revision: "5d3d764", Started: testStart, Status: results.StatusRunning, Valid: true,
		Counts:           results.Counts{Devices: 5000, Updated: 5000},
		RepetitionCounts: []results.Counts{{Devices: 5000, Updated: 5000}}, Transport: "lean", Addressing: "ip"}
}

func newDirectory(t *testing.T) *Directory {
	t.Helper()
	d, err := Create(filepath.Join(t.TempDir(), "runs"), "rollout", testStart, "1a2b3c")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestDiscardLeavesNothing(t *testing.T) {
	for name, written := range map[string]bool{"before it has its name": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			d, err := Create(parent, "rollout", testStart, "1a2b3c")
			require.NoError(t, err)
			if written {
				require.NoError(t, d.WriteRun(testRun()))
				require.NoError(t, d.AppendRepetition(nil, Chunk{Name: LatencyFile, Data: []byte("x\n")}))
			}
			require.NoError(t, d.Discard())
			entries, err := os.ReadDir(parent)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

func TestDirectory(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "deep", "runs")
	// The name holds the time in UTC, whatever the zone.
	d, err := Create(parent, "rollout", testStart.In(time.FixedZone("", 3600)), "1a2b3c")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(parent, "20261123T082700Z-rollout-1a2b3c"), d.Path())
	require.NoDirExists(t, d.Path(), "it is hidden before the first WriteRun")

	run := testRun()
	require.NoError(t, d.WriteRun(run))
	require.DirExists(t, d.ProfilesDir())
	entries, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing hidden is left")
	records := rolloutRecords(1, 2, 1)
	for i := range records {
		require.NoError(t, d.AppendRepetition(records[i:i+1]))
		loaded, err := Load(d.Path())
		require.NoError(t, err, "readable at every moment")
		require.Equal(t, records[:i], append([]results.Record{}, loaded.Records...), "run.json doesn't count it yet")
		require.NoError(t, d.WriteRun(run))
		loaded, err = Load(d.Path())
		require.NoError(t, err, "readable at every moment")
		require.Equal(t, records[:i+1], loaded.Records)
		require.True(t, loaded.Unfinished)
	}
	require.NoError(t, d.AppendRepetition(nil, Chunk{Name: LatencyFile, Data: []byte("one\n")},
		Chunk{Name: FailuresFile, Data: nil}))
	require.NoFileExists(t, filepath.Join(d.Path(), FailuresFile), "there was nothing to put in it")
	require.NoError(t, os.WriteFile(filepath.Join(d.Path(), ReportFile), []byte("# report\n"), 0o644))

	run.Status, run.Finished, run.Repetitions, run.Verdict = results.StatusFinished, testStart.Add(time.Minute), 2, results.Pass
	require.NoError(t, d.WriteRun(run))
	require.NoError(t, d.Close())
	require.NoError(t, d.Close(), "a second time")

	loaded, err := Load(d.Path())
	require.NoError(t, err)
	require.False(t, loaded.Unfinished)
	require.Empty(t, loaded.Warnings)
	require.Equal(t, records, loaded.Records)
	run.Schema = results.RunSchema
	samples, err := os.Stat(filepath.Join(d.Path(), SamplesFile))
	require.NoError(t, err)
	run.FileLengths = map[string]int64{SamplesFile: samples.Size(), LatencyFile: 4}
	require.JSONEq(t, string(run.Spec), string(loaded.Spec))
	loaded.Spec = run.Spec // it is indented on the disk
	require.Equal(t, run, loaded.Run)

	var names []string
	entries, err = os.ReadDir(d.Path())
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"latency.hlog", "profiles", "report.md", "run.json", "samples.txt"}, names,
		"and no temporary file")

	require.ErrorIs(t, d.WriteRun(run), os.ErrClosed)
	require.ErrorIs(t, d.AppendRepetition(nil, Chunk{Name: FailuresFile, Data: []byte("x\n")}), os.ErrClosed)
}

// TestRunJSON fixes the keys of run.json, on which scripts rely.
func TestRunJSON(t *testing.T) {
	d := newDirectory(t)
	require.NoError(t, d.WriteRun(testRun()))
	text, err := os.ReadFile(filepath.Join(d.Path(), RunFile))
	require.NoError(t, err)
	require.JSONEq(t, `{"schema":1,"id":"1a2b3c","scenario":"rollout","spec":{"devices":5000},"workload_digest":"sha256:aa","command":"fleetmark run rollout","seed":1,
		"machine":{"os":"linux","arch":"amd64","cpu":"Example CPU @ 3.00GHz","cores":2,"gomaxprocs":2,"memory_bytes":25769803776,"kernel":"6.1.0","go_version":"go1.26.0","identity":"0123456789ab"},
		"revision":"5d3d764","started":"2026-11-23T08:27:00Z","status":"running","repetitions":0,"valid":true,"clients_word_only":false,
		"counts":{"devices":5000,"updated":5000,"failed":0,"lost":0,"applied_twice":0},
		"repetition_counts":[{"devices":5000,"updated":5000,"failed":0,"lost":0,"applied_twice":0}],
		"fleet":{"cpu_fraction":0,"saturated":false,"peak_resident_bytes":0,"wake_p90_ns":0,"late_answers":0,"accept_queue_peak":0,"descriptors":0},
		"harness":{"cpu_fraction":0,"lateness_p99_ns":0,"gc_cpu_fraction":0,"peak_resident_bytes":0},
		"transport":"lean","addressing":"ip","lengths":{"samples.txt":0}}`, string(text))
}

func TestDirectoryRefuses(t *testing.T) {
	d := newDirectory(t)
	require.ErrorContains(t, d.AppendRepetition(sample("x", 1)),
		"run.json with the machine's GOMAXPROCS must be written first")
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/etc/x"} {
		_, err := d.open(name)
		require.ErrorContains(t, err, "want a name without path separators", name)
	}
	_, err := Create(t.TempDir(), "../up", testStart, "id")
	require.ErrorContains(t, err, `scenario "../up"`)
	_, err = Create(t.TempDir(), "rollout", testStart, "")
	require.ErrorContains(t, err, `run id ""`)
}

func TestCreateLeavesNothingBehind(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	taken := filepath.Join(root, "taken")
	require.NoError(t, os.MkdirAll(filepath.Join(taken, "20261123T082700Z-rollout-1a2b3c"), 0o755))
	for name, parent := range map[string]string{
		"a file":          file,
		"below a file":    filepath.Join(file, "runs"),
		"taken":           taken,
		"a name too long": filepath.Join(root, "new", strings.Repeat("x", 300)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Create(parent, "rollout", testStart, "1a2b3c")
			requireInput(t, err, 0, "no run directory can be made in it")
		})
	}
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Len(t, entries, 2, "only what was there before")
	entries, err = os.ReadDir(taken)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// TestLoadCutAtEveryByte checks that wherever a kill cuts samples.txt, the complete lines are
// loaded, and the incomplete one is reported and dropped.
func TestLoadCutAtEveryByte(t *testing.T) {
	d := newDirectory(t)
	require.NoError(t, d.WriteRun(testRun()))
	records := rolloutRecords(1, 2, 1)
	require.NoError(t, d.AppendRepetition(records))
	require.NoError(t, d.WriteRun(testRun()))
	path := filepath.Join(d.Path(), SamplesFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for cut := range len(whole) {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o644))
		loaded, err := Load(d.Path())
		require.NoError(t, err, "cut at %d", cut)
		lines := bytes.Count(whole[:cut], []byte("\nBenchmark"))
		if cut > 0 && whole[cut-1] != '\n' && lines > 0 &&
			bytes.LastIndex(whole[:cut], []byte("\nBenchmark")) == bytes.LastIndexByte(whole[:cut], '\n') {
			lines-- // the last is the one cut in half
		}
		require.Equal(t, records[:lines], append([]results.Record{}, loaded.Records...), "cut at %d", cut)
		half := cut > 0 && whole[cut-1] != '\n'
		require.Equal(t, half, strings.Contains(strings.Join(loaded.Warnings, "\n"), "cut in half"), "cut at %d", cut)
		require.Contains(t, strings.Join(loaded.Warnings, "\n"),
			fmt.Sprintf("has %d of the %d bytes that the run wrote", cut, len(whole)))
	}
}

// TestLoadKilledInARepetition checks that samples of a repetition, even in complete lines, aren't
// part of the run before run.json counts the repetition.
func TestLoadKilledInARepetition(t *testing.T) {
	d := newDirectory(t)
	run := testRun()
	require.NoError(t, d.WriteRun(run))
	records := rolloutRecords(1, 2, 1)
	require.NoError(t, d.AppendRepetition(records[:2], Chunk{Name: LatencyFile, Data: []byte("one\n")}))
	run.Repetitions = 1
	require.NoError(t, d.WriteRun(run))
	path := filepath.Join(d.Path(), SamplesFile)
	counted, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, d.AppendRepetition(records[2:], Chunk{Name: LatencyFile, Data: []byte("two\n")}))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for cut := len(counted); cut <= len(whole); cut++ {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o644))
		loaded, err := Load(d.Path())
		require.NoError(t, err)
		require.Equal(t, records[:2], loaded.Records)
		said := strings.Join(loaded.Warnings, "\n")
		require.Equal(t, cut > len(counted),
			strings.Contains(said, fmt.Sprintf("samples.txt: the last %d of %d bytes are no part of the run", cut-len(counted),
				cut)), said)
		require.Contains(t, said, "latency.hlog: the last 4 of 8 bytes are no part of the run")
		require.NotContains(t, said, "cut in half")
	}
}

// TestLoadWithoutFileLengths checks that all samples of an old run, whose run.json has no lengths,
// are loaded.
func TestLoadWithoutFileLengths(t *testing.T) {
	d := newDirectory(t)
	require.NoError(t, d.WriteRun(testRun()))
	records := rolloutRecords(1, 2, 1)
	require.NoError(t, d.AppendRepetition(records))
	run := testRun()
	run.Schema, run.Status = results.RunSchema, results.StatusFinished
	text, err := json.Marshal(run)
	require.NoError(t, err)
	require.NotContains(t, string(text), "lengths")
	require.NoError(t, os.WriteFile(filepath.Join(d.Path(), RunFile), text, 0o644))
	loaded, err := Load(d.Path())
	require.NoError(t, err)
	require.Equal(t, records, loaded.Records)
	require.Empty(t, loaded.Warnings)
}

func TestLoadRefuses(t *testing.T) {
	ok := `{"schema":1,"status":"finished"}`
	for _, c := range []struct {
		name, run, samples string
		line               int
		want               string
	}{
		{"not JSON", "{\n\"schema\": 1,\n!}", "", 3, "damaged"},
		{"cut", "{\n\"schema\": 1,\n", "", 3, "damaged"},
		{"another type", "{\n\"schema\": \"one\"}", "", 2, "damaged"},
		{"empty", "", "", 1, "damaged"},
		{"no schema", "{}", "", 0, "no schema version"},
		{"a later schema", `{"schema":2,"status":"finished"}`, "", 0, "schema version 2"},
		{"an unknown status", `{"schema":1,"status":"dreaming"}`, "", 0, `unknown status "dreaming"`},
		{"garbage among the samples", ok, "\n\x00\x00\x00\nBenchmarkScenario/rollout/op=push-2 1 1 x\n", 2, "neither"},
		{"a damaged sample", ok, "BenchmarkScenario/rollout/op=push-2 1 x x\nBenchmarkScenario/rollout/op=push-2 1 1 x\n",
			1, "damaged sample line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, RunFile), []byte(c.run), 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(dir, SamplesFile), []byte(c.samples), 0o644))
			_, err := Load(dir)
			requireInput(t, err, c.line, c.want)
		})
	}
	_, err := Load(filepath.Join(t.TempDir(), "none"))
	requireInput(t, err, 0, "no such run")
	_, err = Load(t.TempDir())
	requireInput(t, err, 0, "isn't a run directory")
	_, err = Load(writeTemp(t, "file", ""))
	requireInput(t, err, 0, "isn't a directory")
}

func TestLoadWithoutSamples(t *testing.T) {
	d := newDirectory(t)
	run := testRun()
	for repetitions, want := range map[int]string{0: "no repetition was completed",
		1: "no operation of 1 repetition succeeded", 5: "no operation of 5 repetitions succeeded"} {
		run.Repetitions = repetitions
		require.NoError(t, d.WriteRun(run))
		loaded, err := Load(d.Path())
		require.NoError(t, err)
		require.Empty(t, loaded.Records)
		require.Contains(t, strings.Join(loaded.Warnings, "\n"), "no samples: "+want)
	}
}

const killedChild = "FLEETMARK_TEST_KILLED_CHILD"

// TestLoadAfterKill kills a process that appends repetitions until it is killed. The process writes
// a byte after each, which times the kill.
func TestLoadAfterKill(t *testing.T) {
	for after := range 6 {
		parent := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
		cmd.Env = append(os.Environ(), killedChild+"="+parent)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		read := make([]byte, 1+7*after)
		_, err = io.ReadFull(out, read) // a byte a repetition
		require.NoError(t, err)
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())

		found, err := filepath.Glob(filepath.Join(parent, "*"))
		require.NoError(t, err)
		require.Len(t, found, 1, "nothing hidden is left")
		loaded, err := Load(found[0])
		require.NoError(t, err)
		require.True(t, loaded.Unfinished)
		require.GreaterOrEqual(t, len(loaded.Records), 2*len(read), "every repetition that the process reported is there")
	}
}

// TestKilledChild is the process that TestLoadAfterKill kills. Alone it does nothing.
func TestKilledChild(t *testing.T) {
	parent := os.Getenv(killedChild)
	if parent == "" {
		return
	}
	d, err := Create(parent, "rollout", testStart, "1a2b3c")
	require.NoError(t, err)
	run := testRun()
	require.NoError(t, d.WriteRun(run))
	for i := uint64(0); ; i++ {
		require.NoError(t, d.AppendRepetition(rolloutRecords(i, 1, 1)))
		run.Repetitions++
		require.NoError(t, d.WriteRun(run))
		fmt.Print(".")
	}
}

// FuzzLoad checks that Load reads a directory or says what is wrong with it, whatever it holds.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"schema":1,"status":"running"}`), []byte("BenchmarkScenario/rollout/op=push-2 1 1 x\nBenchm"))
	f.Add([]byte(`{"schema":1,"status":"finished","started":"x"}`), []byte(""))
	f.Add([]byte(`[`), []byte("\x00\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, run, samples []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, RunFile), run, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, SamplesFile), samples, 0o644))
		loaded, err := Load(dir)
		if err != nil {
			var input *results.InputError
			require.ErrorAs(t, err, &input)
			return
		}
		require.NotEmpty(t, loaded.Status)
	})
}

// TestAppendPartial checks that the intervals of a running repetition can be read at once, and move
// to the files of complete repetitions when it ends.
func TestAppendPartial(t *testing.T) {
	d := newDirectory(t)
	require.NoError(t, d.WriteRun(testRun()))
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(d.Path(), name))
		if !os.IsNotExist(err) {
			require.NoError(t, err)
		}
		return string(text)
	}
	for _, repetition := range []string{"first", "second"} {
		require.NoError(t, d.AppendPartial(
			Chunk{Name: PartialLatencyFile, Data: []byte("# head\n" + repetition + " a\n")},
			Chunk{Name: PartialTimelineFile, Data: []byte("{}\n")},
		))
		require.NoError(t, d.AppendPartial(Chunk{Name: PartialLatencyFile, Data: []byte(repetition + " b\n")}))
		require.Equal(t, "# head\n"+repetition+" a\n"+repetition+" b\n", read(PartialLatencyFile))
		require.Equal(t, "{}\n", read(PartialTimelineFile))
		require.NoError(t, d.AppendRepetition(nil,
			Partial(LatencyFile, PartialLatencyFile, len("# head\n")), Partial(TimelineFile, PartialTimelineFile, 0)))
		require.NoError(t, d.DiscardPartial())
		require.Empty(t, read(PartialLatencyFile)+read(PartialTimelineFile))
		require.NoError(t, d.WriteRun(testRun()))
	}
	require.NoError(t, d.DiscardPartial(), "there is none")
	require.NoError(t, d.AppendRepetition(nil, Partial(LatencyFile, PartialLatencyFile, 0)), "there is none")
	require.Equal(t, "first a\nfirst b\nsecond a\nsecond b\n", read(LatencyFile))
	require.Equal(t, "{}\n{}\n", read(TimelineFile))
	loaded, err := Load(d.Path())
	require.NoError(t, err)
	require.Equal(t, map[string]int64{SamplesFile: 0, LatencyFile: 34, TimelineFile: 6}, loaded.FileLengths)
}
