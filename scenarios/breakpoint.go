package scenarios

import (
	"context"
	"fmt"
	"time"
)

// limitUnit is the metric of what a search has found.
const limitUnit = "limit-ops/s"

// probe is one rate of a search under way.
type probe struct {
	rate   float64
	doubts []string // of the fleet's health and the harness's
}

// breakpoint searches the highest rate that still holds, each rate from a clean slate
// and for breakpoint.probe. What it gives is how the highest one went.
func (r *runner) breakpoint(ctx context.Context, step Step) (*measured, error) {
	load := r.spec.Load
	b := load.Breakpoint.withDefaults()
	s := &search{from: float64(load.Rate), to: float64(b.To), within: float64(b.Within)}
	defer r.endProbe()
	var best *measured
	var why string
	for rate, ok := s.next(); ok; rate, ok = s.next() {
		r.beginProbe(rate, b)
		step.Rate, step.Duration = rate, b.Probe.Std()
		m, err := r.attempt(ctx, step, load.atRate(rate))
		if err != nil {
			return nil, err
		}
		problem := r.beyond(m, s.within)
		s.tell(problem == "")
		if problem == "" {
			best = m
		} else {
			why = fmt.Sprintf("%.4g/s didn't: %s", rate, problem)
		}
	}
	r.endProbe()
	switch {
	case best == nil:
		r.invalid(fmt.Sprintf("the search has no lower end: %s; begin lower (load.rate)", why))
		ops, _ := merged(nil, load)
		return &measured{ops: ops, started: time.Now(), counts: r.claims.count()}, nil
	case s.failed == 0:
		r.note(fmt.Sprintf("%.4g/s held, the highest rate that was to be tried (load.breakpoint.to): the limit lies above", s.held))
	default:
		r.note(fmt.Sprintf("%.4g/s held; %s", s.held, why))
	}
	best.limit = s.held
	return best, nil
}

// atRate is the load of one probe.
func (l LoadSpec) atRate(rate float64) LoadSpec {
	l.Model, l.Rate, l.Duration, l.Breakpoint = Constant, Rate(rate), l.Breakpoint.withDefaults().Probe, Breakpoint{}
	return l
}

func (r *runner) beginProbe(rate float64, b Breakpoint) {
	r.probe = &probe{rate: rate}
	for _, rec := range r.recorders {
		rec.trend = &trend{lasts: b.Probe.Std()}
	}
}

func (r *runner) endProbe() {
	r.probe = nil
	for _, rec := range r.recorders {
		rec.trend = nil
	}
}

func (b Breakpoint) withDefaults() Breakpoint {
	if b.Probe == 0 {
		b.Probe = defaultProbe
	}
	if b.Within == 0 {
		b.Within = defaultPrecise
	}
	return b
}

// certainly is how many standard errors growth must be above what is allowed.
const certainly = 2

// beyond says why the rate that was just tried doesn't hold; empty is that it does.
//
// Whatever the thresholds say, a rate is beyond the limit where operations pile up: each
// second's wait longer than those of the second before. At half of the exactness that is wanted
// above the limit, they do so by that half.
func (r *runner) beyond(m *measured, within float64) string {
	all := &trend{lasts: r.recorders[0].trend.lasts}
	for _, rec := range r.recorders {
		all.merge(rec.trend)
	}
	growth, uncertain, known := all.growth()
	switch {
	case !known:
		return fmt.Sprintf("%d of %d operations failed, and hardly any succeeded", m.failed, m.done+m.failed)
	case growth > within/2+certainly*uncertain:
		return fmt.Sprintf("operations pile up: response times grew by %.1f%% of the time that passed", 100*growth)
	case len(r.probe.doubts) > 0:
		return r.probe.doubts[0]
	case len(r.spec.Thresholds) == 0 && m.failed > 0:
		return fmt.Sprintf("%d of %d operations failed", m.failed, m.done+m.failed)
	}
	records := m.records(r.spec, 1)
	for _, t := range r.spec.Thresholds {
		if o := t.check(r.spec.Load, records); !o.Held {
			return fmt.Sprintf("the threshold %s failed", t)
		}
	}
	return ""
}
