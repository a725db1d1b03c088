package scenarios

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
)

// profiling is what is taken of a profiled repetition while it lasts. Nil takes nothing.
type profiling struct {
	capture *profiles.Capture
	fleet   func(operations int64) error // ends that of the fleet
	flight  func() error                 // ends the flight recorder's
	note    func(string)                 // of what the reader should know
}

// traceFor is how much of a profiled repetition has its execution trace taken: some megabytes.
const traceFor = 100 * time.Millisecond

// labels are what each profile says of itself.
func (r *runner) labels() map[string]string {
	labels := map[string]string{
		"scenario": r.spec.Name, "operation": string(r.spec.Load.Operation), "transport": string(r.spec.Client.Transport),
	}
	if id := r.o.Machine.Identity; id != "" {
		labels[profiles.MachineLabel] = id
	}
	return labels
}

// profileTarget is where the profile of a block goes, which has no run directory.
type profileTarget struct {
	dir    string
	number int
	cfg    profiles.Config
}

// profile begins to, in a repetition that is to be profiled. end must be called.
func (r *runner) profile(ctx context.Context, step Step) (_ *profiling, err error) {
	if step.Kind != Profiled {
		return nil, nil
	}
	if t := r.into; t != nil {
		capture, err := profiles.Start(ctx, t.dir, t.number, t.cfg)
		return &profiling{capture: capture, note: r.note}, err
	}
	p := &profiling{note: r.note}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.end(0, 0))
		}
	}()
	if p.fleet, err = r.profileFleet(ctx, step.Number); err != nil {
		return nil, err
	}
	p.capture, err = profiles.Start(ctx, r.dir.ProfilesDir(), step.Number, profiles.Config{Labels: r.labels(), TraceFor: traceFor})
	if err == nil && r.spec.SlowTrace > 0 {
		p.flight, err = r.fly(step.Number)
	}
	return p, err
}

// label says of how many operations a profile is, and what they took of the processor.
func label(c *profiles.Capture, operations int64, processor time.Duration) error {
	return errors.Join(
		c.Label(profiles.OperationsLabel, strconv.FormatInt(operations, 10)),
		c.Label(profiles.ProcessorLabel, strconv.FormatInt(int64(processor), 10)))
}

// end writes what was taken of so many operations.
func (p *profiling) end(operations int64, processor time.Duration) error {
	if p == nil {
		return nil
	}
	var errs []error
	if p.flight != nil {
		errs = append(errs, p.flight())
	}
	if p.capture != nil {
		errs = append(errs, label(p.capture, operations, processor))
		files, err := p.capture.Stop()
		errs = append(errs, err)
		for _, f := range files {
			if f.Kind == profiles.CPU && f.Samples == 0 {
				p.note(filepath.Base(f.Path) + " holds no samples: so short a repetition takes less of the processor than 100 Hz show")
			}
		}
	}
	if p.fleet != nil {
		errs = append(errs, p.fleet(operations))
	}
	return errors.Join(errs...)
}

// costOfProfiling holds the processor time of the profiled repetitions against that of the timed ones.
func (r *runner) costOfProfiling(step Step, m *measured) {
	operations := m.done + m.failed
	// A search's timed repetition is one at many rates, and its profiled one at one of them.
	if r.spec.Load.Model == Breaking || operations == 0 || m.cost.processor == 0 {
		return
	}
	if r.perOperation == nil {
		r.perOperation = map[Kind][]float64{}
	}
	r.perOperation[step.Kind] = append(r.perOperation[step.Kind], float64(m.cost.processor)/float64(operations))
	timed, profiled := r.perOperation[Timed], r.perOperation[Profiled]
	if len(timed) > 0 && len(profiled) > 0 {
		r.run.Harness.Profiling = results.NewProfiling(timed, profiled)
	}
}
