package runner

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
)

// probe is one rate of a search under way.
type probe struct {
	rate     float64
	findings []health.Finding // of the fleet's health and the harness's
}

// breakpoint searches the highest rate that still holds, each rate from a clean slate
// and for breakpoint.probe. What it gives is how the highest one went.
func (r *runner) breakpoint(ctx context.Context, step Step) (*measured, error) {
	load := r.spec.Load
	b := load.Breakpoint.WithDefaults()
	s := &search{from: float64(load.Rate), to: float64(b.To), within: float64(b.Within)}
	defer r.endProbe()
	began := time.Now()
	var best, last *measured
	var why string             // the lowest rate that failed did so
	var elsewhere string       // and, where that isn't the devices' doing, what limited it
	var quickest time.Duration // operations of a rate that held took so long
	for rate, ok := s.next(); ok; rate, ok = s.next() {
		r.beginProbe(rate, b)
		step.Rate, step.Duration = rate, b.Probe.Std()
		m, err := r.attempt(ctx, step, atRate(load, rate))
		if err != nil {
			r.keepSearch(ctx, step, s, best, began)
			return nil, err
		}
		last = m
		problem := r.beyond(m, s.within)
		s.tell(problem == "")
		if problem == "" {
			best = m
			if quickest == 0 || m.takes < quickest {
				quickest = m.takes
			}
		} else {
			why = fmt.Sprintf("%s didn't: %s", plaintext.PerSecond(rate), problem)
			elsewhere = health.Trial{Rate: rate, To: s.to, Findings: r.probe.findings, Pacing: m.pacing, Quickest: quickest}.LimitElsewhere()
		}
	}
	r.endProbe()
	switch {
	case best == nil:
		r.invalid(health.Finding{Kind: health.NoLimit, Detail: why + "; " + cmp.Or(elsewhere, "begin lower (load.rate)")})
		ops, _ := merged(nil, load)
		return &measured{ops: ops, started: time.Now(), counts: r.claims.count(), operations: last.operations}, nil
	case s.failed == 0:
		r.note(fmt.Sprintf("%s held, the highest rate that was to be tried (load.breakpoint.to): the limit lies above", plaintext.PerSecond(s.held)))
	default:
		r.note(fmt.Sprintf("%s held; %s", plaintext.PerSecond(s.held), why))
		if elsewhere != "" {
			r.invalid(health.Finding{Kind: health.LimitElsewhere, Detail: fmt.Sprintf("the limit that was found, %s, isn't the devices': %s", plaintext.PerSecond(s.held), elsewhere)})
		}
	}
	best.limit = s.held
	return best, nil
}

func (r *runner) beginProbe(rate float64, b scenarios.Breakpoint) {
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
	if o := m.operations; o.NotSent > 0 {
		return fmt.Sprintf("%s of %s operations were not sent in time", plaintext.Thousands(o.NotSent), plaintext.Thousands(o.Planned))
	}
	if records := m.records(r.spec, 1); len(records) > 0 {
		for _, t := range r.spec.Thresholds {
			t.Min = 1 // a probe is short, and judged by what it has
			if o := t.Outcome(r.spec.Load, records); !o.Held {
				return fmt.Sprintf("the threshold %s failed", t)
			}
		}
	}
	switch {
	case !known:
		return fmt.Sprintf("%s of %s operations failed, and hardly any succeeded", plaintext.Thousands(m.failed), plaintext.Thousands(m.done+m.failed))
	case growth > within/2+certainly*uncertain:
		return fmt.Sprintf("operations pile up: response times grew by %.1f%% of the time that passed", 100*growth)
	case len(r.probe.findings) > 0:
		return r.probe.findings[0].String()
	case len(r.spec.Thresholds) == 0 && m.failed > 0:
		return fmt.Sprintf("%s of %s operations failed", plaintext.Thousands(m.failed), plaintext.Thousands(m.done+m.failed))
	}
	return ""
}

// search looks for the highest rate that holds, between a lowest and a highest one. It is told what
// became of each rate that it gives, and knows nothing else: a table tests it.
//
// It goes up by doubling until a rate fails, then halves the gap, on a scale of
// ratios. On a machine that is shared a rate may fail for once; so one that failed is
// tried again before it counts.
type search struct {
	from, to float64 // operations a second
	within   float64 // how exactly the limit is wanted, of itself

	held   float64 // the highest rate that held; 0 is none
	failed float64 // the lowest that didn't; 0 is none
	again  bool    // the last rate failed once
	last   float64
}

// next is the rate to try; false is that the search is over.
func (s *search) next() (rate float64, ok bool) {
	switch {
	case s.again:
		return s.last, true
	case s.held == 0 && s.failed == 0:
		s.last = s.from
	case s.held == 0: // the lowest already fails
		return 0, false
	case s.failed == 0 && s.held >= s.to: // the limit is above the highest
		return 0, false
	case s.failed == 0:
		s.last = min(2*s.held, s.to)
	case s.failed/s.held-1 <= s.within:
		return 0, false
	default:
		s.last = math.Sqrt(s.held * s.failed)
	}
	return s.last, true
}

// tell says whether the rate that next gave held.
func (s *search) tell(held bool) {
	switch {
	case held:
		s.held, s.again = s.last, false
	case !s.again:
		s.again = true
	default:
		s.failed, s.again = s.last, false
	}
}

// trend is how response times went over the time of a load, by quarters of it. Where
// operations come faster than they are done, each waits longer than the one before.
type trend struct {
	lasts    time.Duration
	quarters [4]moment
}

// moment is what a mean and its standard error are worked out from.
type moment struct{ n, sum, squares float64 }

func (m moment) mean() float64 { return m.sum / m.n }

// error2 is the square of the mean's standard error.
func (m moment) error2() float64 {
	if m.n < 2 {
		return 0
	}
	return max(0, m.squares-m.sum*m.sum/m.n) / (m.n - 1) / m.n
}

// add takes an operation by when it was planned.
func (t *trend) add(planned, response time.Duration) {
	q := &t.quarters[min(len(t.quarters)-1, int(4*planned/t.lasts))]
	q.n++
	q.sum += response.Seconds()
	q.squares += response.Seconds() * response.Seconds()
}

func (t *trend) merge(other *trend) {
	for i, q := range other.quarters {
		t.quarters[i].n += q.n
		t.quarters[i].sum += q.sum
		t.quarters[i].squares += q.squares
	}
}

// growth is by how much response times grew over a second of the load, from its second
// quarter to its last, and the standard error of that. The first quarter is left out: it
// has the opening of connections. A load at a rate r times what is served grows by (r-1)/r.
func (t *trend) growth() (perSecond, standardError float64, ok bool) {
	early, late := t.quarters[1], t.quarters[3]
	if early.n == 0 || late.n == 0 {
		return 0, 0, false
	}
	apart := t.lasts.Seconds() / 2
	return (late.mean() - early.mean()) / apart, math.Sqrt(early.error2()+late.error2()) / apart, true
}
