package portion

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/hdr"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// A Sum is what all agents of a run measured in one repetition.
type Sum struct {
	load.Result // Elapsed is the time from the common start to the end of the last operation of all
	load.Totals

	Times       map[delivery.Op]*load.Latencies
	Lateness    *load.Lateness // nil without a plan
	FailedTimes *hdr.Histogram // response times of failed operations
	Classes     map[string]int64
	Failures    []Failure // of each class no more than one agent keeps

	Usage                Usage // sums, but PeakResident is that of the largest agent
	Processes            *ProcessUsage
	Traffic              *delivery.Stats // nil if one of the agents doesn't have it
	NoPort, NoDescriptor int64

	Counts      results.Counts
	Unwitnessed string
	Outcomes    OutcomeDigest // zero if one of the agents has none
	Groups      []GroupSum

	// Notes, Findings and Contradictions begin with the name of the agent. If many agents say the
	// like, they are the first few, and how many more there are.
	Notes    []string
	Findings []health.Finding

	Contradictions []string

	Fleet   *results.FleetHealth   // of the worst agent, value by value; nil if none has one
	Harness *results.HarnessHealth // likewise
}

// A GroupSum is what all agents measured of a group of devices.
type GroupSum struct {
	load.Part
	Counts results.Counts
}

// Merge adds up the portions of a repetition, one of each agent in names. It returns an error that
// names the agent if a portion can't be right, or is of another repetition than the first one.
//
// Counts, sums of times, and histograms are added; so are processor times, allocations, traffic,
// workers, and the peaks of operations in flight, whose sum may be more than there ever were at
// once. The elapsed time is the longest, counted from the common start. Peaks of memory, and the
// health of fleets and drivers, are those of the worst agent.
func (s Shape) Merge(names []string, list []*Portion) (*Sum, error) {
	sum := &Sum{
		Times: map[delivery.Op]*load.Latencies{}, FailedTimes: hdr.New(s.Longest), Classes: map[string]int64{},
	}
	for _, op := range s.Ops {
		sum.Times[op] = load.NewLatencies(s.Planned, s.Longest)
	}
	if s.Planned {
		sum.Lateness = load.NewLateness(s.Longest)
	}
	if len(names) != len(list) || len(list) == 0 {
		return nil, fmt.Errorf("%d portions of %d agents: want one of each", len(list), len(names))
	}
	m := merger{Shape: s, Sum: sum, first: list[0]}
	for i, p := range list {
		if err := m.add(names[i], p); err != nil {
			return nil, fmt.Errorf("agent %s: %w", names[i], err)
		}
	}
	m.finish(list)
	return sum, nil
}

// A merger adds portions to a sum.
type merger struct {
	Shape
	*Sum
	first   *Portion
	decoder hdr.Decoder

	busy, gc float64 // sums of nanoseconds

	notes, contradictions, findings textSample
}

func (m *merger) add(name string, p *Portion) error {
	if p == nil {
		return fmt.Errorf("it has no portion")
	}
	if err := m.check(p); err != nil {
		return err
	}
	f := m.first
	if p.Phase != f.Phase || p.Number != f.Number {
		return fmt.Errorf("its portion is of %s repetition %d, that of the first agent of %s repetition %d",
			p.Phase, p.Number, f.Phase, f.Number)
	}
	if len(p.Groups) > 0 && len(f.Groups) == 0 || len(p.Groups) == 0 && len(f.Groups) > 0 {
		return fmt.Errorf("it has %d groups of devices, and the first agent %d", len(p.Groups), len(f.Groups))
	}
	m.addOperations(p)
	if err := m.addTimes(m.Times, p.Times); err != nil {
		return err
	}
	if err := m.decoder.AddTo(m.FailedTimes, p.FailedTimes); err != nil {
		return err
	}
	if l := p.Lateness; l != nil {
		part := load.NewLateness(m.Longest)
		part.LastPlanned, part.LastSent = time.Duration(l.LastPlannedNS), time.Duration(l.LastSentNS)
		if err := m.decoder.AddTo(part.Queued, l.Queued); err != nil {
			return err
		}
		if err := m.decoder.AddTo(part.Timer, l.Timer); err != nil {
			return err
		}
		m.Lateness.Merge(part)
	}
	AddClasses(m.Classes, p.Classes)
	m.addUsage(p)
	m.addHealth(p)
	m.Counts = addCounts(m.Counts, p.Counts)
	if p.Unwitnessed != "" && m.Unwitnessed == "" {
		m.Unwitnessed = "agent " + name + ": " + p.Unwitnessed
	}
	m.Outcomes.Add(p.Outcomes)
	for _, text := range p.Contradictions {
		m.contradictions.add(withoutDigits(text), name, text)
	}
	for _, text := range p.Notes {
		m.notes.add(withoutDigits(text), name, text)
	}
	for _, f := range p.Findings {
		m.findings.add(string(f.Kind), name, f.Detail)
	}
	return m.addGroups(p.Groups)
}

func (m *merger) addOperations(p *Portion) {
	to, o := &m.Operations, p.Operations
	to.Planned, to.Started, to.Succeeded = to.Planned+o.Planned, to.Started+o.Started, to.Succeeded+o.Succeeded
	to.Failed, to.NotSent, to.BrokenOff = to.Failed+o.Failed, to.NotSent+o.NotSent, to.BrokenOff+o.BrokenOff
	to.EndedInPlan, to.SucceededInPlan = to.EndedInPlan+o.EndedInPlan, to.SucceededInPlan+o.SucceededInPlan
	to.PlanNS = max(to.PlanNS, o.PlanNS)
	t := &m.Totals
	t.Succeeded, t.Failed, t.Retries = t.Succeeded+o.Succeeded, t.Failed+o.Failed, t.Retries+p.Retries
	t.SucceededLate += o.Succeeded - o.SucceededInPlan
	t.FailedLate += o.Failed - (o.EndedInPlan - o.SucceededInPlan)
	m.Elapsed = max(m.Elapsed, p.Elapsed())
	m.Workers, m.InFlightPeak = m.Workers+p.Workers, m.InFlightPeak+p.InFlightPeak
	m.busy += float64(p.MeanBusyNS) * float64(o.Started)
}

func (m *merger) addTimes(to map[delivery.Op]*load.Latencies, list []Times) error {
	for i := range list {
		if err := list[i].addTo(to[list[i].Op], &m.decoder); err != nil {
			return err
		}
	}
	return nil
}

// addTo adds the times to l.
func (t *Times) addTo(l *load.Latencies, d *hdr.Decoder) error {
	if err := d.AddTo(l.Response, t.Response); err != nil {
		return err
	}
	if l.Planned() {
		if err := d.AddTo(l.Service, t.Service); err != nil {
			return err
		}
	}
	l.Count, l.Overflow, l.Sum = l.Count+t.Count, l.Overflow+t.Overflow, l.Sum+t.SumNS
	return nil
}

func (m *merger) addUsage(p *Portion) {
	to, u := &m.Usage, p.Usage
	to.CPUNS, to.Bytes, to.Objects = to.CPUNS+u.CPUNS, to.Bytes+u.Bytes, to.Objects+u.Objects
	to.GCBusyS += u.GCBusyS
	to.PeakResident = max(to.PeakResident, u.PeakResident)
	m.gc += u.GCFraction * float64(u.CPUNS)
	if q := p.Processes; q != nil {
		if m.Processes == nil {
			m.Processes = &ProcessUsage{}
		}
		m.Processes.CPUNS += q.CPUNS
		m.Processes.PeakResident = max(m.Processes.PeakResident, q.PeakResident)
	}
	if p.Traffic != nil {
		if m.Traffic == nil {
			m.Traffic = &delivery.Stats{}
		}
		p.Traffic.AddTo(m.Traffic)
	}
	m.NoPort, m.NoDescriptor = m.NoPort+p.NoPort, m.NoDescriptor+p.NoDescriptor
}

func (m *merger) addHealth(p *Portion) {
	if p.Fleet != nil {
		var fleet results.FleetHealth
		if m.Fleet != nil {
			fleet = *m.Fleet
		}
		fleet = health.WorstFleet(fleet, *p.Fleet)
		m.Fleet = &fleet
	}
	if p.Harness == nil {
		return
	}
	var harness results.HarnessHealth
	if m.Harness != nil {
		harness = *m.Harness
	}
	before := harness
	harness = health.WorstHarness(harness, *p.Harness)
	harness.Interference = worstInterference(before.Interference, p.Harness.Interference)
	if speed := p.Harness.ReferenceSpeed; before.ReferenceSpeed == nil ||
		speed != nil && speed.RoundTripNS > before.ReferenceSpeed.RoundTripNS {
		harness.ReferenceSpeed = speed
	}
	m.Harness = &harness
}

// worstInterference returns the worse of two machines, value by value. Either may be nil.
func worstInterference(a, b *results.Interference) *results.Interference {
	if a == nil || b == nil {
		if a == nil {
			a = b
		}
		return a
	}
	return &results.Interference{
		OthersFraction: max(a.OthersFraction, b.OthersFraction), StolenFraction: max(a.StolenFraction, b.StolenFraction),
	}
}

func (m *merger) addGroups(list []Group) error {
	for i := range list {
		g := &list[i]
		at := slices.IndexFunc(m.Groups, func(of GroupSum) bool { return of.Name == g.Name })
		if at < 0 {
			at = len(m.Groups)
			part := load.Part{Name: g.Name, Latencies: map[delivery.Op]*load.Latencies{}}
			for _, op := range m.Ops {
				part.Latencies[op] = load.NewLatencies(m.Planned, m.Longest)
			}
			m.Groups = append(m.Groups, GroupSum{Part: part})
		}
		to := &m.Groups[at]
		if err := m.addTimes(to.Latencies, g.Times); err != nil {
			return err
		}
		to.Succeeded, to.Failed = to.Succeeded+g.Succeeded, to.Failed+g.Failed
		to.Retries, to.BrokenOff = to.Retries+g.Retries, to.BrokenOff+g.BrokenOff
		if to.Part.Classes == nil && len(g.Classes) > 0 {
			to.Part.Classes = map[string]int64{}
		}
		AddClasses(to.Part.Classes, g.Classes)
		to.Counts = addCounts(to.Counts, g.Counts)
	}
	return nil
}

// finish sets what isn't a sum.
func (m *merger) finish(list []*Portion) {
	if n := m.Operations.Started; n > 0 {
		m.MeanBusy = time.Duration(m.busy / float64(n))
		m.Totals.Busy = time.Duration(m.busy)
	}
	if m.Operations.PlanNS > 0 {
		m.Operations.DrainNS = max(0, int64(m.Elapsed)-m.Operations.PlanNS)
	}
	if m.Usage.CPUNS > 0 {
		m.Usage.GCFraction = math.Min(1, m.gc/float64(m.Usage.CPUNS))
	}
	m.Failures = sampleFailures(list)
	m.Notes, m.Contradictions = m.notes.texts(), m.contradictions.texts()
	for kind, text := range m.findings.all {
		m.Findings = append(m.Findings, health.Finding{Kind: health.Kind(kind), Detail: text})
	}
	for _, p := range list {
		if p.Traffic == nil {
			m.Traffic = nil
		}
		if p.Outcomes.IsZero() {
			m.Outcomes = OutcomeDigest{}
		}
	}
}

// AddClasses adds failed operations by class. If there were more classes than an agent tells apart,
// those of further classes count as load.OtherClass.
func AddClasses(to, from map[string]int64) {
	for _, class := range slices.Sorted(maps.Keys(from)) {
		into := class
		if _, known := to[class]; !known && len(to) >= maxClasses-1 {
			into = load.OtherClass
		}
		to[into] += from[class]
	}
}

func addCounts(a, b results.Counts) results.Counts {
	return results.Counts{
		Devices: a.Devices + b.Devices, Updated: a.Updated + b.Updated, Failed: a.Failed + b.Failed,
		Lost: a.Lost + b.Lost, AppliedTwice: a.AppliedTwice + b.AppliedTwice,
	}
}
