package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

func small() scenarios.Spec {
	s := scenarios.Default()
	s.Name = "small"
	s.Fleet.Devices = 40
	s.Artifact.Size = 3000
	s.Load.Workers = 4
	s.Repetitions, s.Warmup, s.Profiled = 2, 1, 1
	return s
}

func options(t *testing.T, s scenarios.Spec) Options {
	machine, err := results.ThisMachine(t.Context())
	require.NoError(t, err)
	return Options{Machine: machine, Spec: s, Target: target.Options{Address: target.InProcess, Stderr: os.Stderr},
		Out: filepath.Join(t.TempDir(), "runs"), Command: "fleetmark run small", Revision: "r1"}
}

func TestRun(t *testing.T) {
	for _, kind := range []string{target.InProcess, target.OwnProcess} {
		for _, transport := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
			t.Run(kind+" "+string(transport), func(t *testing.T) {
				s := small()
				s.Client.Transport = transport
				o := options(t, s)
				o.Target.Address, o.Target.Command = kind, fleetCommand(t)
				watch := &steps{}
				o.Observer = watch
				res, err := Run(t.Context(), o)
				require.NoError(t, err)

				require.Equal(t, []string{"warm-up 1/1 40", "timed 1/2 40", "timed 2/2 40", "profiled 1/1 40"}, watch.ended)
				run, err := rundir.Load(res.Directory)
				require.NoError(t, err)
				require.Empty(t, run.Warnings)
				require.Equal(t, results.StatusFinished, run.Status)
				require.True(t, run.Valid, "%v", run.Invalid)
				require.Equal(t, 2, run.Repetitions)
				whole := results.Counts{Devices: 40, Updated: 40}
				require.Equal(t, whole, run.Counts)
				require.Equal(t, []results.Counts{whole, whole, whole}, run.RepetitionCounts)
				require.False(t, run.Unconfirmed)
				require.Equal(t, "r1", run.Revision)
				require.Len(t, run.Records, 6)
				for _, r := range run.Records {
					require.EqualValues(t, 40, r.Ops)
				}
				deliver := run.Records[2]
				require.Equal(t, "deliver", deliver.Op)
				for unit, want := range map[string]float64{"requests/device": 2, "retries/device": 0, "failed/device": 0} {
					v, ok := deliver.Value(unit)
					require.True(t, ok, unit)
					require.Equal(t, want, v, unit)
				}
				wire, _ := deliver.Value("wire-B/device")
				require.Greater(t, wire, 3000.0)
				require.Less(t, wire, 5000.0)

				for _, k := range profiles.Kinds() {
					_, err := profiles.Load(filepath.Join(res.Directory, "profiles", fmt.Sprintf("%s.1.pb.gz", k)))
					require.NoError(t, err, k)
				}
				requireIntervals(t, res.Directory)
				entries, err := os.ReadDir(res.Directory)
				require.NoError(t, err)
				for _, e := range entries {
					require.NotContains(t, e.Name(), rundir.FailuresFile, "there were none")
					require.NotContains(t, e.Name(), "tmp")
				}
			})
		}
	}
}

// TestADirectoryThatCantBeFilledIsRemoved checks that a run directory is removed if its files can't
// be written, and that the error gives one reason.
func TestADirectoryThatCantBeFilledIsRemoved(t *testing.T) {
	o := options(t, small())
	dir, err := rundir.Create(o.Out, "small", time.Now(), "1a2b3c")
	require.NoError(t, err)
	run := results.Run{Scenario: "small", Machine: o.Machine}
	require.NoError(t, dir.WriteRun(run))
	require.NoError(t, os.Mkdir(filepath.Join(dir.Path(), rundir.LatencyFile), 0o700))
	_, err = newJournal(dir, run)
	require.ErrorContains(t, err, rundir.LatencyFile)
	require.NotContains(t, err.Error(), "\n")
	require.NoDirExists(t, dir.Path())
}

// steps is an observer that records what it is told.
type steps struct{ ended, prepared []string }

func (s *steps) Begin(Repetition)              {}
func (s *steps) Progress(Repetition, Progress) {}
func (s *steps) Doing(_ Repetition, a Activity) {
	s.prepared = append(s.prepared, fmt.Sprintf("%s %d/%d", a.Stage, a.Done, a.Of))
}
func (s *steps) End(p Repetition, v Progress) {
	s.ended = append(s.ended, fmt.Sprintf("%s %d/%d %d", p.Phase, p.Number, p.Total, v.Done))
}

func TestRunOtherOperationsAndModels(t *testing.T) {
	for name, change := range map[string]func(*scenarios.Spec){
		"verify": func(s *scenarios.Spec) { s.Load.Operation = delivery.OpVerify },
		"push for a time": func(s *scenarios.Spec) {
			s.Load.Operation, s.Load.Duration = delivery.OpPush, scenarios.Duration(100*time.Millisecond)
		},
		"verify for a time": func(s *scenarios.Spec) {
			s.Load.Operation, s.Load.Duration = delivery.OpVerify, scenarios.Duration(100*time.Millisecond)
		},
		"verify for less than a round": func(s *scenarios.Spec) {
			// Within a millisecond a busy machine may begin no operation.
			s.Fleet.Devices, s.Load.Operation, s.Load.Duration = 4000, delivery.OpVerify, scenarios.Duration(20*time.Millisecond)
		},
		"deliver by more workers than devices": func(s *scenarios.Spec) {
			s.Fleet.Devices, s.Load.Workers, s.Load.Duration = 1, 16, scenarios.Duration(100*time.Millisecond)
			s.Artifact.Size, s.Client.MaxAttempts = 256<<10, 20
		},
		"constant, answers slower than the plan": func(s *scenarios.Spec) {
			s.Load.Model, s.Load.Rate, s.Load.Workers = scenarios.ConstantRate, 400, 40
			s.Fleet.Behavior.Latency = must(random.Fixed(300 * time.Millisecond))
		},
		"deliver for a time": func(s *scenarios.Spec) { s.Load.Duration = scenarios.Duration(100 * time.Millisecond) },
		"constant once":      func(s *scenarios.Spec) { s.Load.Model, s.Load.Rate = scenarios.ConstantRate, 400 },
		"constant for a time": func(s *scenarios.Spec) {
			s.Load.Model, s.Load.Rate, s.Load.Duration = scenarios.ConstantRate, 400, scenarios.Duration(200*time.Millisecond)
		},
		"a device each path":   func(s *scenarios.Spec) { s.Fleet.Addressing = address.Path },
		"a device each port":   func(s *scenarios.Spec) { s.Fleet.Addressing = address.Port },
		"a large artifact":     func(s *scenarios.Spec) { s.Artifact.Size = maxInMemory + 1; s.Fleet.Devices = 3 },
		"a version of its own": func(s *scenarios.Spec) { s.Artifact.Version = "9.9.9" },
	} {
		t.Run(name, func(t *testing.T) {
			s := small()
			s.Warmup, s.Profiled = 0, 0
			change(&s)
			res, err := Run(t.Context(), options(t, s))
			require.NoError(t, err)
			for _, reason := range res.Run.Invalid {
				require.Contains(t, reason, "behind schedule", "only this may happen on a busy machine")
				require.Greater(t, res.Run.Harness.LatenessP99NS, int64(load.AllowedLag(load.ConstantRate(1), 0)),
					"the reason is given only if it applies")
			}
			want := results.Counts{Devices: s.Fleet.Devices, Updated: s.Fleet.Devices}
			if s.Load.Duration > 0 { // how many operations there are depends on the machine
				want.Updated = res.Run.Counts.Updated
				require.Positive(t, want.Updated)
			}
			require.Equal(t, want, res.Run.Counts)
			require.Len(t, res.Records, 2*len(s.Load.Operations()))
		})
	}
}

func TestRunWithFailures(t *testing.T) {
	s := small()
	s.Fleet.Behavior = behavior.Behavior{FailFirst: 2, FailStatus: 503}
	s.Client.RetryBase, s.Client.RetryCap = scenarios.Duration(time.Millisecond), scenarios.Duration(2*time.Millisecond)
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.Equal(t, results.Counts{Devices: 40, Updated: 40}, res.Run.Counts)
	retries, _ := res.Records[2].Value("retries/device")
	require.Equal(t, 2.0, retries)

	s.Client.MaxAttempts = 2 // one attempt too few
	res, err = Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.Equal(t, results.Counts{Devices: 40, Failed: 40}, res.Run.Counts)
	require.False(t, res.Run.Valid)
	require.Contains(t, res.Run.Invalid[0],
		"no operation succeeded: 40 started, 0 succeeded, 40 failed, by class 40 throttled")
	lines, err := os.ReadFile(filepath.Join(res.Directory, rundir.FailuresFile))
	require.NoError(t, err)
	first, _, _ := bytes.Cut(lines, []byte("\n"))
	var f Failure
	require.NoError(t, json.Unmarshal(first, &f))
	require.Equal(t, 1, f.Repetition)
	require.Equal(t, "throttled", f.Class)
	require.Equal(t, 503, f.Status)
	require.Equal(t, 2, f.Attempts)
	require.EqualValues(t, 2, f.Fleet.Injected, "the fleet's own count")
	require.Equal(t, 3*20, bytes.Count(lines, []byte("\n")), "a bounded sample of two timed and one profiled repetition")
}

// TestFailuresTellTheFault checks that a sampled failure names the fault that the device was told
// to have.
func TestFailuresTellTheFault(t *testing.T) {
	s := small()
	s.Fleet.Behavior.Faults = []fault.Fault{{Kind: "status-422"}}
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	lines, err := os.ReadFile(filepath.Join(res.Directory, rundir.FailuresFile))
	require.NoError(t, err)
	first, _, _ := bytes.Cut(lines, []byte("\n"))
	var f Failure
	require.NoError(t, json.Unmarshal(first, &f))
	require.Equal(t, "permanent", f.Class)
	require.Equal(t, map[string]uint32{"status-422": 1}, f.Fleet.Faults)
}

func TestRunIsTheSameFromTheSameSeed(t *testing.T) {
	digest := func(change func(*scenarios.Spec)) string {
		s := small()
		s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
		change(&s)
		res, err := Run(t.Context(), options(t, s))
		require.NoError(t, err)
		return res.Run.WorkloadDigest
	}
	same := digest(func(*scenarios.Spec) {})
	require.Equal(t, same, digest(func(s *scenarios.Spec) { s.Repetitions, s.Description, s.Name = 2, "other words", "other-name" }))
	for name, change := range map[string]func(*scenarios.Spec){
		"seed": func(s *scenarios.Spec) { s.Seed = 2 }, "devices": func(s *scenarios.Spec) { s.Fleet.Devices++ },
		"size":       func(s *scenarios.Spec) { s.Artifact.Size++ },
		"workers":    func(s *scenarios.Spec) { s.Load.Workers++ },
		"operation":  func(s *scenarios.Spec) { s.Load.Operation = delivery.OpPush },
		"transport":  func(s *scenarios.Spec) { s.Client.Transport = delivery.NetHTTP },
		"addressing": func(s *scenarios.Spec) { s.Fleet.Addressing = address.Path },
	} {
		require.NotEqual(t, same, digest(change), name)
	}
}

func TestRunARealFile(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	s := small()
	s.Fleet.Devices, s.Artifact.File = 5, program
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	fleet, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	defer fleet.Close()
	ready := fleet.Ready()
	o := options(t, s)
	o.Target.Address, o.Target.Control, o.Target.Token = ready.Address, ready.Control, ready.Token
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Counts{Devices: 5, Updated: 5}, res.Run.Counts)
	require.NoError(t, filepath.WalkDir(res.Directory, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		require.NotContains(t, string(text), ready.Token, "%s holds the control port's token", path)
		return err
	}))
	out, err := exec.Command("sha256sum", program).Output()
	require.NoError(t, err)
	want, _, _ := strings.Cut(string(out), " ")
	n := 0
	for e := range fleet.Ledger() {
		require.Equal(t, want, e.Digest)
		n++
	}
	require.Equal(t, 5, n)
}

func TestWhatCantBeginLeavesNothing(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"scenario":      func(o *Options) { o.Spec.Repetitions = 0 },
		"artifact":      func(o *Options) { o.Spec.Artifact.File = "missing" },
		"directory":     func(o *Options) { o.Spec.Artifact.File = os.TempDir() },
		"devices file":  func(o *Options) { o.Target.DeviceFile = "missing" },
		"fleet address": func(o *Options) { o.Target.Address = "http://127.0.0.1:1" },
		"fleet program": func(o *Options) { o.Target.Address, o.Target.Command = target.OwnProcess, []string{"/nonexistent"} },
		"fleet is mute": func(o *Options) { o.Target.Address, o.Target.Command = target.OwnProcess, []string{"/bin/true"} },
		"fleet is wrong": func(o *Options) {
			o.Target.Address, o.Target.Command = target.OwnProcess, []string{"/bin/echo", "hello"}
		},
		"out":         func(o *Options) { o.Out = "/proc/nowhere" },
		"descriptors": func(o *Options) { o.Spec.Load.Workers, o.Spec.Client.MaxIdle = 65536, 1<<20 },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, small())
			change(&o)
			res, err := Run(t.Context(), o)
			require.Error(t, err)
			require.Nil(t, res)
			_, err = os.Stat(o.Out)
			require.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}

func TestAFleetBehindScheduleIsInvalid(t *testing.T) {
	s := small()
	s.Fleet.Behavior.Latency = must(random.Fixed(20 * time.Millisecond))
	s.Load = scenarios.LoadSpec{Model: scenarios.ConstantRate, Operation: delivery.OpPush, Workers: 1, Rate: 200,
		Duration: scenarios.Duration(300 * time.Millisecond)}
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.False(t, res.Run.Valid)
	require.Contains(t, res.Run.Invalid[0], "behind schedule")
	require.Equal(t, results.Invalid, res.Run.Verdict)
	require.Greater(t, res.Run.Harness.LatenessP99NS, int64(100*time.Millisecond),
		"60 operations of 20 ms, planned for 5 ms each")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
