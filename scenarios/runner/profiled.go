package runner

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// profiling is what is taken of a profiled repetition while it lasts. Nil takes nothing.
type profiling struct {
	capture *capture.Capture
	fleet   func(operations int64) error // ends that of the fleet
	slow    *slowTraces                  // nil: none are taken
	notes   []string                     // of what the reader should know
}

// startProfiles begins to profile a repetition into the run directory. Unless it returns an error,
// end must be called.
func (r *runner) startProfiles(ctx context.Context, repetition int) (_ *profiling, err error) {
	p := &profiling{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.end(0, 0))
		}
	}()
	if p.fleet, err = r.profileTarget(ctx, repetition); err != nil {
		return nil, err
	}
	p.capture, err = capture.Start(ctx, r.dir.ProfilesDir(), repetition, capture.Config{Labels: r.labels, TraceDuration: target.TraceDuration})
	if err == nil && r.spec.SlowTrace > 0 {
		p.slow, err = startSlowTraces(r.dir.ProfilesDir(), repetition, r.spec.SlowTrace.Std())
	}
	return p, err
}

// end writes what was taken of so many operations.
func (p *profiling) end(operations int64, processor time.Duration) error {
	if p == nil {
		return nil
	}
	var errs []error
	if p.slow != nil {
		errs = append(errs, p.slow.stop())
		p.notes = append(p.notes, p.slow.written...)
	}
	if p.capture != nil {
		errs = append(errs, p.capture.LabelOperations(operations, processor))
		files, err := p.capture.Stop()
		errs = append(errs, err)
		for _, f := range files {
			if f.Kind == profiles.CPU && f.Samples == 0 {
				p.notes = append(p.notes, filepath.Base(f.Path)+" holds no samples: so short a repetition takes less of the processor than 100 Hz show")
			}
		}
	}
	if p.fleet != nil {
		errs = append(errs, p.fleet(operations))
	}
	return errors.Join(errs...)
}

// addProfilingCost compares the processor time of the profiled repetitions with that of the timed ones.
func (j *journal) addProfilingCost(rep Repetition, spec scenarios.Spec, m *measured) {
	operations := m.Succeeded + m.Failed
	// A search's timed repetition is one at many rates, and its profiled one at one of them.
	if spec.Load.Model == scenarios.Breakpoint || operations == 0 || m.cost.processor == 0 {
		return
	}
	if j.perOperation == nil {
		j.perOperation = map[Phase][]float64{}
	}
	j.perOperation[rep.Phase] = append(j.perOperation[rep.Phase], float64(m.cost.processor)/float64(operations))
	timed, profiled := j.perOperation[Timed], j.perOperation[Profiled]
	if len(timed) > 0 && len(profiled) > 0 {
		j.run.Harness.Profiling = results.NewProfiling(timed, profiled)
	}
}

// profileTarget has the fleet's process profiled, if that is asked for. stop ends it.
func (r *runner) profileTarget(ctx context.Context, repetition int) (stop func(operations int64) error, err error) {
	p, ok := r.target.(target.Profiler)
	if !ok || !r.o.Target.Profile {
		return func(int64) error { return nil }, nil
	}
	return p.StartProfile(ctx, filepath.Join(r.dir.ProfilesDir(), target.ProfilesFolder), repetition, r.labels)
}
