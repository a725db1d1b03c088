package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// repetition runs the load once, reconciles, and writes down what it came to. One
// that the context breaks off is no sample; see keepPartial.
func (r *runner) repetition(ctx context.Context, step Step) error {
	if err := r.runReference(ctx, step); err != nil {
		return err
	}
	var m *measured
	var err error
	switch spec := r.spec.Load; {
	case spec.Model == scenarios.Breakpoint && step.Kind == Timed:
		m, err = r.breakpoint(ctx, step)
	case spec.Model == scenarios.Breakpoint: // a search is neither warmed up by another one, nor what a profile is wanted of
		step.Duration = spec.Breakpoint.WithDefaults().TrialDuration.Std()
		m, err = r.attempt(ctx, step, atRate(spec, float64(spec.Rate)))
	default:
		m, err = r.attempt(ctx, step, spec)
	}
	if err != nil {
		return err
	}
	if err := r.runReference(ctx, step); err != nil {
		return err
	}
	r.costOfProfiling(step, m)
	return r.write(step, m)
}

// attempt runs a load once, from a clean slate, and reconciles.
func (r *runner) attempt(ctx context.Context, step Step, spec scenarios.LoadSpec) (*measured, error) {
	r.step = step
	u, err := r.update(step.Kind, step.Number)
	if err != nil {
		return nil, err
	}
	// Each repetition has a client of its own: no connection, and no place in the
	// jitter's sequence, is left from the last.
	cfg, dialer := r.clientConfig(), &dialer{}
	cfg.Random, cfg.Dial = rand.NewPCG(r.spec.Seed, uint64(step.Number)), dialer.dial
	var client *delivery.Client
	health.DoAsClient(ctx, func(context.Context) { client, err = delivery.New(cfg) })
	if err != nil {
		return nil, err
	}
	driven := r.around(production{client})
	defer func() { _ = driven.Close() }()
	r.client.Store(client)
	before, err := r.ready(ctx, client, dialer, u, spec)
	if err != nil {
		return nil, err
	}
	d := r.newDrive(step, spec, driven, u)
	r.claims.added = 0
	if spec.Operation != scenarios.Verify { // of which it makes nothing worse
		r.claims.added = uint64(r.addedVerifications)
	}
	if spec.Model == scenarios.Rollout {
		for _, sentence := range smallWaves(spec.Rollout, r.target.Devices().Len()) {
			r.note(sentence)
		}
	}
	step.Planned = d.expect.Operations
	r.watcher.Begin(step)
	m, err := r.measure(ctx, client, d, step)
	m.refused = dialer.refused()
	end := d.live(&load.LatencyWindow{}, m.Elapsed)
	end.P50, end.P99 = m.percentiles(spec.Operation)
	end.Plan, end.DoneInPlan = m.plannedFor(), m.Operations.SucceededInPlan
	r.forgive()
	r.watcher.End(step, end)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		r.keepPartial(ctx, step, m, u)
		return nil, ctx.Err()
	}
	if err := r.witnessed(ctx, step, m, u, before); err != nil {
		return nil, err
	}
	if m.Stopped != nil {
		r.note(m.Stopped.Error())
	}
	if step.Kind == Timed {
		r.checkOutcome(m)
		r.checkHarness(m, spec)
	}
	return m, nil
}

// around returns the client with what [Options] put around it.
func (r *runner) around(c load.Client) load.Client {
	if r.o.wrap != nil {
		c = r.o.wrap(c)
	}
	return c
}

// seedOf is that of what a repetition draws. Each draws its own: ten times the same arrivals would
// be one sample.
func (r *runner) seedOf(step Step) uint64 {
	stream := uint64(step.Number) << 2
	switch step.Kind {
	case WarmUp:
		stream++
	case Profiled:
		stream += 2
	}
	return rand.NewPCG(r.spec.Seed, stream).Uint64()
}

// runReference takes a block of the reference benchmark, before and after a timed repetition.
func (r *runner) runReference(ctx context.Context, step Step) error {
	if step.Kind != Timed {
		return nil
	}
	ns, err := health.ReferenceBenchmark(ctx)
	if err != nil {
		return err
	}
	r.reference = append(r.reference, ns)
	r.run.Harness.ReferenceSpeed = results.NewReferenceSpeed(r.reference)
	return nil
}

// ready makes a clean slate, of the devices, the counters and the heap, and primes
// what the load takes for granted. It gives how everything stood then.
func (r *runner) ready(ctx context.Context, client *delivery.Client, dialer *dialer, u *delivery.Update, spec scenarios.LoadSpec) (snapshot, error) {
	if w := r.target.Witness(); w != nil {
		if err := w.Reset(ctx); err != nil {
			return snapshot{}, fmt.Errorf("resetting the fleet: %w", err)
		}
	}
	r.claims.reset()
	r.recording.Reset()
	r.excerpts = nil
	if err := r.prime(ctx, client, dialer, u, spec); err != nil {
		return snapshot{}, fmt.Errorf("priming: %w", err)
	}
	before, err := r.takeSnapshot(ctx)
	osinfo.ResetPeakResident()
	return before, err
}

// measure runs the load, with the watcher told and, in a profiled repetition, the profiles taken.
func (r *runner) measure(ctx context.Context, client load.StatsReporter, d *drive, step Step) (*measured, error) {
	m := &measured{bytes: r.artifact.Size()}
	profiled, err := r.profile(ctx, step)
	if err != nil {
		return m, fmt.Errorf("profiling: %w", err)
	}
	if profiled != nil && profiled.slow != nil {
		d.env.Hook = func() load.Hook { return profiled.slow }
	}
	told := r.tell(d, step)
	var traffic delivery.Stats
	var begin gauge
	d.env.OnReady = func() { m.started, traffic, begin = time.Now(), client.Stats(), readGauge() }
	health.DoAsClient(ctx, func(ctx context.Context) { m.Result, err = d.run(ctx) })
	if err != nil {
		told()
		return m, errors.Join(fmt.Errorf("rolling out: %w", err), profiled.end(0, 0))
	}
	m.cost = begin.cost(readGauge())
	m.traffic = difference(client.Stats(), traffic)
	told()
	m.Totals = r.recording.Totals()
	m.rollout = results.Rollout{Stopped: m.Stopped != nil, Waves: d.waves.rows()}
	m.latencies, m.lateness = r.recording.Merge()
	m.failedP99 = r.recording.Failures.P99()
	m.descriptors, m.ports = osinfo.OpenDescriptors(), (*results.LocalPorts)(osinfo.ReadLocalPorts("/"))
	if err := profiled.end(m.Succeeded+m.Failed, m.cost.processor); err != nil {
		return m, fmt.Errorf("profiling: %w", err)
	}
	return m, nil
}

// tell keeps the watcher informed until the function that it gives is called.
func (r *runner) tell(d *drive, step Step) (stop func()) {
	started, window := time.Now(), &load.LatencyWindow{}
	return everyNowAndThen(func() { r.watcher.Progress(step, d.live(window, time.Since(started))) })
}

// witnessed compares the client's claims with the fleet's, and asks how the fleet was.
// A contradiction counts in every repetition; how busy the fleet was, in those whose
// times are recorded.
func (r *runner) witnessed(ctx context.Context, step Step, m *measured, u *delivery.Update, before snapshot) error {
	w := r.target.Witness()
	if w == nil {
		m.counts = r.claims.count()
		return nil
	}
	// Asked before the ledger is read, which costs the fleet something too.
	after, err := r.takeSnapshot(ctx)
	if err != nil {
		return err
	}
	if step.Kind == Timed {
		alone := new(health.Interference).Add(before.machine, after.machine) // of this repetition
		m.disturbed = alone.Exceeds()
		fleet, findings := health.CheckFleet(before.fleet, after.fleet, r.target.Kind() == target.InProcess, m.disturbed)
		fleet.Saturated = fleet.Saturated && r.probe == nil // in a search only that rate is too high
		r.run.Fleet = health.WorstFleet(r.run.Fleet, fleet)
		r.doubt(findings)
		r.run.Harness.Interference = r.interference.Add(before.machine, after.machine)
	}
	if after.fleet.Generation != before.fleet.Generation {
		r.invalid(health.Finding{Kind: health.FleetReset, Detail: "the fleet was reset while a repetition was under way: its ledger is of a part of it; have it driven by one run at a time"})
		m.counts = r.claims.count()
		return nil
	}
	counts, contradictions, err := r.claims.reconcile(ctx, r.seen(r.claims.sincePrimed(w.Ledger(ctx))), u, r.spec.Load.Operation)
	if err != nil {
		return err
	}
	m.counts = counts
	if len(contradictions) > 0 {
		r.invalid(health.Finding{Kind: health.Contradiction, Detail: strings.Join(contradictions, "; ")})
	}
	return nil
}

// A snapshot is the state of the fleet and the machine at one moment.
type snapshot struct {
	fleet   mockfleet.Status
	machine *health.MachineCPU // nil if unknown
}

// takeSnapshot asks the fleet, if it can be asked, and looks at the machine.
func (r *runner) takeSnapshot(ctx context.Context) (s snapshot, err error) {
	if w := r.target.Witness(); w != nil {
		if s.fleet, err = w.Status(ctx); err != nil {
			return s, fmt.Errorf("asking the fleet: %w", err)
		}
	}
	own, ours := osinfo.ProcessorTime(), []int{os.Getpid()}
	switch r.target.Kind() {
	case target.InProcess:
	case target.OwnProcess:
		own += seconds(s.fleet.CPUSeconds)
		ours = append(ours, r.target.Pid())
	default:
		return s, nil // its processor time, if it is on this machine, can't be told from that of others
	}
	s.machine = health.ReadMachineCPU(ctx, own, ours...)
	return s, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// seen passes the ledger on, and keeps what it says of the devices of the sampled failures.
func (r *runner) seen(ledger iter.Seq2[mockfleet.Entry, error]) iter.Seq2[mockfleet.Entry, error] {
	r.excerpts = map[int]*FleetSaw{}
	for _, f := range r.recording.Failures.Sample() {
		r.excerpts[f.Device] = nil
	}
	return func(yield func(mockfleet.Entry, error) bool) {
		for e, err := range ledger {
			if _, sampled := r.excerpts[e.Device]; sampled && err == nil {
				r.excerpts[e.Device] = newFleetSaw(e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// write puts a repetition into the run directory: all of it, or nothing.
func (r *runner) write(step Step, m *measured) error {
	if step.Kind == WarmUp {
		return nil
	}
	var records []results.Record
	var parts []rundir.Chunk
	if step.Kind == Timed {
		records = m.records(r.spec, step.Number)
		latencies, err := r.latency.interval(r.spec.Load, m)
		if err != nil {
			return err
		}
		parts = append(parts, latencies)
	}
	failed, err := r.failed(step)
	if err != nil {
		return err
	}
	if err := r.dir.AppendRepetition(records, append(parts, failed)...); err != nil {
		return err
	}
	if step.Kind == Timed {
		r.records = append(r.records, records...)
		r.run.Repetitions = step.Number
		r.run.Operations = append(r.run.Operations, results.Operations(m.Operations))
		if r.spec.Load.Model == scenarios.Rollout {
			r.run.Rollouts = append(r.run.Rollouts, m.rollout)
		}
	}
	c := &r.run.Counts
	if len(r.run.RepetitionCounts) == 0 {
		*c = m.counts
	}
	// The run's counts are those of its worst repetition.
	c.Updated = min(c.Updated, m.counts.Updated)
	c.Failed = max(c.Failed, m.counts.Failed)
	c.Lost = max(c.Lost, m.counts.Lost)
	c.AppliedTwice = max(c.AppliedTwice, m.counts.AppliedTwice)
	r.run.RepetitionCounts = append(r.run.RepetitionCounts, m.counts)
	return r.dir.WriteRun(r.run)
}

// failed is the sample of what failed in a repetition; empty where nothing did.
func (r *runner) failed(step Step) (rundir.Chunk, error) {
	number := step.Number
	if step.Kind == Profiled {
		number += r.spec.Repetitions
	}
	var lines bytes.Buffer
	err := writeFailures(&lines, number, r.recording.Failures.Sample(), r.excerpts)
	return rundir.Chunk{Name: rundir.FailuresFile, Data: lines.Bytes()}, err
}
