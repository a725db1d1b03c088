package results

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// When an agent is off from the others. With only two agents to compare, nothing says which of them
// is the usual one, so a factor is at least 2.
const (
	offP99Factor      = 1.5
	offP99ExcessNS    = 1e6 // nanoseconds; less is noise
	offP99Operations  = 100 // of fewer, the 99th percentile is the longest
	offRateShare      = 0.9
	offLatenessNS     = 5e6 // nanoseconds
	offLatenessFactor = 3
	offCPUFactor      = 1.5
	offFactorOfTwo    = 2
)

// An AgentOff says in which measures an agent is off from the others.
type AgentOff struct {
	Name    string      `json:"name"`    // of the agent
	Index   int         `json:"index"`   // of its shard
	Reasons []OffReason `json:"reasons"` // at least one, in the order of the measures
}

// An OffReason is one measure in which an agent is off from the others.
type OffReason struct {
	Measure AgentMeasure `json:"measure"` // p99, rate, lateness-p99 or cpu-ns-per-op
	Value   float64      `json:"value"`   // of the agent: nanoseconds, or operations per second
	Others  float64      `json:"others"`  // the others' median; of a rate, what that comes to for the agent's share of the load
}

// AgentMeasure is what agents are compared by.
type AgentMeasure string

// The measures.
const (
	MeasureP99      AgentMeasure = "p99"           // response time, 99th percentile
	MeasureRate     AgentMeasure = "rate"          // operations that succeeded per second, of the agent's share
	MeasureLateness AgentMeasure = "lateness-p99"  // planned to sent, 99th percentile
	MeasureCPU      AgentMeasure = "cpu-ns-per-op" // processor time of an operation
)

// String returns a sentence without its full stop: "agent c is off: its p99 is 95.0ms, the others'
// median 30.0ms".
func (o AgentOff) String() string {
	clauses := make([]string, len(o.Reasons))
	for i, r := range o.Reasons {
		clauses[i] = r.String()
	}
	return "agent " + plaintext.Line(o.Name) + " is off: " + strings.Join(clauses, "; ")
}

// String returns a clause: "its p99 is 95.0ms, the others' median 30.0ms".
func (r OffReason) String() string {
	switch r.Measure {
	case MeasureRate:
		return fmt.Sprintf("its rate is %s, its share at the others' median %s",
			plaintext.PerSecond(r.Value), plaintext.PerSecond(r.Others))
	case MeasureLateness:
		return fmt.Sprintf("its lateness has a p99 of %s, the others' median %s",
			Duration.Format(r.Value), Duration.Format(r.Others))
	case MeasureCPU:
		return fmt.Sprintf("an operation takes %s of its processors, the others' median %s",
			Duration.Format(r.Value), Duration.Format(r.Others))
	}
	return fmt.Sprintf("its %s is %s, the others' median %s",
		r.Measure, Duration.Format(r.Value), Duration.Format(r.Others))
}

// Off returns the agents that are off from the others, in the order of List. It compares agents
// that drive, and that neither failed nor were lost; with fewer than two of these it returns nil.
// An agent is off if
//
//   - its p99 is more than 1.5 times the median of the others', and more than 1 ms above it. Agents
//     with fewer than 100 operations aren't compared by it.
//   - its rate is below 90% of its share. In an open load the share is the agent's planned rate, and
//     in a closed load, which has no plan, its devices; rate per share is compared with the others'
//     median, so that failures that all agents have make none of them off.
//   - the p99 of its lateness is more than 5 ms, and more than 3 times the others' median.
//   - an operation takes more than 1.5 times as much processor time as the others' median.
//
// If there are only two agents to compare, the factor is 2 where it would be 1.5, and the share
// half instead of 90%.
func (a *Agents) Off() (list []AgentOff) {
	if a == nil {
		return nil
	}
	var compared []int
	open := false
	for i, agent := range a.List {
		if agent.Role.Drives() && (agent.Status == AgentFinished || agent.Status == AgentStopped) {
			compared = append(compared, i)
			open = open || agent.PlannedRate > 0
		}
	}
	reasons := map[int][]OffReason{}
	for _, m := range offMeasures(open, len(compared) == 2) {
		var measured []int
		var values []float64
		for _, i := range compared {
			if v := m.value(a.List[i]); v >= 0 {
				measured, values = append(measured, i), append(values, v)
			}
		}
		if len(values) < 2 {
			continue
		}
		sorted := slices.Sorted(slices.Values(values))
		for at, i := range measured {
			if others := medianOfOthers(sorted, values[at]); m.off(values[at], others) {
				scale := m.scale(a.List[i])
				reasons[i] = append(reasons[i], OffReason{m.measure, values[at] * scale, others * scale})
			}
		}
	}
	for _, i := range compared {
		if len(reasons[i]) > 0 {
			list = append(list, AgentOff{a.List[i].Name, a.List[i].Index, reasons[i]})
		}
	}
	return list
}

// An offMeasure compares agents by one measure.
type offMeasure struct {
	measure AgentMeasure
	value   func(a Agent) float64            // what is compared; negative if the agent has none
	scale   func(a Agent) float64            // times a compared value, it is what is shown
	off     func(value, others float64) bool // others is the median of the others' values
}

func offMeasures(open, two bool) []offMeasure {
	p99Factor, rateShare, cpuFactor := offP99Factor, offRateShare, offCPUFactor
	if two {
		p99Factor, rateShare, cpuFactor = offFactorOfTwo, 1.0/offFactorOfTwo, offFactorOfTwo
	}
	share := func(a Agent) float64 {
		if open {
			return a.PlannedRate
		}
		return float64(a.Devices)
	}
	one := func(Agent) float64 { return 1 }
	known := func(v float64, is bool) float64 {
		if !is {
			return -1
		}
		return v
	}
	return []offMeasure{
		{
			MeasureP99, func(a Agent) float64 { return known(float64(a.P99NS), a.P99NS > 0 && a.Operations >= offP99Operations) }, one,
			func(v, others float64) bool { return v > p99Factor*others && v > others+offP99ExcessNS },
		},
		{
			MeasureRate, func(a Agent) float64 { return known(a.Rate/share(a), share(a) > 0) }, share,
			func(v, others float64) bool { return v < rateShare*others },
		},
		{
			MeasureLateness, func(a Agent) float64 { return float64(a.LatenessP99NS) }, one,
			func(v, others float64) bool { return v > offLatenessNS && v > offLatenessFactor*others },
		},
		{
			MeasureCPU, func(a Agent) float64 { return known(a.CPUNSPerOp, a.CPUNSPerOp > 0) }, one,
			func(v, others float64) bool { return v > cpuFactor*others },
		},
	}
}

// medianOfOthers returns the median of sorted without one value that equals v. There must be at
// least two values.
func medianOfOthers(sorted []float64, v float64) float64 {
	without, _ := slices.BinarySearch(sorted, v)
	at := func(i int) float64 {
		if i >= without {
			i++
		}
		return sorted[i]
	}
	n := len(sorted) - 1
	return (at((n-1)/2) + at(n/2)) / 2
}
