package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// profiling takes the profiles of a repetition while its load runs. A nil profiling takes none.
type profiling struct {
	capture *capture.Capture
	fleet   func(operations int64) error // ends the profiling of the fleet; nil if the fleet isn't profiled
	slow    *slowTraces                  // nil if no traces are taken
	notes   []string                     // sentences for the reader of the run

	// remote ends the profiling of the client's processes; nil if they aren't profiled. Without
	// must, a note says that their profiles are missing.
	remote func(operations int64, cpu time.Duration) error
	must   bool
}

// startProfiles begins to take the profiles of a repetition, in the run directory. If it returns no
// error, end must be called.
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
	if r.processes != nil {
		if !r.spec.Client.ServesProfiles() {
			p.notes = append(p.notes, "there are no profiles of the client: "+
				"{pprof} in client.command tells each process an address to serve them at, if it can")
			return p, nil
		}
		p.remote, err = r.profileProcesses(ctx, r.dir.ProfilesDir(), repetition, capture.RemoteConfig{
			Duration: r.processes.profileTime(r.spec.Load.TotalDuration()), Labels: r.labels,
		})
		return p, err
	}
	if r.service != nil {
		if r.spec.Client.Service.Pprof == "" {
			p.notes = append(p.notes, "there are no profiles of the service: client.service.pprof says where it serves them, if it does")
			return p, nil
		}
		p.remote = r.profileService(ctx, repetition)
		return p, nil
	}
	cfg := capture.Config{Labels: r.labels, TraceDuration: target.TraceDuration}
	p.capture, err = capture.Start(ctx, r.dir.ProfilesDir(), repetition, cfg)
	if err == nil && r.spec.SlowTrace > 0 {
		p.slow, err = startSlowTraces(r.dir.ProfilesDir(), repetition, r.spec.SlowTrace.Std())
	}
	return p, err
}

// end stops the profiling and writes the profiles, labeled with the number of operations and the
// processor time that they took.
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
	if p.remote != nil {
		switch err := p.remote(operations, processor); {
		case p.must:
			errs = append(errs, err)
		case err != nil && !errors.Is(err, context.Canceled):
			p.notes = append(p.notes, "profiles of the client are missing: "+plaintext.Line(err.Error()))
		}
	}
	if p.fleet != nil {
		errs = append(errs, p.fleet(operations))
	}
	return errors.Join(errs...)
}

// addProfilingCost adds a repetition to run.json's figures on the cost of profiling: the processor
// time of an operation in profiled repetitions, compared with that in timed ones.
func (j *journal) addProfilingCost(rep Repetition, spec scenarios.Spec, m *measured) {
	operations := m.Succeeded + m.Failed
	// A search's timed repetition tries many rates, and its profiled one only the lowest.
	if spec.Load.Model == scenarios.Breakpoint || operations == 0 || m.cpu() == 0 {
		return
	}
	if j.cpuPerOp == nil {
		j.cpuPerOp = map[Phase][]float64{}
	}
	j.cpuPerOp[rep.Phase] = append(j.cpuPerOp[rep.Phase], float64(m.cpu())/float64(operations))
	timed, profiled := j.cpuPerOp[Timed], j.cpuPerOp[Profiled]
	if len(timed) > 0 && len(profiled) > 0 {
		j.run.Harness.Profiling = results.NewProfiling(timed, profiled)
	}
}

// profileTarget begins to profile the fleet's process, if the options ask for it. stop ends the
// profiling.
func (r *runner) profileTarget(ctx context.Context, repetition int) (stop func(operations int64) error, err error) {
	p, ok := r.target.(target.Profiler)
	if !ok || !r.o.Target.Profile {
		return func(int64) error { return nil }, nil
	}
	return p.StartProfile(ctx, filepath.Join(r.dir.ProfilesDir(), target.ProfilesFolder), repetition, r.labels)
}

// slowTraces records an execution trace of a repetition in memory. When an operation has taken too
// long, whether it succeeded or failed, it writes the last moments of the trace to a file. It is a
// [load.Hook].
type slowTraces struct {
	flight     *capture.FlightRecorder
	repetition int
	longest    time.Duration      // the longest time that an operation may take without a trace
	slow       chan time.Duration // response times of slow operations; while one is waiting, others are dropped
	done       chan struct{}
	writing    sync.WaitGroup

	// Only the goroutine of write uses these fields until it has ended.
	written []string // a sentence for each trace
	n       int
	failed  error
}

// startSlowTraces begins to record. If it returns no error, stop must be called.
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

// write writes a trace for each slow operation until stop is called.
func (t *slowTraces) write() {
	for {
		select {
		case took := <-t.slow:
			t.keep(took)
		case <-t.done:
			select {
			case took := <-t.slow: // an operation that ended while the last trace was written
				t.keep(took)
			default:
			}
			return
		}
	}
}

// keep writes the trace of an operation that took the given time.
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
