package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// Scripts read a run directory's files, and these scenarios together write to all of them. In the
// first, one of two devices fails. The second and third have what only an open load and a rollout
// record; the second may be behind its schedule on a busy machine. In the last nothing succeeds.
const (
	everyFile = `name: every-file
fleet:
  devices: 2
  addressing: path
  groups: [{name: broken, share: 50%, behavior: {faults: [{kind: status-500}]}}]
artifact: {size: 1KiB}
client: {max_attempts: 1}
load: {workers: 1}
thresholds: [failed/device < 1]
repetitions: 2
warmup: 1
profiled: 1
`
	openLoad = `name: open-load
fleet: {devices: 2, addressing: path}
artifact: {size: 1KiB}
load: {model: constant, operation: push, workers: 2, rate: 100/s, duration: 100ms}
repetitions: 1
warmup: 0
profiled: 0
`
	inWaves = `name: in-waves
fleet: {devices: 4, addressing: path}
artifact: {size: 1KiB}
load: {model: rollout, workers: 1, rollout: {waves: [{share: 50%}, {share: 100%}]}}
thresholds: [updated/fleet < 1%]
repetitions: 1
warmup: 0
profiled: 0
`
	allFail = `name: all-fail
extends: every-file.yaml
fleet: {groups: [{name: broken, share: 100%, behavior: {faults: [{kind: status-500}]}}]}
thresholds: []
repetitions: 1
warmup: 0
profiled: 0
`
)

const anyCode = -1

// runFile runs a scenario from a file in dir and returns the run directory. The run must exit with
// code, unless that is anyCode.
func runFile(t *testing.T, dir, text string, code int, args ...string) string {
	t.Helper()
	name, _, _ := strings.Cut(strings.TrimPrefix(text, "name: "), "\n")
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600))
	got := fleetmark(t, dir, nil, append([]string{"run", name + ".yaml", "--no-progress", "--out", "of-" + name},
		args...)...)
	if code != anyCode {
		require.Equal(t, code, got.code, "%s%s", got.stdout, got.stderr)
	}
	return filepath.Join(dir, only(t, dir, "of-"+name))
}

// TestRunDirectoryKeepsItsShape checks what scripts rely on in a run directory: the keys of
// run.json, a line of failures.jsonl to the letter, the lines of latency.hlog except for their
// figures, and the names and labels of profiles.
func TestRunDirectoryKeepsItsShape(t *testing.T) {
	onceOnly(t)
	dir := t.TempDir()
	run := runFile(t, dir, everyFile, cli.ExitPass, "--profile-fleet")
	runs := []string{run, runFile(t, dir, openLoad, anyCode), runFile(t, dir, inWaves, cli.ExitRegressed),
		runFile(t, dir, allFail, cli.ExitInvalid)}

	t.Run("run.json", func(t *testing.T) {
		paths := map[string]bool{}
		for _, run := range runs {
			text, err := os.ReadFile(filepath.Join(run, "run.json"))
			require.NoError(t, err)
			var object map[string]any
			require.NoError(t, json.Unmarshal(text, &object))
			delete(object, "spec") // which a test of package scenarios checks
			jsonPaths(paths, "run", object)
			require.Equal(t, "finished", object["status"])
			switch object["scenario"] {
			case "every-file":
				require.Equal(t, []any{true, nil}, []any{object["valid"],
					object["verdict"]}) // its threshold held, and there is no baseline
			case "in-waves":
				require.Equal(t, []any{true, "regressed"}, []any{object["valid"], object["verdict"]})
			case "all-fail":
				require.Equal(t, []any{false, "invalid"}, []any{object["valid"], object["verdict"]})
				require.Equal(t, []any{"no operation succeeded: 2 started, 0 succeeded, 2 failed, by class 2 ambiguous"},
					object["invalid"])
			}
		}
		want, err := os.ReadFile(filepath.Join("testdata", "golden", "runpaths.txt"))
		require.NoError(t, err)
		for line := range strings.Lines(string(want)) { // a path may be added
			require.True(t, paths[strings.TrimSpace(line)], "%s is gone from %v", line, slices.Sorted(maps.Keys(paths)))
		}
	})

	t.Run("failures.jsonl", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(run, "failures.jsonl"))
		require.NoError(t, err)
		got := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(string(text), "HOST:PORT")
		var want strings.Builder
		for repetition := 1; repetition <= 3; repetition++ { // the profiled repetition comes after the timed ones
			fmt.Fprintf(&want, `{"repetition":%d,"device":1,"id":"device-00000001","address":"http://HOST:PORT/d/1","operation":"deliver","class":"ambiguous","status":500,"attempts":1,`+
				`"error":"push device-00000001: ambiguous: status 500: device refused: \"the device fails, as its behavior says\"","fleet":{"pushes":1,"applied":0,"rejected":1,"injected":1,"broken":0,"verifies":1,"faults":{"status-500":1},"version":"1.0.0"}}`+"\n", repetition)
		}
		require.Equal(t, want.String(), got)
	})

	t.Run("latency.hlog", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(run, "latency.hlog"))
		require.NoError(t, err)
		want := `#\[Fleetmark: times in nanoseconds[^\n]*\]
#\[Histogram log format version 1\.\d+\]
#\[StartTime: \d+ \(seconds since epoch\), [^\]]+\]
#\[BaseTime: \d+ \(seconds since epoch\)\]
"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
`
		figures := `,\d+\.\d+,\d+\.\d+,\d+\.\d+,HIST[A-Za-z0-9+/=]+` + "\n"
		for range 2 {
			for _, op := range []string{"push", "verify", "deliver"} { // of an interval or two
				want += "(Tag=(push|verify|deliver)" + figures + ")*Tag=" + op + figures
			}
			want += "(Tag=(push|verify|deliver)/group=[a-z]+" + figures + ")+"
		}
		require.Regexp(t, "^"+want+"$", string(text))
		text, err = os.ReadFile(filepath.Join(runs[1], "latency.hlog"))
		require.NoError(t, err)
		require.Regexp(t, "(Tag=push"+figures+"Tag=push/service"+figures+")+$", string(text))
	})

	t.Run("timeline.jsonl", func(t *testing.T) {
		const every = "broken_off bytes end_ns failed in_flight not_sent operations planned repetition retries sent " +
			"start_ns succeeded time"
		for i, keys := range []string{every, every, every + " wave"} { // the last is a rollout
			text, err := os.ReadFile(filepath.Join(runs[i], "timeline.jsonl"))
			require.NoError(t, err)
			all := map[string]bool{}
			for line := range bytes.Lines(text) {
				var object map[string]any
				require.NoError(t, json.Unmarshal(line, &object))
				for key := range object {
					all[key] = true
				}
			}
			delete(all, "failed_by_class")
			require.Equal(t, keys, strings.Join(slices.Sorted(maps.Keys(all)), " "))
		}
	})

	t.Run("profiles", func(t *testing.T) {
		for folder, labels := range map[string][]string{
			"profiles":       {"machine", "operation", "operations", "processor-ns", "scenario", "transport"},
			"profiles/fleet": {"machine", "operation", "operations", "scenario", "transport"},
		} {
			var names []string
			entries, err := os.ReadDir(filepath.Join(run, folder))
			require.NoError(t, err)
			for _, e := range entries {
				if !e.IsDir() {
					names = append(names, e.Name())
				}
			}
			require.Equal(t, []string{"allocs.1.pb.gz", "block.1.pb.gz", "cpu.1.pb.gz", "goroutine.1.pb.gz", "heap.1.pb.gz",
				"mutex.1.pb.gz", "trace.1.out"}, names, folder)
			for _, name := range names[:6] {
				file, err := os.Open(filepath.Join(run, folder, name))
				require.NoError(t, err)
				p, err := profile.Parse(file)
				require.NoError(t, err)
				require.NoError(t, file.Close())
				said := map[string]string{}
				for _, comment := range p.Comments {
					key, value, _ := strings.Cut(comment, "=")
					said[key] = value
				}
				for _, label := range labels {
					require.NotEmpty(t, said[label], "%s/%s: %s in %v", folder, name, label, p.Comments)
				}
				require.Equal(t, []string{"deliver", "2", "every-file", "lean"},
					[]string{said["operation"], said["operations"], said["scenario"], said["transport"]})
			}
		}
	})
}
