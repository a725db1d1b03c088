package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// profiling is what is taken of a profiled repetition while it lasts. Nil takes nothing.
type profiling struct {
	capture *capture.Capture
	fleet   func(operations int64) error // ends that of the fleet
	flight  func() error                 // ends the flight recorder's
	slow    load.Hook                    // tells of slow operations; nil: nobody is told
	note    func(string)                 // of what the reader should know
}

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

// profile begins to, in a repetition that is to be profiled. end must be called.
func (r *runner) profile(ctx context.Context, step Step) (_ *profiling, err error) {
	if step.Kind != Profiled {
		return nil, nil
	}
	if t := r.into; t != nil {
		running, err := capture.Start(ctx, t.Dir, t.Number, t.Config)
		return &profiling{capture: running, note: r.note}, err
	}
	p := &profiling{note: r.note}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.end(0, 0))
		}
	}()
	if p.fleet, err = r.profileTarget(ctx, step.Number); err != nil {
		return nil, err
	}
	p.capture, err = capture.Start(ctx, r.dir.ProfilesDir(), step.Number, capture.Config{Labels: r.labels(), TraceDuration: target.TraceDuration})
	if err == nil && r.spec.SlowTrace > 0 {
		p.slow, p.flight, err = r.fly(step.Number)
	}
	return p, err
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
		errs = append(errs, p.capture.LabelOperations(operations, processor))
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
	operations := m.Succeeded + m.Failed
	// A search's timed repetition is one at many rates, and its profiled one at one of them.
	if r.spec.Load.Model == scenarios.Breakpoint || operations == 0 || m.cost.processor == 0 {
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

// fly records the moments of a repetition, and writes down those before an operation that took longer
// than the scenario says. landed ends it.
func (r *runner) fly(repetition int) (hook load.Hook, landed func() error, err error) {
	flight, err := capture.StartFlightRecorder(r.dir.ProfilesDir())
	if err != nil {
		return nil, nil, err
	}
	slow := make(chan time.Duration, 1)
	var writing sync.WaitGroup
	var written []string // what is said of each trace
	var failed error
	done := make(chan struct{})
	n := 0
	keep := func(took time.Duration) {
		n++
		name := fmt.Sprintf("slow.%d.%d", repetition, n)
		kept, err := flight.Dump(name)
		if err != nil {
			failed = err
		}
		if kept {
			written = append(written, fmt.Sprintf("an operation took %v, more than slow_trace: profiles/%s.out is a trace of the moments before", took.Round(time.Microsecond), name))
		}
	}
	writing.Go(func() {
		for {
			select {
			case took := <-slow:
				keep(took)
			case <-done:
				select {
				case took := <-slow: // while the last one was written
					keep(took)
				default:
				}
				return
			}
		}
	})
	return slowHook{r.spec.SlowTrace.Std(), slow}, func() error {
		close(done)
		writing.Wait()
		flight.Stop()
		for _, text := range written {
			r.note(text)
		}
		return failed
	}, nil
}

// slowHook tells of operations that took longer than they may, however they ended.
type slowHook struct {
	most time.Duration
	slow chan<- time.Duration // what is not taken at once is left untold
}

func (h slowHook) Operation(_, response time.Duration, _ bool) {
	if response <= h.most {
		return
	}
	select {
	case h.slow <- response:
	default:
	}
}

// profileTarget has the fleet's process profiled, if that is asked for. stop ends it.
func (r *runner) profileTarget(ctx context.Context, repetition int) (stop func(operations int64) error, err error) {
	p, ok := r.target.(target.Profiler)
	if !ok || !r.o.Target.Profile {
		return func(int64) error { return nil }, nil
	}
	return p.StartProfile(ctx, filepath.Join(r.dir.ProfilesDir(), target.ProfilesFolder), repetition, r.labels())
}
