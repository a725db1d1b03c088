package runner

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// probe is one rate of a search under way.
type probe struct {
	rate     float64
	lasts    time.Duration
	trends   []*load.Trend    // one a recorder
	findings []health.Finding // of the fleet's health and the harness's
}

// breakpoint searches the highest rate that still holds, each rate from a clean slate
// and for breakpoint.probe. What it gives is how the highest one went.
func (r *runner) breakpoint(ctx context.Context, step Step) (*measured, error) {
	spec := r.spec.Load
	b := spec.Breakpoint.WithDefaults()
	s := &load.Search{From: float64(spec.Rate), To: float64(b.To), Tolerance: float64(b.Tolerance)}
	defer func() { r.probe = nil }()
	began := time.Now()
	var best, last *measured
	var why string             // the lowest rate that failed did so
	var elsewhere string       // and, where that isn't the devices' doing, what limited it
	var quickest time.Duration // operations of a rate that held took so long
	for rate, ok := s.Next(); ok; rate, ok = s.Next() {
		r.probe = &probe{rate: rate, lasts: b.TrialDuration.Std()}
		step.Rate, step.Duration = rate, b.TrialDuration.Std()
		m, err := r.attempt(ctx, step, atRate(spec, rate))
		if err != nil {
			r.keepSearch(ctx, step, s, best, began)
			return nil, err
		}
		last = m
		problem := r.beyond(m, s.Tolerance)
		s.Report(problem == "")
		if problem == "" {
			best = m
			if quickest == 0 || m.MeanBusy < quickest {
				quickest = m.MeanBusy
			}
		} else {
			why = fmt.Sprintf("%s didn't: %s", plaintext.PerSecond(rate), problem)
			elsewhere = health.Trial{Rate: rate, To: s.To, Findings: r.probe.findings, Pacing: m.pacing, Quickest: quickest}.LimitElsewhere()
		}
	}
	r.probe = nil
	switch {
	case best == nil:
		r.invalid(health.Finding{Kind: health.NoLimit, Detail: why + "; " + cmp.Or(elsewhere, "begin lower (load.rate)")})
		none := load.NewRecording(load.RecordingConfig{Op: spec.Operation, Planned: true})
		m := &measured{started: time.Now(), counts: r.claims.count()}
		m.latencies, _ = none.Merge()
		m.Operations = last.Operations
		return m, nil
	case s.Failed == 0:
		r.note(fmt.Sprintf("%s held, the highest rate that was to be tried (load.breakpoint.to): the limit lies above", plaintext.PerSecond(s.Held)))
	default:
		r.note(fmt.Sprintf("%s held; %s", plaintext.PerSecond(s.Held), why))
		if elsewhere != "" {
			r.invalid(health.Finding{Kind: health.LimitElsewhere, Detail: fmt.Sprintf("the limit that was found, %s, isn't the devices': %s", plaintext.PerSecond(s.Held), elsewhere)})
		}
	}
	best.limit = s.Held
	return best, nil
}

// trend makes a trend of the rate that is tried, for one recorder.
func (p *probe) trend() load.Hook {
	t := load.NewTrend(p.lasts)
	p.trends = append(p.trends, t)
	return t
}

// certainly is how many standard errors growth must be above what is allowed.
const certainly = 2

// beyond says why the rate that was just tried doesn't hold; empty is that it does.
//
// Whatever the thresholds say, a rate is beyond the limit where operations pile up: each
// second's wait longer than those of the second before. At half of the exactness that is wanted
// above the limit, they do so by that half.
func (r *runner) beyond(m *measured, within float64) string {
	all := load.NewTrend(r.probe.lasts)
	for _, t := range r.probe.trends {
		all.Merge(t)
	}
	growth, uncertain, known := all.Growth()
	if o := m.Operations; o.NotSent > 0 {
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
		return fmt.Sprintf("%s of %s operations failed, and hardly any succeeded", plaintext.Thousands(m.Failed), plaintext.Thousands(m.Succeeded+m.Failed))
	case growth > within/2+certainly*uncertain:
		return fmt.Sprintf("operations pile up: response times grew by %.1f%% of the time that passed", 100*growth)
	case len(r.probe.findings) > 0:
		return r.probe.findings[0].String()
	case len(r.spec.Thresholds) == 0 && m.Failed > 0:
		return fmt.Sprintf("%s of %s operations failed", plaintext.Thousands(m.Failed), plaintext.Thousands(m.Succeeded+m.Failed))
	}
	return ""
}
