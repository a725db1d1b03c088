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
	cfg := capture.Config{Labels: r.labels, TraceDuration: target.TraceDuration}
	p.capture, err = capture.Start(ctx, r.dir.ProfilesDir(), repetition, cfg)
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
				p.notes = append(p.notes, filepath.Base(f.Path)+
					" holds no samples: so short a repetition takes less of the processor than 100 Hz show")
			}
		}
	}
	if p.fleet != nil {
		errs = append(errs, p.fleet(operations))
	}
	return errors.Join(errs...)
}

// addProfilingCost compares the processor time of the profiled repetitions with that of the timed
// ones.
func (j *journal) addProfilingCost(rep Repetition, spec scenarios.Spec, m *measured) {
	operations := m.Succeeded + m.Failed
	// A search's timed repetition is one at many rates, and its profiled one at one of them.
	if spec.Load.Model == scenarios.Breakpoint || operations == 0 || m.usage.cpu == 0 {
		return
	}
	if j.cpuPerOp == nil {
		j.cpuPerOp = map[Phase][]float64{}
	}
	j.cpuPerOp[rep.Phase] = append(j.cpuPerOp[rep.Phase], float64(m.usage.cpu)/float64(operations))
	timed, profiled := j.cpuPerOp[Timed], j.cpuPerOp[Profiled]
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

// slowTraces records the moments of a repetition, and writes down those before an operation that
// took longer than it may, however it ended. It is a [load.Hook].
type slowTraces struct {
	flight     *capture.FlightRecorder
	repetition int
	longest    time.Duration
	slow       chan time.Duration // operations that took longer; what isn't taken at once is left out
	done       chan struct{}
	writing    sync.WaitGroup

	// Of the goroutine that writes, until it has ended.
	written []string // a sentence for each trace
	n       int
	failed  error
}

// startSlowTraces begins to record. stop must be called.
func startSlowTraces(dir string, repetition int, longest time.Duration) (*slowTraces, error) {
	flight, err := capture.StartFlightRecorder(dir)
	if err != nil {
		return nil, err
	}
	t := &slowTraces{
		flight: flight, repetition: repetition, longest: longest,
		slow: make(chan time.Duration, 1), done: make(chan struct{}),
	}
	t.writing.Go(t.write)
	return t, nil
}

// Operation implements [load.Hook].
func (t *slowTraces) Operation(_, response time.Duration, _ bool) {
	if response <= t.longest {
		return
	}
	select {
	case t.slow <- response:
	default:
	}
}

func (t *slowTraces) write() {
	for {
		select {
		case took := <-t.slow:
			t.keep(took)
		case <-t.done:
			select {
			case took := <-t.slow: // while the last one was written
				t.keep(took)
			default:
			}
			return
		}
	}
}

func (t *slowTraces) keep(took time.Duration) {
	t.n++
	name := fmt.Sprintf("slow.%d.%d", t.repetition, t.n)
	kept, err := t.flight.Dump(name)
	if err != nil {
		t.failed = err
	}
	if kept {
		t.written = append(t.written, fmt.Sprintf(
			"an operation took %v, more than slow_trace: profiles/%s.out is a trace of the moments before",
			took.Round(time.Microsecond), name))
	}
}

// stop ends the recording, and returns the error of the last trace that could not be written.
func (t *slowTraces) stop() error {
	close(t.done)
	t.writing.Wait()
	t.flight.Stop()
	return t.failed
}
