package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
	"github.com/fleetmark/fleetmark/scenarios/target"
	"github.com/fleetmark/fleetmark/scenarios/windows"
)

// MergeOptions say what a merged run is made of.
type MergeOptions struct {
	Spec   scenarios.Spec // the whole scenario, without a shard, and valid for as many shards as there are agents
	Agents []string       // the names of the agents, in the order of their shards; at least one

	Out      string // as in [Options]
	Command  string
	Revision string
	Machine  results.Machine // of the controller

	// Client is the client that the agents drive. The zero Client means that of package delivery.
	Client results.Client
	// FleetKind is how the agents' fleets are run: a word of package target. It is part of the
	// workload's digest. Empty means [target.OwnProcess].
	FleetKind string
	// Unconfirmed says that the fleets keep no ledger.
	Unconfirmed bool

	Observer   Observer                                          // may be nil
	OnInterval func(Repetition, *load.Interval, *delivery.Stats) // as in Options, with merged intervals
	OnStart    func(results.Run)                                 // as in Options
	OnEnd      func(results.Run) (notes []string)                // as in Options

	// OnAbort, if not nil, is called once, when a threshold with abort has failed and the load can
	// still be broken off. It may call the methods of the Merging.
	OnAbort func()
}

// A Merging is a merged run that has begun. It writes a run directory like that of any other run,
// from what the agents send.
//
// Call Begin when the agents begin a repetition, Interval with each interval that an agent sends,
// and End with the portions of all. If the repetition, or the run, can't go on, call Interrupt or
// Fail instead. At the end call Result, judge what it returns, and call Finish with the verdict.
// The methods may be called concurrently.
//
// Percentiles come from histograms that were added up bucket by bucket, and rates from the
// operations of all agents and the time that all had: neither is ever averaged. What two agents
// have in common counts once if it is a peak or a state, such as resident memory, and is then that
// of the worst; the rest is added. See [portion.Shape.Merge].
type Merging struct {
	o     MergeOptions
	spec  scenarios.Spec
	shape portion.Shape
	size  int64 // of the artifact, in bytes

	mu sync.Mutex
	*journal
	windows  *windows.Judge // nil if no threshold has windows
	running  *mergedRepetition
	adder    *portion.Adder
	stopped  bool // the run was interrupted, or ended by a threshold
	failed   bool
	result   *Result      // nil before Result
	aborting bool         // a threshold asked to break the load off, and OnAbort wasn't called yet
	agents   AgentsStatus // as the last call of Report had it
}

// StartMerging begins a merged run. If it can't begin, StartMerging leaves nothing behind and
// returns an error, such as a *scenarios.OptionError for a model of load that has no shards, or the
// error of an artifact that can't be read.
func StartMerging(ctx context.Context, o MergeOptions) (_ *Merging, err error) {
	if len(o.Agents) == 0 {
		return nil, &scenarios.OptionError{Option: "Agents", Problem: "there are none", Want: "name at least one"}
	}
	switch model := o.Spec.Load.Model; model {
	case scenarios.Rollout, scenarios.Breakpoint, scenarios.Service:
		return nil, &scenarios.OptionError{
			Option: "load.model", Value: string(model), Problem: "agents can't share such a load",
			Want: "run it on one machine, or choose another model",
		}
	}
	o.Spec.Shard = scenarios.ShardSpec{}
	shared := o.Spec // may have more devices than one machine can
	shared.Shard.Count = len(o.Agents)
	if err := (Options{Spec: shared}).Validate(); err != nil {
		return nil, err
	}
	if o.Observer == nil {
		o.Observer = discard{}
	}
	if o.FleetKind == "" {
		o.FleetKind = target.OwnProcess
	}
	ours := results.Client{Name: "delivery", Package: reflect.TypeFor[delivery.Client]().PkgPath()}
	if o.Client.Package == "" {
		o.Client = ours
	}
	m := &Merging{o: o, spec: o.Spec, shape: PortionShape(o.Spec)}
	m.agents = AgentsStatus{Of: len(o.Agents), Alive: len(o.Agents)}
	a, err := openArtifact(ctx, o.Spec)
	if err != nil {
		return nil, err
	}
	m.size = a.Size()
	digest, err := workloadDigest(o.Spec, o.FleetKind, o.Spec.Fleet.Devices, a)
	if err = errors.Join(err, a.Close()); err != nil {
		return nil, err
	}
	text, err := json.Marshal(o.Spec)
	if err != nil {
		return nil, err
	}
	run := results.Run{
		ID: newRunID(), Scenario: o.Spec.Name, Spec: text, WorkloadDigest: digest,
		Command: o.Command, Seed: o.Spec.Seed, Machine: o.Machine, Revision: o.Revision, Started: time.Now().UTC(),
		Status: results.StatusRunning, Valid: true, Unconfirmed: o.Unconfirmed,
		Counts: results.Counts{Devices: o.Spec.Fleet.Devices}, Client: o.Client, Addressing: string(o.Spec.Addressing()),
	}
	if o.Client.Package == ours.Package {
		run.Transport = string(o.Spec.Client.Transport)
	}
	dir, err := rundir.Create(o.Out, run.Scenario, run.Started, run.ID)
	if err != nil {
		return nil, err
	}
	if m.journal, err = newJournal(dir, run); err != nil {
		return nil, err
	}
	m.adder = m.shape.NewAdder()
	m.windows = windows.New(o.Spec, m.size, m.shape.Longest)
	if m.windows != nil {
		m.windows.Abort = func() { m.aborting = true } // called by Add, in which m.mu is locked
	}
	if o.OnStart != nil {
		o.OnStart(run)
	}
	return m, nil
}

// Directory returns the path of the run directory.
func (m *Merging) Directory() string { return m.dir.Path() }

// Shape returns what the portions and intervals of the run have in common. They must be read by it.
func (m *Merging) Shape() portion.Shape { return m.shape }

// Begin begins a repetition, which must be the next of [Repetitions]. started is the common start
// by the controller's clock. It returns an error if a repetition is running, or the run has ended.
func (m *Merging) Begin(rep Repetition, started time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running != nil || m.stopped || m.failed {
		return fmt.Errorf("%s repetition %d can't begin: the one before, or the run, was not ended", rep.Phase, rep.Number)
	}
	expect := executorOf(m.spec.Load, 0, load.Shard{}, nil).Expect(m.spec.Fleet.Devices)
	rep.Planned = expect.Operations
	m.running = newMergedRepetition(m, rep, expect, started)
	if rep.Phase == Timed {
		m.windows.Begin(rep.Number)
	}
	m.o.Observer.Begin(rep)
	return nil
}

// current returns the running repetition, or an error if it is another one. The caller holds m.mu.
func (m *Merging) current(rep Repetition) (*mergedRepetition, error) {
	r := m.running
	if r == nil || r.rep.Phase != rep.Phase || r.rep.Number != rep.Number {
		return nil, fmt.Errorf("%s repetition %d isn't running", rep.Phase, rep.Number)
	}
	return r, nil
}

// Interval takes the next interval of an agent, which is the index of its name in
// MergeOptions.Agents. Once all agents that still run have sent the interval that begins at a time,
// it is written, judged, and handed to OnInterval and the Observer. Interval returns an error, and
// the interval doesn't count, if it isn't the agent's next one, or if the agent is further ahead of
// another than can be kept.
func (m *Merging) Interval(rep Repetition, agent int, v *portion.Interval) error {
	m.mu.Lock()
	r, err := m.current(rep)
	if err == nil {
		err = r.take(agent, v)
	}
	abort := m.aborting
	m.aborting = false
	m.mu.Unlock()
	if abort && m.o.OnAbort != nil {
		m.o.OnAbort()
	}
	return err
}

// Report tells the Observer how far the load of all agents is, and how they are. Call it several
// times a second, so that the Observer is told in time although agents send their intervals in
// batches. at is by the clock of Begin's started. Report finds out itself which agent is behind. It
// reports false, and tells nothing, if no load runs: no repetition does, or all agents have ended
// its load.
func (m *Merging) Report(at time.Time, agents AgentsStatus) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.running
	m.agents = agents
	if r == nil || r.allEnded() {
		return false
	}
	m.agents.Behind, m.agents.BehindBy = r.behind()
	r.shown = max(r.shown, at.Sub(r.started))
	m.o.Observer.Progress(r.rep, r.progress())
	return true
}

// End ends a repetition with the portions of all agents, in their order, and appends what they add
// up to to the run directory: all of it, or nothing. It returns an error if they can't be merged;
// the repetition then still runs, so that Interrupt or Fail can keep what its intervals say.
//
// If an agent's intervals don't add up to its portion, the run is invalid.
func (m *Merging) End(rep Repetition, portions []*portion.Portion) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.current(rep)
	if err != nil {
		return err
	}
	sum, err := m.shape.Merge(m.o.Agents, portions)
	if err != nil {
		return err
	}
	for i, p := range portions {
		if p.Phase != string(rep.Phase) || p.Number != rep.Number || p.Interrupted {
			return fmt.Errorf("agent %s: its portion isn't of the whole %s repetition %d", m.o.Agents[i], rep.Phase, rep.Number)
		}
	}
	if n := sum.Counts.Devices; n != m.spec.Fleet.Devices {
		return fmt.Errorf("the agents have %d devices, the scenario %d: give each agent another shard, and the same count",
			n, m.spec.Fleet.Devices)
	}
	if err := r.flush(); err != nil {
		return err
	}
	all := m.measuredOf(r.rep, sum)
	all.intervals = r.log
	all.findings = append(all.findings, r.checkSums(portions, sum)...)
	if rep.Phase == Timed {
		m.checkWhole(all)
		if r.log != nil {
			r.log.addGroups(partsOf(sum.Groups), m.shape.Ops, all.Elapsed)
		}
	}
	m.addHealth(all, false)
	if h := sum.Harness; h != nil {
		m.run.Harness.ReferenceSpeed, m.run.Harness.Interference = h.ReferenceSpeed, h.Interference
	}
	m.addProfilingCost(r.rep, m.spec, all)
	if err := m.append(r.rep, m.spec, all); err != nil {
		return err
	}
	end := r.progress()
	m.running, m.aborting = nil, false
	end.Uncounted = 0
	end.Stage, end.Elapsed, end.Plan, end.DoneInPlan = "", all.Elapsed, all.plannedFor(), all.Operations.SucceededInPlan
	end.P50, end.P99 = all.percentiles(m.spec.Load.Operation)
	m.o.Observer.End(r.rep, end)
	return nil
}

// Interrupt ends the run early, because somebody interrupted it or a threshold with abort has
// failed. Of a timed repetition that is running, it keeps what the intervals say, and what portions
// say about the devices; a portion of an agent that sent none is nil, and all of them may be left
// out.
func (m *Merging) Interrupt(portions []*portion.Portion) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = true
	m.keepRunning(portions)
}

// Fail ends the run early, because it can't go on, as the finding says. It keeps what Interrupt
// keeps.
func (m *Merging) Fail(f health.Finding, portions []*portion.Portion) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = true
	m.invalidate(f)
	m.keepRunning(portions)
}

// Invalidate makes the run invalid for a reason.
func (m *Merging) Invalidate(f health.Finding) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.invalidate(f)
}

// Note adds a sentence that readers should know beside the run's figures.
func (m *Merging) Note(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note(text)
}

// SetAgents sets what run.json says about the agents when it is written next.
func (m *Merging) SetAgents(a *results.Agents) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.run.Agents = a
}

// Aborted reports whether a threshold with abort has failed, so that no further repetition may
// begin. If there was to be one, call Interrupt.
func (m *Merging) Aborted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.windows.Aborted()
}

// Result ends the run, judges the thresholds, and returns what was measured. Its run.json says that
// the run is still running until Finish is called. A repetition that is running is interrupted.
func (m *Merging) Result() *Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running != nil {
		m.stopped = true
		m.keepRunning(nil)
	}
	m.run.Finished, m.run.Status = time.Now().UTC(), results.StatusFinished
	switch {
	case m.failed:
		m.run.Status = results.StatusFailed
	case m.stopped && m.windows.Aborted():
		m.run.Status = results.StatusAborted
	case m.stopped:
		m.run.Status = results.StatusInterrupted
	}
	if s := m.run.Status; s == results.StatusFinished || s == results.StatusAborted {
		m.run.Thresholds = nil
		m.judgeThresholds(m.spec, m.windows)
	}
	if m.o.OnEnd != nil {
		for _, text := range m.o.OnEnd(m.run) {
			m.note(text)
		}
	}
	m.result = &Result{Directory: m.dir.Path(), Run: m.run, Records: m.records}
	return m.result
}

// Finish writes run.json with the verdict, and closes the directory. It must be called once, after
// Result, in whose result the verdict is afterwards.
func (m *Merging) Finish(v results.Verdict) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.run.Verdict, m.result.Run.Verdict = v, v
	return errors.Join(m.dir.WriteRun(m.run), m.dir.Close())
}
