package cluster

import (
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// figures add up what one agent measured in the timed repetitions.
type figures struct {
	op       delivery.Op     // that the load asks for
	times    *load.Latencies // of that operation
	lateness *load.Lateness  // nil without a plan

	operations     int64
	counts         *results.Counts
	rates, planned []float64 // per second, one for each repetition
	cpu            time.Duration
	window         time.Duration
	sent, received uint64 // bytes
	trafficKnown   bool
}

func newFigures(s portion.Shape) *figures {
	f := &figures{
		op: s.Ops[len(s.Ops)-1], times: load.NewLatencies(s.Planned, s.Longest), trafficKnown: true,
	}
	if s.Planned {
		f.lateness = load.NewLateness(s.Longest)
	}
	return f
}

// addFigures adds what each driver measured in a timed repetition to its figures. All rates are those
// of the window that the drivers have in common.
func (r *session) addFigures(list []*portion.Portion) error {
	var window time.Duration
	for _, p := range list {
		if window = max(window, time.Duration(p.ElapsedNS)); p.Operations.PlanNS > 0 {
			window = time.Duration(p.Operations.PlanNS)
			break
		}
	}
	for i, m := range r.drivers {
		sum, err := r.shape.Merge([]string{m.Name}, list[i:i+1])
		if err != nil {
			return err
		}
		m.figures.add(sum, window)
	}
	return nil
}

func (f *figures) add(s *portion.Sum, window time.Duration) {
	f.times.Merge(s.Times[f.op])
	if f.lateness != nil && s.Lateness != nil {
		f.lateness.Merge(s.Lateness)
	}
	f.operations += s.Succeeded + s.Failed
	if f.counts == nil {
		f.counts = &s.Counts
	}
	*f.counts = f.counts.Worst(s.Counts)
	succeeded := s.Succeeded
	if s.Operations.PlanNS > 0 {
		succeeded = s.Operations.SucceededInPlan
		f.planned = append(f.planned, float64(s.Operations.Planned)/window.Seconds())
	}
	f.rates = append(f.rates, float64(succeeded)/window.Seconds())
	f.cpu += time.Duration(s.Usage.CPUNS)
	if s.Processes != nil {
		f.cpu += time.Duration(s.Processes.CPUNS - s.Usage.CPUNS)
	}
	f.window += window
	if f.trafficKnown = f.trafficKnown && s.Traffic != nil; f.trafficKnown {
		f.sent, f.received = f.sent+s.Traffic.BytesWritten, f.received+s.Traffic.BytesRead
	}
}

// addTo sets the figures of an agent. It leaves them 0 if no repetition was completed.
func (f *figures) addTo(a *results.Agent) {
	if f.counts == nil {
		return
	}
	a.Counts, a.Operations, a.Rate = *f.counts, f.operations, median(f.rates)
	if len(f.planned) > 0 {
		a.PlannedRate = median(f.planned)
	}
	a.P50NS, a.P99NS = f.times.Response.ValueAtQuantile(50), f.times.Response.ValueAtQuantile(99)
	if f.lateness != nil {
		a.LatenessP99NS = f.lateness.All().ValueAtQuantile(99)
	}
	if f.operations > 0 {
		a.CPUNSPerOp = float64(f.cpu) / float64(f.operations)
	}
	if f.trafficKnown && f.window > 0 {
		a.SentPerSecond, a.ReceivedPerSecond = float64(f.sent)/f.window.Seconds(), float64(f.received)/f.window.Seconds()
	}
}

// median returns the median of values, of which there is at least one.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
