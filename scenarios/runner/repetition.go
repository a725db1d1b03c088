package runner

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
	"github.com/fleetmark/fleetmark/scenarios/target"
	"github.com/fleetmark/fleetmark/scenarios/windows"
)

// A task is one repetition that a session has to do.
type task struct {
	Repetition
	load    scenarios.LoadSpec
	hook    func() load.Hook                          // makes hooks for the operations; may be nil
	profile func(context.Context) (*profiling, error) // begins to profile; nil if the repetition isn't profiled

	intervals *intervalLog   // writes the intervals of the load; may be nil
	windows   *windows.Judge // judges them; may be nil
}

// isTrial reports whether the repetition tries a rate for a search.
func (t task) isTrial() bool { return t.Rate > 0 }

// repeat prepares and runs a load once, and reconciles. If it returns an error, the measured is nil
// or incomplete.
func (s *Session) repeat(ctx context.Context, t task) (m *measured, err error) {
	u, err := s.update(t.Phase, t.Number)
	if err != nil {
		return nil, err
	}
	c, err := s.clients.open(ctx, t.Number)
	if err != nil {
		return nil, fmt.Errorf("making the client: %w", err)
	}
	defer func() {
		if closed := s.clients.close(c.driven); closed != nil {
			err = errors.Join(err, fmt.Errorf("closing the client: %w", closed))
		}
	}()
	s.current.Store(&c)
	before, err := s.prepare(ctx, t, c, u)
	if err != nil {
		return nil, err
	}
	d := s.newDrive(t, c.driven, u)
	t.Planned = d.task.Planned
	s.observer.Begin(t.Repetition)
	m, err = s.measure(ctx, t, c, d, before)
	before.fleet.Uptime += m.waited // as if the fleet had been observed only during the load
	m.dialErrors, m.failures = c.dialer.errors(), s.recording.Failures.Sample()
	end := d.progress(&load.LatencyWindow{}, m.Elapsed)
	end.Stage, end.Invalid = "", s.certainlyInvalid(ctx, d, c, m.Elapsed)
	end.P50, end.P99 = m.percentiles(t.load.Operation)
	end.Plan, end.DoneInPlan = m.plannedFor(), m.Operations.SucceededInPlan
	s.unopened.dropResponsive(s.claims)
	s.observer.End(t.Repetition, end)
	switch {
	case err != nil:
		return m, err
	case ctx.Err() != nil:
		m.partial = s.keepPartial(ctx, t, m, u)
		return m, ctx.Err()
	}
	stop := s.reportActivity(t.Repetition, Reconciling, nil)
	err = s.reconcile(ctx, t, m, u, before)
	if stop(); err != nil {
		return m, err
	}
	s.checkProcesses(t, m, c)
	s.service.check(m, s.target.Devices())
	if m.Stopped != nil {
		m.notes = append(m.notes, m.Stopped.Error())
	}
	if t.Phase == Timed {
		s.checkOutcome(m)
		m.checkHarness(t.load)
	}
	return m, nil
}

// repetitionSeed returns the random seed of one repetition, so that repetitions are independent
// samples.
func (s *Session) repetitionSeed(rep Repetition) uint64 {
	stream := uint64(rep.Number) << 2
	switch rep.Phase {
	case WarmUp:
		stream++
	case Profiled:
		stream += 2
	}
	return rand.NewPCG(s.spec.Seed, stream).Uint64()
}

// prepare resets the fleet, the counters and the heap before a repetition, and preconditions the
// devices and connections that the load needs. It returns the state of fleet and machine after
// that.
func (s *Session) prepare(ctx context.Context, t task, c repetitionClient, u *delivery.Update) (snapshot, error) {
	if w := s.target.Witness(); w != nil {
		stop := s.reportActivity(t.Repetition, Resetting, nil)
		err := w.Reset(ctx)
		if stop(); err != nil {
			return snapshot{}, fmt.Errorf("resetting the fleet: %w", err)
		}
	}
	s.claims.reset()
	s.recording.Reset()
	s.claims.added = 0
	if t.load.Operation != delivery.OpVerify {
		s.claims.added = uint64(s.clients.added)
	}
	if err := s.precondition(ctx, t, c, u); err != nil {
		return snapshot{}, fmt.Errorf("preconditioning: %w", err)
	}
	before, err := s.takeSnapshot(ctx)
	osinfo.ResetPeakResident()
	if p := c.pool(); p != nil {
		p.ResetPeak()
	}
	if v := c.service(); v != nil {
		v.ResetPeak()
	}
	return before, err
}

// measure runs the load of a repetition and returns what it measured. Meanwhile it reports progress
// to the observer, and takes profiles if the repetition is a profiled one.
func (s *Session) measure(
	ctx context.Context, t task, c repetitionClient, d *drive, before snapshot,
) (*measured, error) {
	m := &measured{bytes: s.artifact.Size()}
	if t.load.Model == scenarios.Rollout {
		m.notes = smallWaves(t.load.Rollout, s.target.Devices().Len())
	}
	var profiled *profiling
	var err error
	if t.profile != nil {
		if profiled, err = t.profile(ctx); err != nil {
			return m, fmt.Errorf("profiling: %w", err)
		}
		if profiled.slow != nil {
			d.env.NewHook = func() load.Hook { return profiled.slow }
		}
	}
	endProfiling := func(operations int64, processor time.Duration) error {
		if profiled != nil {
			defer s.reportActivity(t.Repetition, Profiles, nil)()
		}
		err := profiled.end(operations, processor)
		if profiled != nil {
			m.notes = append(m.notes, profiled.notes...)
		}
		return err
	}
	stop := s.reportProgress(ctx, d, c, before)
	var begin usageSnapshot
	var beginProcesses processSnapshot
	m.intervals = t.intervals
	d.env.OnInterval = s.onInterval(d, c)
	if t.windows != nil || s.isPart {
		d.env.AlignIntervals = s.spec.WindowStep()
	}
	var closed error // why the gate didn't let the load begin
	if s.gate != nil {
		d.env.Gate = func(ctx context.Context) error {
			since := time.Now()
			if closed = s.gate(ctx, d.task.Repetition); closed != nil && ctx.Err() != nil {
				closed = ctx.Err()
			}
			m.waited = time.Since(since)
			return closed
		}
	}
	d.env.OnReady = func() {
		now := time.Now()
		d.began.Store(&now)
		m.started, d.before = time.Now(), c.stats()
		if t.intervals != nil {
			t.intervals.begin(m.started, d.before)
		}
		beginProcesses = c.takeProcesses()
		begin = takeUsage()
		d.waves.begin(time.Now())
	}
	health.DoAsClient(ctx, func(ctx context.Context) { m.Result, err = d.run(ctx) })
	if closed != nil {
		stop()
		return m, errors.Join(closed, endProfiling(0, 0))
	}
	if err != nil {
		stop()
		return m, errors.Join(fmt.Errorf("rolling out: %w", err), endProfiling(0, 0))
	}
	m.usage = begin.until(takeUsage())
	m.processes, m.said = beginProcesses.until(c.takeProcesses())
	m.traffic = difference(c.stats(), d.before)
	stop()
	m.Totals = s.recording.Totals()
	if s.service != nil {
		m.service = s.service.last
	}
	m.rollout = results.Rollout{Stopped: m.Stopped != nil, Waves: d.waves.rows()}
	m.latencies, m.lateness = s.recording.Merge()
	if t.Phase == Timed {
		s.takeParts(t, m)
	}
	m.failedP99 = s.recording.Failures.P99()
	m.descriptors, m.ports = osinfo.OpenDescriptors(), (*results.LocalPorts)(osinfo.ReadLocalPorts("/"))
	if err := endProfiling(m.Succeeded+m.Failed, m.cpu()); err != nil {
		return m, fmt.Errorf("profiling: %w", err)
	}
	return m, nil
}

// onInterval returns what is to be called at the end of each interval of the load. It returns nil
// if nobody wants to know.
func (s *Session) onInterval(d *drive, c repetitionClient) func(*load.Interval) {
	log := d.task.intervals
	if _, unobserved := s.observer.(discard); unobserved && log == nil && d.task.windows == nil && s.receive == nil {
		return nil
	}
	var counted *delivery.Stats // reused; nil if the client doesn't count
	if _, ok := c.count(); ok {
		counted = &delivery.Stats{}
	}
	return func(v *load.Interval) {
		d.interval(v)
		stats, _ := c.count()
		if log != nil {
			log.add(v, stats)
		}
		if d.task.windows != nil {
			d.task.windows.Add(v)
		}
		if s.receive != nil {
			if counted != nil {
				*counted = since(stats, *d.before)
			}
			s.receive(d.task.Repetition, v, counted)
		}
	}
}

// resetInterval is how often a fleet that somebody else started is asked whether it was reset.
const resetInterval = 5 * time.Second

// reportProgress reports the load's progress to the observer until stop is called. before is the
// state of the fleet before the load.
func (s *Session) reportProgress(ctx context.Context, d *drive, c repetitionClient, before snapshot) (stop func()) {
	window := &load.LatencyWindow{}
	stopTicks := everyInterval(func() {
		began := d.began.Load()
		if began == nil {
			return
		}
		v := d.progress(window, time.Since(*began))
		v.Invalid = s.certainlyInvalid(ctx, d, c, v.Elapsed)
		s.observer.Progress(d.task.Repetition, v)
	})
	w := s.target.Witness()
	if w == nil || s.target.Kind() != target.Remote { // nobody else can reset the fleet
		return stopTicks
	}
	watched, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { d.watchForReset(watched, w, before.fleet.Generation, resetInterval) })
	return func() {
		stopTicks()
		cancel()
		watching.Wait()
	}
}

// reconcile compares the client's claims with the fleet's ledger, and asks how busy the fleet was.
// A contradiction makes the run invalid in a repetition of any phase; a busy fleet does so only in
// a timed one.
func (s *Session) reconcile(ctx context.Context, t task, m *measured, u *delivery.Update, before snapshot) error {
	w := s.target.Witness()
	if w == nil {
		m.setCounts(s.claims.count())
		return nil
	}
	// Take the snapshot before reading the ledger, which keeps the fleet busy, too.
	after, err := s.takeSnapshot(ctx)
	if err != nil {
		return err
	}
	if said := m.traffic; said == nil || s.isForeign {
		m.traffic = fleetTraffic(before.fleet, after.fleet)
		if said != nil && t.Phase == Timed && t.Number == 1 {
			m.notes = append(m.notes, fmt.Sprintf(
				"the client says that it sent %s requests, and sent and received %s bytes; the devices counted %s and %s",
				plaintext.Thousands(said.Requests), plaintext.Thousands(said.BytesWritten+said.BytesRead),
				plaintext.Thousands(m.traffic.Requests), plaintext.Thousands(m.traffic.BytesWritten+m.traffic.BytesRead)))
		}
	}
	if t.Phase == Timed {
		m.checkFleet(before, after, s.target.Kind() == target.InProcess)
	}
	if after.fleet.Generation != before.fleet.Generation {
		m.findings = append(m.findings, health.Finding{Kind: health.FleetReset,
			Detail: "the fleet was reset while a repetition was under way: its ledger is of a part of it; " +
				"have it driven by one run at a time"})
		m.setCounts(s.claims.count())
		return nil
	}
	ledger := m.annotateFailures(s.claims.minusOffset(w.Ledger(ctx)))
	counts, contradictions, err := s.compare(ctx, m, ledger, u)
	if err != nil {
		return err
	}
	m.setCounts(counts)
	if len(contradictions) > 0 {
		m.findings = append(m.findings, health.Finding{
			Kind: health.Contradiction, Detail: strings.Join(contradictions, "; "),
		})
	}
	return nil
}

// fleetTraffic returns what the devices counted between two readings of their status, as if the
// client had counted it.
func fleetTraffic(before, after mockfleet.Status) *delivery.Stats {
	return &delivery.Stats{
		Requests: after.Requests - before.Requests, Dials: after.ConnectionsTotal - before.ConnectionsTotal,
		BytesWritten: after.BytesIn - before.BytesIn, BytesRead: after.BytesOut - before.BytesOut,
	}
}

// annotateFailures passes the ledger on, and keeps what it says about the devices of the sampled
// failures.
func (m *measured) annotateFailures(entries iter.Seq2[ledger.Entry, error]) iter.Seq2[ledger.Entry, error] {
	m.excerpts = map[int]*portion.LedgerExcerpt{}
	for _, f := range m.failures {
		m.excerpts[f.Device] = nil
	}
	return func(yield func(ledger.Entry, error) bool) {
		for e, err := range entries {
			if _, sampled := m.excerpts[e.Device]; sampled && err == nil {
				m.excerpts[e.Device] = newLedgerExcerpt(e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// A snapshot is the state of the fleet and the machine at one moment.
type snapshot struct {
	fleet   mockfleet.Status
	machine *health.MachineCPU // nil if unknown
}

// takeSnapshot asks the fleet for its status, if it can be asked, and reads the machine's processor
// time.
func (s *Session) takeSnapshot(ctx context.Context) (now snapshot, err error) {
	if w := s.target.Witness(); w != nil {
		if now.fleet, err = w.Status(ctx); err != nil {
			return now, fmt.Errorf("asking the fleet: %w", err)
		}
	}
	own, ours := osinfo.ProcessorTime(), []int{os.Getpid()}
	if c := s.current.Load(); c != nil {
		used := c.takeProcesses().usage
		if c.service() != nil && !used.Known { // the service may be one of this machine's other processes
			return now, nil
		}
		own, ours = own+used.CPU, append(ours, used.Processes...)
	}
	switch s.target.Kind() {
	case target.InProcess:
	case target.OwnProcess:
		own += seconds(now.fleet.CPUSeconds)
		ours = append(ours, s.target.Pid())
	default:
		return now, nil // the fleet may be one of this machine's other processes
	}
	now.machine = health.ReadMachineCPU(ctx, own, ours...)
	return now, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
