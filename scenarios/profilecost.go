package scenarios

import "github.com/fleetmark/fleetmark/results"

// costOfProfiling holds the processor time of the profiled repetitions against that of the timed ones.
func (r *runner) costOfProfiling(step Step, m *measured) {
	operations := m.done + m.failed
	// A search's timed repetition is one at many rates, and its profiled one at one of them.
	if r.spec.Load.Model == Breaking || operations == 0 || m.cost.processor == 0 {
		return
	}
	if r.perOperation == nil {
		r.perOperation = map[Kind][]float64{}
	}
	r.perOperation[step.Kind] = append(r.perOperation[step.Kind], float64(m.cost.processor)/float64(operations))
	timed, profiled := r.perOperation[Timed], r.perOperation[Profiled]
	if len(timed) > 0 && len(profiled) > 0 {
		r.run.Harness.Profiling = results.NewProfiling(timed, profiled)
	}
}
