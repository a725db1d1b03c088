package runner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// findBreakpoint searches the highest rate that still holds. Each rate is tried from a clean slate and
// for breakpoint.probe. It returns how the highest one went.
func (r *runner) findBreakpoint(ctx context.Context, rep Repetition) (*measured, error) {
	spec := r.spec.Load
	b := spec.Breakpoint.WithDefaults()
	s := &load.Search{From: float64(spec.Rate), To: float64(b.To), Tolerance: float64(b.Tolerance)}
	began := time.Now()
	var best, last *measured
	var why string             // the lowest rate that failed did so
	var elsewhere string       // and, where that isn't the devices' doing, what limited it
	var quickest time.Duration // operations of a rate that held took so long
	for rate, ok := s.Next(); ok; rate, ok = s.Next() {
		rep.Rate, rep.Duration = rate, b.TrialDuration.Std()
		trends := &trends{lasts: b.TrialDuration.Std()}
		m, err := r.attempt(ctx, task{Repetition: rep, load: atRate(spec, rate), hook: trends.hook})
		if err != nil {
			r.keepSearch(ctx, rep, s, best, m, began)
			return nil, err
		}
		last = m
		reason := exceeded(r.spec, m, trends.sum(), s.Tolerance)
		s.Report(reason == nil)
		if reason == nil {
			best = m
			if quickest == 0 || m.MeanBusy < quickest {
				quickest = m.MeanBusy
			}
		} else {
			why = fmt.Sprintf("%s didn't: %v", plaintext.PerSecond(rate), reason)
			elsewhere = health.Trial{Rate: rate, To: s.To, Findings: m.findings, Pacing: m.pacing, Quickest: quickest}.LimitElsewhere()
		}
	}
	switch {
	case best == nil:
		r.invalid(health.Finding{Kind: health.NoLimit, Detail: why + "; " + cmp.Or(elsewhere, "begin lower (load.rate)")})
		none := load.NewRecording(load.RecordingConfig{Op: spec.Operation, Planned: true})
		best = &measured{started: time.Now(), counts: r.claims.count()}
		best.latencies, _ = none.Merge()
		best.Operations = last.Operations
	case s.Failed == 0:
		r.note(fmt.Sprintf("%s held, the highest rate that was to be tried (load.breakpoint.to): the limit lies above", plaintext.PerSecond(s.Held)))
	default:
		r.note(fmt.Sprintf("%s held; %s", plaintext.PerSecond(s.Held), why))
		if elsewhere != "" {
			r.invalid(health.Finding{Kind: health.LimitElsewhere, Detail: fmt.Sprintf("the limit that was found, %s, isn't the devices': %s", plaintext.PerSecond(s.Held), elsewhere)})
		}
	}
	best.limit = s.Held
	best.failures, best.excerpts = last.failures, last.excerpts // a rate that held has few
	return best, nil
}

// trends follows the response times of a rate that is tried, by one trend for each recorder.
type trends struct {
	lasts time.Duration
	all   []*load.Trend
}

func (t *trends) hook() load.Hook {
	trend := load.NewTrend(t.lasts)
	t.all = append(t.all, trend)
	return trend
}

func (t *trends) sum() *load.Trend {
	sum := load.NewTrend(t.lasts)
	for _, trend := range t.all {
		sum.Merge(trend)
	}
	return sum
}

// zScore is how many standard errors growth must be above what is allowed.
const zScore = 2

// exceeded returns the reason why the rate of a trial doesn't hold, or nil if it does.
//
// Whatever the thresholds say, a rate is beyond the limit where operations pile up: each second's wait
// longer than those of the second before. At half of the tolerance above the limit, they do so by that
// half.
func exceeded(s scenarios.Spec, m *measured, trend *load.Trend, tolerance float64) *health.Finding {
	because := func(format string, args ...any) *health.Finding {
		return &health.Finding{Kind: health.RateExceeded, Detail: fmt.Sprintf(format, args...)}
	}
	growth, uncertain, known := trend.Growth()
	ended := m.Succeeded + m.Failed
	if o := m.Operations; o.NotSent > 0 {
		return because("%s of %s operations were not sent in time", plaintext.Thousands(o.NotSent), plaintext.Thousands(o.Planned))
	}
	if records := m.records(s, 1); len(records) > 0 {
		for _, t := range s.Thresholds {
			t.Min = 1 // a trial is short, and judged by what it has
			if o := t.Outcome(s.Load, records); !o.Held {
				return because("the threshold %s failed", t)
			}
		}
	}
	switch i := slices.IndexFunc(m.findings, isOfRate); {
	case !known:
		return because("%s of %s operations failed, and hardly any succeeded", plaintext.Thousands(m.Failed), plaintext.Thousands(ended))
	case growth > tolerance/2+zScore*uncertain:
		return because("operations pile up: response times grew by %.1f%% of the time that passed", 100*growth)
	case i >= 0:
		return &m.findings[i]
	case len(s.Thresholds) == 0 && m.Failed > 0:
		return because("%s of %s operations failed", plaintext.Thousands(m.Failed), plaintext.Thousands(ended))
	}
	return nil
}
