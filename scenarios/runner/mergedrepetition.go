package runner

import (
	"fmt"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/client/process"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// What is kept of intervals that other agents haven't sent yet, which bounds the memory: so many of
// an agent, and so many bytes of all.
const (
	maxAhead      = 1000
	maxAheadBytes = 64 << 20
)

// A mergedRepetition is a repetition of a merged run that is under way. Merging.mu guards it.
type mergedRepetition struct {
	m      *Merging
	rep    Repetition
	expect load.Expectation
	log    *intervalLog // of a timed repetition; nil otherwise
	agents []mergedAgent
	bytes  int             // of all pending intervals
	ends   map[int64]int64 // when they end that aren't the last ones, by when they begin, in nanoseconds

	started       time.Time
	shown         time.Duration // elapsed as the Observer was told it last
	start, latest time.Duration // when the next merged interval begins, and when the last one of an agent ended

	// held is set while the adder has the interval that ends with the plan. If operations go on for
	// less than half an interval after it, it has them too, as in a load of one process.
	held                bool
	heldStart, heldWide time.Duration

	// Sums of the intervals that were written.
	totals               load.Totals
	planned, sent        int64
	brokenOff            int64
	plan                 time.Duration
	inFlight, notSent    int64
	classes              map[string]int64
	times                map[delivery.Op]*load.Latencies
	recentP50, recentP99 time.Duration // of the last one
}

// A mergedAgent is an agent in a repetition.
type mergedAgent struct {
	pending []*portion.Interval
	next    int64 // when its next interval begins, in nanoseconds
	ended   bool  // it has sent its last interval
	counted *portion.Traffic

	notSent int64 // at its end

	// Sums of its intervals.
	sum   portion.Interval
	times map[delivery.Op]*portion.Times // counts and sums of times
}

func newMergedRepetition(m *Merging, rep Repetition, expect load.Expectation, started time.Time) *mergedRepetition {
	r := &mergedRepetition{
		m: m, rep: rep, expect: expect, started: started, agents: make([]mergedAgent, len(m.o.Agents)),
		ends: map[int64]int64{}, classes: map[string]int64{}, times: map[delivery.Op]*load.Latencies{},
	}
	for _, op := range m.shape.Ops {
		r.times[op] = load.NewLatencies(m.shape.Planned, m.shape.Longest)
	}
	for i := range r.agents {
		r.agents[i].times = map[delivery.Op]*portion.Times{}
	}
	m.adder.Reset()
	if rep.Phase == Timed {
		r.log = newIntervalLog(m.dir, rep.Number, m.run.Started)
		r.log.begin(started, nil)
	}
	return r
}

// take takes the next interval of an agent, and writes the merged intervals that are complete.
func (r *mergedRepetition) take(agent int, v *portion.Interval) error {
	if agent < 0 || agent >= len(r.agents) {
		return fmt.Errorf("there is no agent %d: want one of %d", agent, len(r.agents))
	}
	name, a := r.m.o.Agents[agent], &r.agents[agent]
	size, others := 0, r.ends[v.StartNS]
	for _, t := range v.Times {
		size += len(t.Response) + len(t.Service)
	}
	switch {
	case a.ended:
		return fmt.Errorf("agent %s: it sent another interval after its last one", name)
	case v.StartNS != a.next:
		return fmt.Errorf("agent %s: its interval begins at %v, and the one before ended at %v",
			name, time.Duration(v.StartNS), time.Duration(a.next))
	case !v.Last && others != 0 && others != v.EndNS:
		return fmt.Errorf("agent %s: its interval from %v ends at %v, those of others at %v: "+
			"run the same revision with the same scenario on every machine",
			name, time.Duration(v.StartNS), time.Duration(v.EndNS), time.Duration(others))
	case len(a.pending) >= maxAhead || r.bytes+size > maxAheadBytes:
		return fmt.Errorf("agent %s: it is %d intervals ahead of agent %s, more than can be kept: is that one stuck?",
			name, len(a.pending), r.m.o.Agents[r.slowest()])
	}
	a.pending, a.next, a.ended = append(a.pending, v), v.EndNS, v.Last
	r.bytes += size
	if !v.Last {
		r.ends[v.StartNS] = v.EndNS
	}
	return r.advance(false)
}

// slowest returns the index of the agent whose next interval is the earliest of those that run.
func (r *mergedRepetition) slowest() int {
	slowest := 0
	for i := range r.agents {
		if a := &r.agents[i]; !a.ended && (r.agents[slowest].ended || a.next < r.agents[slowest].next) {
			slowest = i
		}
	}
	return slowest
}

// allEnded reports whether all agents have ended the load.
func (r *mergedRepetition) allEnded() bool {
	return !slices.ContainsFunc(r.agents, func(a mergedAgent) bool { return !a.ended })
}

// An agent is behind if others are ahead of it by both: a batch of intervals that is on its way
// makes none of them late.
const (
	behindIntervals = 3
	behindTime      = 2 * time.Second
)

// behind returns the agent whose intervals the others wait for, and how far they are ahead. It
// returns "" if none is far behind.
func (r *mergedRepetition) behind() (string, time.Duration) {
	slowest, most, last := r.slowest(), 0, int64(0)
	for i := range r.agents {
		most, last = max(most, len(r.agents[i].pending)), max(last, r.agents[i].next)
	}
	by := time.Duration(last - r.agents[slowest].next)
	if most < behindIntervals || by < behindTime || r.agents[slowest].ended {
		return "", 0
	}
	return r.m.o.Agents[slowest], by
}

// flush writes what is there, whether or not all agents have sent it.
func (r *mergedRepetition) flush() error {
	if err := r.advance(true); err != nil {
		return err
	}
	if r.held {
		r.emit(r.heldStart, r.heldStart+r.heldWide, true)
	}
	return nil
}

// advance writes the merged intervals that all agents which still run have sent, or with force,
// that any has sent.
func (r *mergedRepetition) advance(force bool) error {
	for {
		some, last, end := false, true, time.Duration(0)
		for i := range r.agents {
			a := &r.agents[i]
			if len(a.pending) == 0 {
				if !a.ended && !force {
					return nil
				}
				continue
			}
			v := a.pending[0]
			some = true
			switch at := time.Duration(v.EndNS); {
			case v.Last:
				r.latest = max(r.latest, at)
			default:
				last, end = false, at
			}
		}
		if !some {
			return nil
		}
		if last {
			end = max(r.latest, r.start+1)
		}
		if err := r.merge(end, last); err != nil {
			return err
		}
	}
}

// merge adds up the next interval of each agent that has one, and writes it.
func (r *mergedRepetition) merge(end time.Duration, last bool) error {
	adder, start := r.m.adder, r.start
	v := adder.Sum()
	if r.held {
		if last && end-start <= r.heldWide/2 {
			start, v.NotSent, v.InFlight = r.heldStart, 0, 0
		} else {
			r.emit(r.heldStart, start, false)
		}
		r.held = false
	}
	delete(r.ends, int64(r.start))
	for i := range r.agents {
		a := &r.agents[i]
		if len(a.pending) == 0 {
			v.NotSent += a.notSent // which it never sent
			continue
		}
		of := a.pending[0]
		a.pending = a.pending[1:]
		if err := adder.Add(of); err != nil {
			return fmt.Errorf("agent %s: %w", r.m.o.Agents[i], err)
		}
		a.add(of)
		for _, t := range of.Times {
			r.bytes -= len(t.Response) + len(t.Service)
		}
	}
	r.start = end
	if !last && v.Plan > 0 && end == v.Plan {
		r.held, r.heldStart, r.heldWide = true, start, end-start
		return nil
	}
	r.emit(start, end, last)
	return nil
}

// add adds an interval to the sums of the agent.
func (a *mergedAgent) add(v *portion.Interval) {
	if v.Counted != nil {
		a.counted = v.Counted
	}
	if v.Last {
		a.notSent = v.NotSent
	}
	s := &a.sum
	s.Planned, s.Sent, s.Succeeded = s.Planned+v.Planned, s.Sent+v.Sent, s.Succeeded+v.Succeeded
	s.Failed, s.BrokenOff, s.Retries = s.Failed+v.Failed, s.BrokenOff+v.BrokenOff, s.Retries+v.Retries
	for _, t := range v.Times {
		sum := a.times[t.Op]
		if sum == nil {
			sum = &portion.Times{Op: t.Op}
			a.times[t.Op] = sum
		}
		sum.Count, sum.Overflow, sum.SumNS = sum.Count+t.Count, sum.Overflow+t.Overflow, sum.SumNS+t.SumNS
	}
}

// emit writes the sum as a merged interval, judges it, hands it on, and begins the next one.
func (r *mergedRepetition) emit(start, end time.Duration, last bool) {
	m := r.m
	v := m.adder.Sum()
	v.Start, v.End, v.Last = start, end, last
	counted := r.counted()
	t := &r.totals
	t.Succeeded, t.Failed, t.Retries = t.Succeeded+v.Succeeded, t.Failed+v.Failed, t.Retries+v.Retries
	t.SucceededLate += v.SucceededLate
	r.planned, r.sent, r.brokenOff = r.planned+v.Planned, r.sent+v.Sent, r.brokenOff+v.BrokenOff
	r.plan, r.inFlight, r.notSent = max(r.plan, v.Plan), v.InFlight, v.NotSent
	portion.AddClasses(r.classes, v.Classes)
	for _, times := range v.Times {
		r.times[times.Op].Merge(times.Latencies)
	}
	whole := v.Times[len(v.Times)-1]
	r.recentP50 = time.Duration(whole.Response.ValueAtQuantile(50))
	r.recentP99 = time.Duration(whole.Response.ValueAtQuantile(99))
	if r.log != nil {
		var stats delivery.Stats
		if counted != nil {
			stats = *counted
			r.log.countBytes()
		}
		r.log.add(v, stats)
	}
	if r.rep.Phase == Timed && m.windows != nil {
		m.windows.Add(v)
	}
	if m.o.OnInterval != nil {
		m.o.OnInterval(r.rep, v, counted)
	}
	m.o.Observer.Progress(r.rep, r.progress())
	m.adder.Reset()
}

// counted returns what all clients have counted since the load began. It returns nil if one doesn't
// count.
func (r *mergedRepetition) counted() *delivery.Stats {
	sum := &delivery.Stats{}
	for i := range r.agents {
		if r.agents[i].counted == nil {
			return nil
		}
		r.agents[i].counted.AddTo(sum)
	}
	return sum
}

// progress returns how far the load of all agents is.
func (r *mergedRepetition) progress() Progress {
	v := Progress{
		Stage: Load, Elapsed: max(r.start, r.shown), Agents: r.m.agents, Done: r.totals.Succeeded, Failed: r.totals.Failed, Retries: r.totals.Retries,
		InFlight: r.inFlight, NotSent: r.notSent, P50: r.recentP50, P99: r.recentP99, Failing: r.m.windows.Failing(),
	}
	if r.expect.RateAt != nil {
		v.PlannedRate = r.expect.RateAt(v.Elapsed)
	}
	v.Uncounted = v.Elapsed - r.start
	if r.plan > 0 && v.Elapsed > r.plan {
		v.Stage = Draining
	}
	if v.Failed > 0 {
		v.Classes = map[string]int{}
		for class, n := range r.classes {
			v.Classes[class] = int(n)
		}
	}
	if len(r.m.run.Invalid) > 0 {
		v.Invalid = invalidAlready + r.m.run.Invalid[0]
	}
	return v
}

// maxDisagreeing is how many agents are named whose intervals don't add up to their portions.
const maxDisagreeing = 5

// checkSums returns a finding for each agent whose intervals don't add up to its portion, with a
// bound, and one if the histograms of all intervals aren't those of all portions.
func (r *mergedRepetition) checkSums(portions []*portion.Portion, sum *portion.Sum) (findings []health.Finding) {
	disagree := func(format string, args ...any) {
		findings = append(findings, health.Finding{Kind: health.AgentsDisagree, Detail: fmt.Sprintf(format, args...)})
	}
	for i, p := range portions {
		a, o := &r.agents[i], p.Operations
		name := r.m.o.Agents[i]
		before := len(findings)
		for _, c := range []struct {
			what         string
			sum, portion int64
		}{
			{"planned", a.sum.Planned, o.Planned},
			{"started", a.sum.Sent, o.Started}, {"succeeded", a.sum.Succeeded, o.Succeeded}, {"failed", a.sum.Failed, o.Failed},
			{"broken off", a.sum.BrokenOff, o.BrokenOff}, {"retried", a.sum.Retries, p.Retries},
		} {
			if c.sum != c.portion && len(findings) == before {
				disagree("agent %s: its intervals have %s operations that were %s, its portion %s: their messages don't agree",
					name, plaintext.Thousands(c.sum), c.what, plaintext.Thousands(c.portion))
			}
		}
		for _, t := range p.Times {
			of := a.times[t.Op]
			if of == nil {
				of = &portion.Times{}
			}
			if (of.Count != t.Count || of.Overflow != t.Overflow || of.SumNS != t.SumNS) && len(findings) == before {
				disagree("agent %s: its intervals have %s times of %s and its portion %s, or they are other ones",
					name, plaintext.Thousands(of.Count), t.Op, plaintext.Thousands(t.Count))
			}
		}
	}
	if more := len(findings) - maxDisagreeing; more > 0 {
		findings = findings[:maxDisagreeing]
		disagree("%s more agents: likewise", plaintext.Thousands(more))
	}
	if len(findings) > 0 {
		return findings
	}
	for _, op := range r.m.shape.Ops {
		of, whole := r.times[op], sum.Times[op]
		if !slices.Equal(slices.Collect(of.Response.All), slices.Collect(whole.Response.All)) ||
			!slices.Equal(slices.Collect(of.Service.All), slices.Collect(whole.Service.All)) {
			disagree("the histograms of %s in the intervals of all agents don't add up to those of their portions", op)
		}
	}
	return findings
}

// measuredOf returns what all agents measured as if one process had measured it.
func (m *Merging) measuredOf(rep Repetition, s *portion.Sum) *measured {
	u := s.Usage
	all := &measured{
		Result: s.Result, Totals: s.Totals, bytes: m.size,
		latencies: s.Times, lateness: s.Lateness, traffic: s.Traffic, counts: s.Counts, outcomes: s.Outcomes,
		usage: usage{
			cpu: time.Duration(u.CPUNS), gcFraction: u.GCFraction, gcBusy: u.GCBusyS,
			bytes: u.Bytes, objects: u.Objects, peakResident: u.PeakResident,
		},
		dialErrors: dialErrors{s.NoPort, s.NoDescriptor},
		notes:      s.Notes, findings: s.Findings, fleet: s.Fleet, harness: s.Harness,
	}
	if s.FailedTimes.TotalCount() > 0 {
		all.failedP99 = quantile(s.FailedTimes, 99)
	}
	if p := s.Processes; p != nil {
		all.processes = &process.Usage{Known: true, CPU: time.Duration(p.CPUNS), PeakResident: p.PeakResident}
	}
	all.takeFailures(s.Failures)
	if rep.Phase == Timed {
		for _, g := range s.Groups {
			group := newGroup(g.Part, m.spec.Load, rep.Number)
			group.Counts = g.Counts
			all.groups = append(all.groups, group)
		}
	}
	return all
}

// takeFailures sets the sampled failures, and what the ledgers say about their devices.
func (m *measured) takeFailures(list []portion.Failure) {
	m.excerpts = map[int]*portion.LedgerExcerpt{}
	for _, f := range list {
		m.failures = append(m.failures, f.Failure)
		m.excerpts[f.Device] = f.Fleet
	}
}

func partsOf(groups []portion.GroupSum) (parts []load.Part) {
	for _, g := range groups {
		parts = append(parts, g.Part)
	}
	return parts
}

// checkWhole judges what only all agents together show: whether anything succeeded, and how well
// the whole plan was kept. The agents judge the rest.
func (m *Merging) checkWhole(all *measured) {
	nothing := func(f health.Finding) bool { return f.Kind == health.NothingSucceeded }
	all.findings = slices.DeleteFunc(all.findings, nothing) // of an agent, whose devices may all be broken
	o := health.Outcome{Operations: all.Operations}
	if classes := m.running.classes; all.Failed > 0 {
		o.FailureClasses = classesText(classes)
	}
	for _, f := range health.CheckOutcome(o) {
		if nothing(f) {
			all.findings = append(all.findings, f)
		}
	}
	if all.pacing = all.pacingOf(m.spec.Load); all.pacing != nil && all.harness != nil {
		p, harness := all.pacing, *all.harness
		harness.LatenessP99NS = int64(p.LatenessP99)
		harness.Pacing = &results.Pacing{BusyWorkersPeak: p.BusyPeak, TimerLatenessP99NS: int64(p.TimerP99)}
		if n := p.Queued + p.Timer; n > 0 {
			harness.Pacing.StarvedFraction = float64(p.Queued) / float64(n)
		}
		all.harness = &harness
	}
}

// keepRunning ends the running repetition, if there is one, and keeps what its intervals say. The
// caller holds m.mu.
func (m *Merging) keepRunning(portions []*portion.Portion) {
	r := m.running
	if r == nil {
		return
	}
	m.running, m.aborting = nil, false
	if err := r.flush(); err != nil {
		m.note("not all intervals of the partial repetition could be kept: " + plaintext.Line(err.Error()))
	}
	r.shown = 0 // the end is where the figures end
	end := r.progress()
	end.Stage = ""
	m.o.Observer.End(r.rep, end)
	if r.rep.Phase != Timed || r.totals.Succeeded+r.totals.Failed == 0 {
		return
	}
	all := r.sofar()
	m.takeKnown(all, portions, r.rep)
	unwitnessed, contradictions := all.partial.Unwitnessed, all.partial.Contradictions
	p := newPartial(r.rep, m.spec, all)
	p.PlannedSeconds, p.Planned, p.Counts = r.rep.Duration.Seconds(), r.rep.Planned, all.counts
	p.Unwitnessed, p.Contradictions = unwitnessed, contradictions
	all.partial = p
	m.appendPartial(r.rep, m.spec, all)
}

// sofar returns what the intervals of a broken repetition say. What the processes used isn't known.
func (r *mergedRepetition) sofar() *measured {
	elapsed, t := r.start, r.totals
	o := results.Operations{
		Planned: r.planned, Started: r.sent, Succeeded: t.Succeeded, Failed: t.Failed, NotSent: r.notSent, BrokenOff: r.brokenOff,
	}
	if r.plan > 0 {
		o.PlanNS, o.SucceededInPlan = int64(min(r.plan, elapsed)), t.Succeeded-t.SucceededLate
	}
	return &measured{
		Result: load.Result{Elapsed: elapsed, Operations: o}, Totals: t, bytes: r.m.size,
		latencies: r.times, traffic: r.counted(), intervals: r.log,
		processes: &process.Usage{}, // of whose allocations nothing is known
		partial:   &results.Partial{},
	}
}

// takeKnown adds what the portions of some agents say about the devices, and their notes and
// findings.
func (m *Merging) takeKnown(all *measured, portions []*portion.Portion, rep Repetition) {
	var names []string
	var list []*portion.Portion
	for i, p := range portions {
		if p != nil && i < len(m.o.Agents) && p.Phase == string(rep.Phase) && p.Number == rep.Number {
			known := *p
			known.Groups = nil // an agent that was interrupted has none
			names, list = append(names, m.o.Agents[i]), append(list, &known)
		}
	}
	known := all.partial
	all.counts.Devices = m.spec.Fleet.Devices
	if len(list) == 0 {
		known.Unwitnessed = "no agent said what became of its devices"
		return
	}
	sum, err := m.shape.Merge(names, list)
	if err != nil {
		known.Unwitnessed = plaintext.Line(err.Error())
		return
	}
	known.Unwitnessed, known.Contradictions = sum.Unwitnessed, sum.Contradictions
	if len(list) < len(m.o.Agents) {
		known.Unwitnessed = fmt.Sprintf("only %d of %d agents said what became of their devices", len(list), len(m.o.Agents))
	}
	devices := all.counts.Devices
	all.counts = sum.Counts
	all.counts.Devices = devices
	all.takeFailures(sum.Failures)
	for _, text := range sum.Notes {
		m.note(text)
	}
	nothing := func(f health.Finding) bool { return f.Kind == health.NothingSucceeded }
	m.invalidate(slices.DeleteFunc(sum.Findings, nothing)...)
}
