package runner

import (
	"fmt"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// maxGroupEntries is the largest number of entries by repetition and group in run.json, which is
// written anew after each repetition. An entry takes about a kilobyte.
const maxGroupEntries = 4096

// deviceCounts counts devices by what became of them, in the whole fleet and in each group.
type deviceCounts struct {
	results.Counts
	groups  []results.Counts // nil if the devices have no groups
	groupOf func(i int) int

	outcomes portion.OutcomeDigest // zero without a ledger
}

// newCounts returns the counts before anything became of the devices.
func (c *claims) newCounts() deviceCounts {
	n := deviceCounts{Counts: results.Counts{Devices: c.Len()}}
	if c.groups == 0 {
		return n
	}
	n.groups, n.groupOf = make([]results.Counts, c.groups), c.groupOf
	for i := range c.Len() {
		n.groups[n.groupOf(i)].Devices++
	}
	return n
}

// add adds device i to a count.
func (n *deviceCounts) add(i int, count func(*results.Counts) *int) {
	*count(&n.Counts)++
	if n.groups != nil {
		*count(&n.groups[n.groupOf(i)])++
	}
}

// The counts of devices.
func updated(c *results.Counts) *int      { return &c.Updated }
func failed(c *results.Counts) *int       { return &c.Failed }
func lost(c *results.Counts) *int         { return &c.Lost }
func appliedTwice(c *results.Counts) *int { return &c.AppliedTwice }

// recordingConfig returns what is recorded of the load: of the whole, and if parts is set, of each
// group of devices and of each wave of a rollout, too.
func (s *Session) recordingConfig(parts bool) load.RecordingConfig {
	_, most := s.spec.Load.WorkerRange()
	c := load.RecordingConfig{
		Op: s.spec.Load.Operation, Planned: s.spec.Load.IsOpen(), Devices: s.target.Devices().Len(),
		Workers: most, Longest: longest(s.whole),
	}
	if s.service != nil { // which may have all devices under way at once
		c.Workers = c.Devices
	}
	if !parts {
		return c
	}
	if groups, _ := s.target.Groups(); groups != nil {
		c.Groups, c.GroupOf = groups.Names(), groups.Of
	}
	if s.spec.Load.Model == scenarios.Rollout {
		c.Waves = max(1, len(s.spec.Load.Rollout.Waves))
	}
	return c
}

// takeParts takes what was recorded of each group and of each wave in a timed repetition. What
// became of the devices isn't known yet.
func (s *Session) takeParts(t task, m *measured) {
	groups, waves := s.recording.Parts()
	for _, p := range groups {
		m.groups = append(m.groups, newGroup(p, s.spec.Load, t.Number))
	}
	if m.intervals != nil {
		m.intervals.addGroups(groups, s.spec.Load.Operations(), m.Elapsed)
	}
	for i := range m.rollout.Waves {
		w := &m.rollout.Waves[i]
		if w.Number < 1 || w.Number > len(waves) {
			continue
		}
		times := waves[w.Number-1].Latencies[delivery.OpDeliver]
		if w.Succeeded = times.Count; times.Count > 0 {
			w.P50NS, w.P99NS = times.Response.ValueAtQuantile(50), times.Response.ValueAtQuantile(99)
			w.MaxNS = times.Response.Max()
		}
	}
}

// newGroup returns what a repetition measured of a group, without the counts of its devices.
func newGroup(p load.Part, spec scenarios.LoadSpec, repetition int) results.Group {
	g := results.Group{
		Name: p.Name, Repetition: repetition, Succeeded: p.Succeeded, Failed: p.Failed, BrokenOff: p.BrokenOff,
		Failures: p.Classes, Operations: []results.GroupOperation{},
	}
	for _, op := range spec.Operations() {
		t := p.Latencies[op]
		o := results.GroupOperation{Op: string(op), Succeeded: t.Count, Metrics: map[string]float64{}}
		if t.Count > 0 {
			add := func(unit string, v float64) { o.Metrics[unit] = v }
			if spec.Model == scenarios.Service {
				addTimesToUpdated(t, add)
			} else {
				addTimes(t, add)
			}
		}
		if ended := float64(p.Succeeded + p.Failed); op == spec.Operation && ended > 0 {
			o.Metrics[results.UnitFailed] = float64(p.Failed) / ended
			if spec.Model != scenarios.Service {
				o.Metrics[results.UnitRetries] = float64(p.Retries) / ended
			}
		}
		g.Operations = append(g.Operations, o)
	}
	return g
}

// setCounts sets what became of the devices.
func (m *measured) setCounts(n deviceCounts) {
	m.counts, m.outcomes = n.Counts, n.outcomes
	for i := range m.groups {
		m.groups[i].Counts = n.groups[i]
	}
}

// appendGroups adds the groups of a timed repetition to run.json, or a note if they would be too
// many.
func (j *journal) appendGroups(groups []results.Group) {
	if len(j.run.Groups)+len(groups) > maxGroupEntries {
		j.note(fmt.Sprintf("results by group are those of the first %d repetitions; latency.hlog has the times of all",
			maxGroupEntries/len(groups)))
		return
	}
	j.run.Groups = append(j.run.Groups, groups...)
}
