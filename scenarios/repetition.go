package scenarios

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
)

// repetition runs the load once, reconciles, and writes down what it came to. One
// that the context breaks off is not written: half a repetition is no sample.
func (r *runner) repetition(ctx context.Context, step Step) error {
	u, err := r.update(step.Kind, step.Number)
	if err != nil {
		return err
	}
	// Each repetition has a client of its own: no connection, and no place in the
	// jitter's sequence, is left from the last.
	cfg := r.spec.Client.config()
	cfg.Random = rand.NewPCG(r.spec.Seed, uint64(step.Number))
	client, err := delivery.New(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	before, err := r.ready(ctx, client, u)
	if err != nil {
		return err
	}
	l := &load{
		spec: r.spec.Load, client: client, devices: r.fleet.devices(), update: u,
		recorders: r.recorders, claims: r.claims, failures: r.failures, pace: r.spec.Load.pacer(),
	}
	step.Planned = l.planned()
	r.watcher.Begin(step)
	m, err := r.measure(ctx, client, l, step)
	done, failed, retries := l.totals()
	r.watcher.End(step, Live{done, failed, retries, m.elapsed})
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := r.witnessed(ctx, m, u, before); err != nil {
		return err
	}
	return r.write(step, m)
}

// ready makes a clean slate: of the devices, the counters and the heap.
func (r *runner) ready(ctx context.Context, client *delivery.Client, u *delivery.Update) (mockfleet.Status, error) {
	var before mockfleet.Status
	w := r.fleet.witness()
	if w != nil {
		if err := w.reset(ctx); err != nil {
			return before, fmt.Errorf("resetting the fleet: %w", err)
		}
	}
	if r.spec.Load.Operation == Verify {
		if err := r.prime(ctx, client, u); err != nil {
			return before, err
		}
	}
	r.claims.reset()
	r.failures.reset()
	for _, rec := range r.recorders {
		rec.reset()
	}
	if w != nil {
		var err error
		if before, err = w.status(ctx); err != nil {
			return before, fmt.Errorf("asking the fleet: %w", err)
		}
	}
	runtime.GC()
	resetPeak()
	return before, nil
}

// prime brings the update to every device, so that there is something to verify.
func (r *runner) prime(ctx context.Context, client *delivery.Client, u *delivery.Update) error {
	spec := r.spec.Load
	spec.Model, spec.Operation, spec.Rate, spec.Duration = Closed, Deliver, 0, 0
	l := &load{
		spec: spec, client: client, devices: r.fleet.devices(), update: u,
		recorders: []*recorder{newRecorder(spec)}, claims: r.claims, failures: r.failures,
	}
	r.failures.reset()
	l.run(ctx)
	if _, failed, _ := l.totals(); failed > 0 && ctx.Err() == nil {
		return fmt.Errorf("readying the devices for verification: %d of %d updates failed: %v", failed, len(l.devices), r.failures.byClass())
	}
	return context.Cause(ctx)
}

// measure runs the load, with the watcher told and, in a profiled repetition, the
// profiles taken.
func (r *runner) measure(ctx context.Context, client *delivery.Client, l *load, step Step) (*measured, error) {
	m := &measured{bytes: r.artifact.Size()}
	var capture *profiles.Capture
	if step.Kind == Profiled {
		var err error
		capture, err = profiles.Start(ctx, r.dir.ProfilesDir(), step.Number, profiles.Config{Labels: map[string]string{
			"scenario": r.spec.Name, "operation": string(r.spec.Load.Operation), "transport": string(r.spec.Client.Transport),
		}})
		if err != nil {
			return m, fmt.Errorf("profiling: %w", err)
		}
	}
	told := r.tell(l, step)
	traffic, begin := client.Stats(), readGauge()
	m.elapsed = l.run(ctx)
	m.cost = begin.cost(readGauge())
	m.traffic = difference(client.Stats(), traffic)
	told()
	m.done, m.failed, m.retries = l.totals()
	m.began = l.began.Load()
	ops, late := merged(r.recorders, r.spec.Load)
	m.ops = ops
	if late != nil {
		m.lateP99 = time.Duration(late.ValueAtQuantile(99))
	}
	if capture != nil {
		if _, err := capture.Stop(); err != nil {
			return m, fmt.Errorf("profiling: %w", err)
		}
	}
	return m, nil
}

// tell keeps the watcher informed until the function that it gives is called.
func (r *runner) tell(l *load, step Step) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	started := time.Now()
	go func() {
		defer close(done)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				n, failed, retries := l.totals()
				r.watcher.Progress(step, Live{n, failed, retries, time.Since(started)})
			}
		}
	}()
	return func() { close(ended); <-done }
}

// witnessed compares the client's claims with the fleet's, and asks how the fleet was.
func (r *runner) witnessed(ctx context.Context, m *measured, u *delivery.Update, before mockfleet.Status) error {
	w := r.fleet.witness()
	if w == nil {
		m.counts = r.claims.count()
		return nil
	}
	// Asked before the ledger is read, which costs the fleet something too.
	after, err := w.status(ctx)
	if err != nil {
		return fmt.Errorf("asking the fleet: %w", err)
	}
	r.judgeFleet(before, after)
	counts, contradictions, err := r.claims.reconcile(ctx, r.seen(w.ledger(ctx)), u, r.spec.Load.Operation)
	if err != nil {
		return err
	}
	m.counts = counts
	if len(contradictions) > 0 {
		r.invalid("the fleet's ledger contradicts the client: " + strings.Join(contradictions, "; "))
	}
	return nil
}

// seen passes the ledger on and adds to the sampled failures what it says of them.
func (r *runner) seen(ledger iter.Seq2[mockfleet.Entry, error]) iter.Seq2[mockfleet.Entry, error] {
	return func(yield func(mockfleet.Entry, error) bool) {
		for e, err := range ledger {
			if err == nil {
				r.failures.saw(e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Above these the figures are the fleet's or the harness's, not the client's.
const (
	maxFleetFraction = 0.9                    // of all cores
	leastObserved    = 500 * time.Millisecond // for a share to say anything
	leastAchieved    = 0.95                   // of the planned rate
)

func (r *runner) judgeFleet(before, after mockfleet.Status) {
	h := &r.run.Fleet
	busy := time.Duration((after.CPUSeconds - before.CPUSeconds) * float64(time.Second))
	observed := after.Uptime - before.Uptime // by the fleet's own clock
	share := fraction(busy, observed)
	if r.fleet.kind() == FleetInProcess {
		share = 0 // its processor time can't be told from the driver's
	}
	h.CPUFraction = max(h.CPUFraction, share)
	h.PeakResidentBytes = max(h.PeakResidentBytes, after.PeakResidentBytes)
	saturated := func(format string, args ...any) {
		h.Saturated = true
		r.invalid("the fleet was the bottleneck: " + fmt.Sprintf(format, args...))
	}
	if share > maxFleetFraction && observed > leastObserved {
		saturated("it used over %.0f%% of all cores", 100*maxFleetFraction)
	}
	if after.AcceptErrors > before.AcceptErrors {
		saturated("it could not accept connections")
	}
	if after.ConnectionsRefused > before.ConnectionsRefused {
		saturated("it refused connections for want of room")
	}
}

// write puts a repetition into the run directory.
func (r *runner) write(step Step, m *measured) error {
	r.judgeHarness(m)
	if step.Kind == WarmUp {
		return nil
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

	if step.Kind == Timed {
		records := m.records(r.spec, step.Number)
		if err := r.dir.AppendSamples(records...); err != nil {
			return err
		}
		r.records = append(r.records, records...)
		r.run.Repetitions = step.Number
		if err := r.latency.write(r.spec.Load, m); err != nil {
			return err
		}
	}
	if err := r.writeFailures(step); err != nil {
		return err
	}
	return r.dir.WriteRun(r.run)
}

func (r *runner) writeFailures(step Step) (err error) {
	if len(r.failures.byClass()) == 0 {
		return nil
	}
	f, err := r.dir.File(results.FailuresFile)
	if err != nil {
		return err
	}
	number := step.Number
	if step.Kind == Profiled {
		number += r.spec.Repetitions
	}
	return errors.Join(r.failures.write(f, number), f.Sync())
}

func (r *runner) judgeHarness(m *measured) {
	h := &r.run.Harness
	h.CPUFraction = max(h.CPUFraction, fraction(m.cost.processor, m.elapsed))
	h.LatenessP99NS = max(h.LatenessP99NS, int64(m.lateP99))
	h.GCCPUFraction = max(h.GCCPUFraction, m.cost.gcFraction)
	h.PeakResidentBytes = max(h.PeakResidentBytes, m.cost.peakResident)
	if m.done == 0 {
		r.invalid(fmt.Sprintf("no operation succeeded: %d failed, by class %v", m.failed, r.failures.byClass()))
	}
	for _, op := range r.spec.Load.Operations() {
		if t := m.ops[op]; t.clipped > 0 {
			r.invalid(fmt.Sprintf("%d latencies of %s were over %v, more than is recorded", t.clipped, op, time.Duration(histHighest)))
		}
	}
	if r.spec.Load.Model == Constant {
		planned, achieved := float64(r.spec.Load.Rate), float64(m.began)/m.elapsed.Seconds()
		if achieved < leastAchieved*planned {
			r.invalid(fmt.Sprintf("behind schedule: %.0f/s of the planned %.0f/s, the latest 1%% of operations sent %v late or more; the %d workers were all busy",
				achieved, planned, m.lateP99.Round(time.Microsecond), r.spec.Load.Workers))
		}
	}
}
