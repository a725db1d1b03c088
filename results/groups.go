package results

import (
	"maps"
	"slices"
)

// A Group is what one timed repetition measured of the devices of one group of the fleet. The groups
// of a repetition have each of its devices once, so their counts add up to the repetition's.
type Group struct {
	Name       string           `json:"group"`              // as in the scenario, or rest
	Repetition int              `json:"repetition"`         // from 1
	Counts     Counts           `json:"counts"`             // of its devices
	Succeeded  int64            `json:"succeeded"`          // operations of the load that succeeded
	Failed     int64            `json:"failed"`             // those that failed
	BrokenOff  int64            `json:"broken_off"`         // those still under way when the load ended
	Failures   map[string]int64 `json:"failures,omitempty"` // failed operations by class of the error
	Operations []GroupOperation `json:"operations"`         // of the load, a delivery's push and verification too
}

// A GroupOperation holds the metrics of one operation of a [Group], as far as [Unit.OfGroups]
// reports that groups have them.
type GroupOperation struct {
	Op        string             `json:"op"`        // push, verify or deliver
	Succeeded int64              `json:"succeeded"` // how many succeeded
	Metrics   map[string]float64 `json:"metrics"`   // by unit; no times if none succeeded
}

// OfGroups reports whether the metric is measured for each group of devices. Others, such as rates
// and processor time, are measured only for the whole load.
func (u Unit) OfGroups() bool {
	return u.Scope == PerOperation || u.Name == UnitFailed || u.Name == UnitRetries ||
		u.Scope == WholeService && u.Name != UnitRolloutTime && u.Name != UnitDevicesAtOnce
}

// GroupRecords returns the records of one group: one for each repetition and operation.
func GroupRecords(list []Group, name string) (records []Record) {
	for _, g := range list {
		if g.Name == name {
			records = append(records, g.records()...)
		}
	}
	return records
}

func (g Group) records() (records []Record) {
	for _, o := range g.Operations {
		r := Record{Op: o.Op, Repetition: g.Repetition, Ops: o.Succeeded}
		for _, unit := range slices.SortedFunc(maps.Keys(o.Metrics), func(a, b string) int {
			return UnitOrder(a) - UnitOrder(b)
		}) {
			r.Values = append(r.Values, Value{unit, o.Metrics[unit]})
		}
		if _, whole := o.Metrics[UnitFailed]; whole {
			r.Failed = g.Failed
		}
		records = append(records, r)
	}
	return records
}

// A GroupSummary is what all timed repetitions measured of one group.
type GroupSummary struct {
	Name      string           `json:"group"`              // as in the scenario, or rest
	Counts    Counts           `json:"counts"`             // of its devices: the worst of each over the repetitions
	Succeeded int64            `json:"succeeded"`          // operations of the load, in all repetitions together
	Failed    int64            `json:"failed"`             // those that failed
	BrokenOff int64            `json:"broken_off"`         // those still under way when the load ended
	Failures  map[string]int64 `json:"failures,omitempty"` // failed operations by class of the error

	// Metrics are the medians over the repetitions, by operation and unit.
	Metrics map[string]map[string]float64 `json:"metrics"`
}

// maxGroups is how many groups a summary has at most: as many as a fleet may have, and the rest.
const maxGroups = 65

// SummarizeGroups returns a summary of each group, in the order in which the groups first occur.
func SummarizeGroups(list []Group) (summaries []GroupSummary) {
	for _, g := range list {
		i := slices.IndexFunc(summaries, func(s GroupSummary) bool { return s.Name == g.Name })
		if i < 0 && len(summaries) == maxGroups {
			continue
		}
		if i < 0 {
			i = len(summaries)
			summaries = append(summaries, GroupSummary{
				Name: g.Name, Counts: g.Counts, Metrics: Medians(GroupRecords(list, g.Name)),
			})
		}
		s := &summaries[i]
		s.Counts = s.Counts.Worst(g.Counts)
		s.Succeeded, s.Failed, s.BrokenOff = s.Succeeded+g.Succeeded, s.Failed+g.Failed, s.BrokenOff+g.BrokenOff
		for class, n := range g.Failures {
			if s.Failures == nil {
				s.Failures = map[string]int64{}
			}
			s.Failures[class] += n
		}
	}
	return summaries
}

// Worst returns the worst of each count of c and o, which are of the same devices.
func (c Counts) Worst(o Counts) Counts {
	c.Updated = min(c.Updated, o.Updated)
	c.Failed = max(c.Failed, o.Failed)
	c.Lost = max(c.Lost, o.Lost)
	c.AppliedTwice = max(c.AppliedTwice, o.AppliedTwice)
	return c
}
