package batch

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// asFleet names the environment variable that makes this test's program act as the fleet's process.
const asFleet = "FLEETMARK_TEST_FLEET"

func TestMain(m *testing.M) {
	if os.Getenv(asFleet) != "" {
		if err := target.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// options returns the options of a batch without a baseline.
func options(t *testing.T) Options {
	t.Helper()
	return Options{
		Out: filepath.Join(t.TempDir(), "runs"), FleetCommand: []string{"/usr/bin/env", asFleet + "=1", os.Args[0]},
		Machine: results.Machine{GOMAXPROCS: 1, Identity: "0123456789ab"}, Stderr: io.Discard,
	}
}

// small returns a scenario with the given name that takes some milliseconds, with the changes in
// sets, each KEY=VALUE.
func small(t *testing.T, name string, sets ...string) runner.Options {
	t.Helper()
	s := scenarios.Default()
	s.Name = name
	for _, set := range append([]string{"fleet.devices=5", "artifact.size=1KiB", "repetitions=1", "warmup=0",
		"profiled=0"}, sets...) {
		require.NoError(t, s.Set(set))
	}
	return runner.Options{Spec: s, Command: "fleetmark run " + name}
}

// names returns the names of the results' scenarios.
func names(list []*Result) (all []string) {
	for _, r := range list {
		all = append(all, r.Run.Scenario)
	}
	return all
}

// A countingView counts the views that were opened and closed.
type countingView struct {
	runner.Observer
	begin  func(runner.Repetition)
	closed *int
}

func (v countingView) Doing(runner.Repetition, runner.Activity)    {}
func (v countingView) Begin(s runner.Repetition)                   { v.begin(s) }
func (v countingView) Progress(runner.Repetition, runner.Progress) {}
func (v countingView) End(runner.Repetition, runner.Progress)      {}
func (v countingView) Close()                                      { *v.closed++ }

// TestRun checks that each scenario is judged by itself, with its thresholds, and that its
// directory agrees with its result.
func TestRun(t *testing.T) {
	o := options(t)
	var seen []string
	o.Done = func(r *Result) { seen = append(seen, r.Run.Scenario) }
	closed := 0
	o.View = func() View { return countingView{begin: func(runner.Repetition) {}, closed: &closed} }
	done, err := Run(t.Context(), o, []runner.Options{
		small(t, "plain"), small(t, "slow", "thresholds=[ops/s < 1/h]"),
		small(t, "denied", "fleet.behavior={fail_first: 9}", "client.max_attempts=1"),
	})
	require.NoError(t, err)
	require.Equal(t, []string{"plain", "slow", "denied"}, names(done))
	require.Equal(t, names(done), seen)
	require.Equal(t, 3, closed)
	for i, want := range []results.Verdict{"", results.Regressed, results.Invalid} {
		r := done[i]
		require.Equal(t, want, r.Judgement.Verdict, r.Run.Scenario)
		require.NoError(t, r.Err)
		require.False(t, r.Interrupted())
		run, err := rundir.Load(r.Directory)
		require.NoError(t, err)
		require.NoError(t, run.CheckIntact())
		require.Equal(t, want, run.Verdict)
		require.Equal(t, results.StatusFinished, run.Status)
		require.Equal(t, report.ModeRun, r.Document.Mode)
		for _, name := range []string{rundir.ReportFile, rundir.HTMLFile} {
			text, err := os.ReadFile(filepath.Join(r.Directory, name))
			require.NoError(t, err)
			require.Contains(t, string(text), r.Run.Scenario)
		}
	}
	var rows []string
	for _, r := range done {
		row := r.SuiteRow()
		require.Equal(t, row.Result == "passed", row.Passed)
		rows = append(rows, row.Test+" "+row.Result)
	}
	require.Equal(t, []string{"plain passed", "slow failed", "denied invalid"}, rows)
	require.Contains(t, done[0].SuiteRow().Notes, "5 of 5 devices updated, p50 ")
	require.Contains(t, done[2].SuiteRow().Notes, "no operation succeeded")
}

// TestRun_policy checks that the verdict in run.json, too, depends on what the policy requires.
func TestRun_policy(t *testing.T) {
	o := options(t)
	o.Policy.Unjudged = judge.RequireVerdict
	done, err := Run(t.Context(), o, []runner.Options{small(t, "plain")})
	require.NoError(t, err)
	require.Equal(t, results.Inconclusive, done[0].Judgement.Verdict)
	run, err := rundir.Load(done[0].Directory)
	require.NoError(t, err)
	require.Equal(t, results.Inconclusive, run.Verdict)
}

// TestRun_baseline checks that a run which is compared with itself passes, and that its document
// has both sides.
func TestRun_baseline(t *testing.T) {
	o := options(t)
	first, err := Run(t.Context(), o, []runner.Options{small(t, "plain")})
	require.NoError(t, err)
	run := first[0].Run
	o.Baseline = baseline.FromRun(run, first[0].Records)
	done, err := Run(t.Context(), o, []runner.Options{small(t, "plain")})
	require.NoError(t, err)
	require.True(t, done[0].Judgement.HasBaseline)
	require.True(t, done[0].Document.Results[0].HasBase)
}

// TestRun_interrupted checks that a batch ends with the scenario that is interrupted, and keeps
// what that scenario measured.
func TestRun_interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := options(t)
	closed := 0
	o.View = func() View {
		return countingView{closed: &closed, begin: func(s runner.Repetition) {
			if s.Scenario == "long" && s.Number == 2 {
				cancel()
			}
		}}
	}
	done, err := Run(ctx, o, []runner.Options{
		small(t, "plain"), small(t, "long", "repetitions=1000"), small(t, "never"),
	})
	require.NoError(t, err, "an interruption is no error of the run")
	require.Equal(t, []string{"plain", "long"}, names(done))
	require.False(t, done[0].Interrupted())
	require.True(t, done[1].Interrupted())
	require.Equal(t, 2, closed)
	run, err := rundir.Load(done[1].Directory)
	require.NoError(t, err)
	require.Equal(t, results.StatusInterrupted, run.Status)
	require.Equal(t, 1, run.Repetitions)
	require.FileExists(t, filepath.Join(done[1].Directory, rundir.ReportFile))

	done, err = Run(ctx, o, []runner.Options{small(t, "never")})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, done)
}

// TestRun_cantBegin checks that a scenario which can't begin ends the batch and leaves no
// directory, and that those before it keep theirs.
func TestRun_cantBegin(t *testing.T) {
	o := options(t)
	closed := 0
	o.View = func() View { return countingView{begin: func(runner.Repetition) {}, closed: &closed} }
	gone := small(t, "gone")
	gone.Target.Address = "http://127.0.0.1:1"
	done, err := Run(t.Context(), o, []runner.Options{small(t, "plain"), gone, small(t, "never")})
	require.ErrorContains(t, err, "does not answer")
	require.Equal(t, []string{"plain"}, names(done))
	require.NoError(t, done[0].Err, "the error isn't one of the scenario before")
	require.Equal(t, 2, closed)
	dirs, err := os.ReadDir(o.Out)
	require.NoError(t, err)
	require.Len(t, dirs, 1)
}

// TestRun_unwrittenReport checks that a report that can't be written is an error of its run, and
// that the run is judged all the same.
func TestRun_unwrittenReport(t *testing.T) {
	o := options(t)
	o.View = func() View {
		closed := 0
		return countingView{closed: &closed, begin: func(runner.Repetition) {
			dirs, err := filepath.Glob(filepath.Join(o.Out, "*"))
			require.NoError(t, err)
			require.Len(t, dirs, 1)
			require.NoError(t, os.MkdirAll(filepath.Join(dirs[0], rundir.HTMLFile, "in the way"), 0o700))
		}}
	}
	done, err := Run(t.Context(), o, []runner.Options{small(t, "plain", "thresholds=[ops/s < 1/h]"), small(t, "never")})
	require.ErrorContains(t, err, rundir.HTMLFile)
	require.Len(t, done, 1)
	require.Equal(t, err, done[0].Err)
	require.Equal(t, results.Regressed, done[0].Judgement.Verdict)
	require.FileExists(t, filepath.Join(done[0].Directory, rundir.ReportFile))
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "own.yaml")
	suite := filepath.Join(dir, "both.yaml")
	require.NoError(t, os.WriteFile(file, []byte("name: own\nfleet: {devices: 7}\n"), 0o600))
	require.NoError(t, os.WriteFile(suite, []byte("name: both\nsuite: [own.yaml, soak]\n"), 0o600))
	for _, c := range []struct {
		names []string
		want  []string
		suite string
		err   string
	}{
		{names: []string{"soak", file, "soak"}, want: []string{"soak", "own", "soak"}},
		{names: []string{suite}, want: []string{"own", "soak"}, suite: "both"},
		{names: []string{suite, "soak"}, err: "is a suite: run it alone"},
		{names: []string{"soak", "integration"}, err: "integration is a suite: run it alone"},
		{names: []string{"sok"}, err: "did you mean soak?"},
	} {
		specs, of, err := Resolve(c.names)
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.suite, of)
		var found []string
		for _, s := range specs {
			found = append(found, s.Name)
		}
		require.Equal(t, c.want, found)
	}
}

func TestResolveDistinct(t *testing.T) {
	specs, err := ResolveDistinct([]string{"soak", "gate"}, []string{"fleet.devices=40", "seed=7"})
	require.NoError(t, err)
	require.Len(t, specs, 4, "gate is a suite of three")
	for _, s := range specs {
		require.Equal(t, 40, s.Fleet.Devices, s.Name)
		require.EqualValues(t, 7, s.Seed)
	}
	_, err = ResolveDistinct([]string{"soak", "soak"}, nil)
	require.EqualError(t, err, "scenario soak: is named twice")
	_, err = ResolveDistinct([]string{"soak"}, []string{"fleet.devices=0", "load.workers=-1"})
	require.ErrorContains(t, err, "fleet.devices: 0: want")
	require.ErrorContains(t, err, "load.workers: -1: want", "every mistake is reported")
}

func TestNames(t *testing.T) {
	all, err := Names([]string{"of-old", "soak", "integration"})
	require.NoError(t, err)
	require.Equal(t, []string{"of-old", "soak", "single-device"}, all[:3])
	_, err = Names([]string{"./gone.yaml"})
	require.ErrorContains(t, err, "gone.yaml")
}
