package app

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// gateFiles is a baseline page and a run that passes it, before they are written. A test changes
// them first.
type gateFiles struct {
	base    baseline.Page
	run     results.Run
	records []results.Record

	args []string // of gate, which runs in the directory with page.md and run

	// after changes the files that were written; nil: nothing.
	after func(t *testing.T, dir string)
}

func newGateFiles() *gateFiles {
	machine := results.Machine{OS: "linux", Arch: "amd64", Cores: 2, GOMAXPROCS: 2, GoVersion: "go1.26.0",
		Identity: "0123456789ab"}
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	counts := results.Counts{Devices: 50, Updated: 50}
	var records []results.Record
	for i := range 6 {
		noise := float64(i)
		for _, op := range []string{"push", "deliver"} {
			records = append(records, results.Record{Scenario: "rollout", Op: op, Repetition: i + 1, Ops: 50,
				Values: []results.Value{
					{Unit: "ns/op", Value: 1000 + noise}, {Unit: "ops/s", Value: 900 - noise}, {Unit: "B/op", Value: 24},
					{Unit: "allocs/op", Value: 1},
					{Unit: "requests/device", Value: 2}, {Unit: "wire-B/device", Value: 1973}, {Unit: "retries/device", Value: 0},
					{Unit: "failed/device", Value: 0},
				}})
		}
	}
	return &gateFiles{
		base: baseline.Page{Machine: machine, Revision: "1111111", GoVersion: "go1.26.0", Created: start,
			Scenarios: []baseline.Scenario{
				{Name: "rollout", WorkloadDigest: "aa", Command: "fleetmark run rollout", Repetitions: 6, Counts: counts,
					Records: records},
			}},
		run: results.Run{ID: "1a2b3c", Scenario: "rollout", WorkloadDigest: "aa", Command: "fleetmark run rollout", Seed: 1,
			Machine:  machine,
			Revision: "2222222", Started: start, Finished: start.Add(time.Minute), Status: results.StatusFinished,
			Repetitions: 6, Valid: true, Counts: counts},
		records: copied(records),
		args:    []string{"--baseline", "page.md", "--run", "run"},
	}
}

func copied(records []results.Record) []results.Record {
	list := make([]results.Record, len(records))
	for i, r := range records {
		list[i] = r
		list[i].Values = append([]results.Value(nil), r.Values...)
	}
	return list
}

// write writes the files into a directory of their own.
func (g *gateFiles) write(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	var page bytes.Buffer
	require.NoError(t, baseline.Write(&page, g.base))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "page.md"), page.Bytes(), 0o600))
	d, err := rundir.Create(dir, "rollout", g.run.Started, g.run.ID)
	require.NoError(t, err)
	require.NoError(t, d.WriteRun(g.run))
	require.NoError(t, d.AppendRepetition(g.records))
	require.NoError(t, d.WriteRun(g.run))
	require.NoError(t, d.Close())
	require.NoError(t, os.Rename(d.Path(), filepath.Join(dir, "run")))
	if g.after != nil {
		g.after(t, dir)
	}
	return dir
}

// each applies change to every value of the metric with this unit, or of all metrics if unit is
// empty.
func (g *gateFiles) each(unit string, change func(*results.Value)) {
	for i := range g.records {
		for k := range g.records[i].Values {
			if v := &g.records[i].Values[k]; unit == "" || v.Unit == unit {
				change(v)
			}
		}
	}
}

// rewrite returns a function for gateFiles.after that changes the content of a file.
func rewrite(name string, change func(string) string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		changed := change(string(text))
		require.NotEqual(t, string(text), changed, "the test changes nothing")
		require.NoError(t, os.WriteFile(path, []byte(changed), 0o600))
	}
}

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, name))) }
}

func replaced(old, with string) func(string) string {
	return func(text string) string { return strings.ReplaceAll(text, old, with) }
}

func firstHalf(text string) string { return text[:len(text)/2] }

// An ended is the outcome of a command.
type ended struct {
	code           int
	stdout, stderr string
}

// fleetmark runs the built command in a directory.
func fleetmark(t *testing.T, dir string, env []string, args ...string) ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(built, "fleetmark"), args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ok := err.(*exec.ExitError); !ok {
		require.NoError(t, err)
	}
	return ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}
