package abtest

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/scenarios"
)

// pushScenario is the scenario whose operations are pushes alone.
const pushScenario = "gate-push"

// Overhead says how taking a CPU profile changes a metric of the profiled program. A ratio of 1
// means no change.
type Overhead struct {
	Unit string `json:"unit"`
	*sequential.Ratio
}

// Percent returns the change, and the ends of its interval, in percent.
func (o Overhead) Percent() (estimate, low, high float64) {
	return 100 * (o.Estimate - 1), 100 * (o.Low - 1), 100 * (o.High - 1)
}

// An OverheadError says that the overhead of profiling couldn't be measured. Its verdict is
// results.Invalid if the measurement can't be trusted, for the reasons in Judgement. It is
// results.Inconclusive if the measurement was too short; Judgement is nil then.
type OverheadError struct {
	Verdict   results.Verdict
	Judgement *judge.Judgement
}

// Error doesn't give the reasons; see Judgement.
func (e *OverheadError) Error() string { return "the cost of profiling could not be measured" }

// MeasureOverhead measures pushes with and without a CPU profile in turns, until the budget of o is
// spent. It sets the builds and the scenario of o, and returns the ratio of processor time first.
func MeasureOverhead(ctx context.Context, o Options) ([]Overhead, error) {
	spec, err := scenarios.Find(pushScenario)
	if err != nil {
		return nil, err
	}
	o.Specs = []scenarios.Spec{spec}
	o.Builds = Builds{Base: Side{Program: o.FleetCommand[0]}, Now: Side{Program: o.FleetCommand[0]}}
	o.Injection, o.SpendBudget = Injection{CPUProfile: true}, true
	out, err := Run(ctx, o)
	if err != nil {
		return nil, err
	}
	if out.Judgement.Verdict == results.Invalid {
		return nil, &OverheadError{results.Invalid, out.Judgement}
	}
	var list []Overhead
	for _, unit := range []string{results.UnitCPU, results.UnitMean} {
		for _, row := range out.Judgement.Rows {
			if row.Ratio != nil && row.Unit.Name == unit {
				list = append(list, Overhead{row.Unit.Name, row.Ratio})
			}
		}
	}
	if len(list) == 0 {
		return nil, &OverheadError{Verdict: results.Inconclusive}
	}
	return list, nil
}

// BaselineProfiles is the directory, in the source tree, of the push profiles that belong to the
// baseline page.
const BaselineProfiles = "profiles/baseline"

// How many profiles of a push there are, and how long each is: enough to compare others with, and
// small enough to keep in the repository.
const (
	pushProfiles    = 8
	pushProfileTime = 2 * time.Second
)

// PushProfileOptions says where profiles of a push come from and go to.
type PushProfileOptions struct {
	FleetCommand []string // the program, which is also the driver, and its arguments that lead to target.Serve
	Dir          string
	Stderr       io.Writer
	Progress     func(kind profiles.Kind, done, of int) // may be nil
}

// TakePushProfiles writes profiles of a push, of processor time and of every allocation, to a
// directory. The profiles contain nothing that identifies this machine. Files of the same names are
// replaced once all profiles are taken.
func TakePushProfiles(ctx context.Context, o PushProfileOptions) (err error) {
	spec, err := scenarios.Find(pushScenario)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil { // fails now, rather than after a quarter of a minute
		return err
	}
	work, err := scratch.New("", "fleetmark-profiles")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	taken := map[string][]byte{}
	for _, k := range []struct {
		kind profiles.Kind
		each time.Duration
	}{{profiles.CPU, pushProfileTime}, {profiles.Allocs, pushProfileTime / 10}} {
		e := profileOptions{
			Builds: Builds{Base: Side{Program: o.FleetCommand[0]}}, Spec: spec, FleetCommand: o.FleetCommand,
			Dir: work.Path, Kind: k.kind, Pairs: pushProfiles, Each: k.each, Stderr: o.Stderr,
		}
		if o.Progress != nil {
			e.Progress = func(done, of int) { o.Progress(k.kind, done, of) }
		}
		if err := profileSides(ctx, e, explain.TakePairs[*driver]); err != nil {
			return err
		}
		files, err := profiles.Find(filepath.Join(work.Path, checkout.Base), k.kind)
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := profiles.CopyPortable(file, file, k.kind); err != nil {
				return err
			}
			if taken[filepath.Base(file)], err = os.ReadFile(file); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(taken)) {
		if err := atomicfile.Write(filepath.Join(o.Dir, name), taken[name]); err != nil {
			return err
		}
	}
	return nil
}
