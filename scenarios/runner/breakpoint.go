package runner

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// findBreakpoint searches for the highest rate that holds. Each trial of a rate is a repetition of
// its own, which lasts breakpoint.probe, or longer if such a trial was unclear. findBreakpoint
// returns what the trial of the highest rate that held measured.
func (r *runner) findBreakpoint(ctx context.Context, rep Repetition) (*measured, error) {
	spec := r.spec.Load
	b := spec.Breakpoint.WithDefaults()
	s := &load.Search{From: float64(spec.Rate), To: float64(b.To), Tolerance: float64(b.Tolerance)}
	began := time.Now()
	var best, last *measured
	var why string             // why the lowest rate that failed did so, or why it is unclear
	var elsewhere string       // what else limited that rate; empty if the devices did
	var quickest time.Duration // the shortest mean time of an operation at a rate that held
	for rate, times, ok := s.Next(); ok; rate, times, ok = s.Next() {
		lasts := time.Duration(times) * b.TrialDuration.Std()
		rep.Rate, rep.Duration = rate, lasts
		trends := &trends{lasts: lasts}
		m, err := r.attempt(ctx, task{
			Repetition: rep, load: atRate(spec, rate, lasts), hook: trends.hook,
			intervals: newIntervalLog(nil, rep.Number, r.run.Started),
		})
		if err != nil {
			r.keepSearch(ctx, rep, s, best, m, began)
			return nil, err
		}
		last = m
		outcome, reason := judgeTrial(r.spec, m, trends.sum().Growth(), s.Tolerance)
		s.Report(outcome)
		switch {
		case outcome == load.Held:
			best = m
			if quickest == 0 || m.MeanBusy < quickest {
				quickest = m.MeanBusy
			}
		case s.Failed == rate: // the rate failed, and isn't tried again
			what := "didn't"
			if outcome == load.Unclear {
				what = "is unclear"
			}
			why = fmt.Sprintf("%s %s: %s", plaintext.PerSecond(rate), what, reason)
			elsewhere = health.Trial{
				Rate: rate, To: s.To, Findings: m.findings, Pacing: m.pacing, Quickest: quickest,
			}.LimitElsewhere()
		}
	}
	switch {
	case best == nil:
		advice := "begin lower (load.rate)"
		if s.Uncertain {
			advice = calmerTrial
		}
		r.invalidate(health.Finding{Kind: health.NoLimit, Detail: why + "; " + cmp.Or(elsewhere, advice)})
		none := load.NewRecording(load.RecordingConfig{Op: spec.Operation, Planned: true})
		best = &measured{started: time.Now(), counts: r.claims.count().Counts}
		best.latencies, _ = none.Merge()
		best.Operations = last.Operations
	case s.Failed == 0:
		r.note(fmt.Sprintf("%s held, the highest rate that was to be tried (load.breakpoint.to): the limit lies above",
			plaintext.PerSecond(s.Held)))
	default:
		held := plaintext.PerSecond(s.Held)
		r.note(fmt.Sprintf("%s held; %s", held, why))
		if elsewhere != "" {
			r.invalidate(health.Finding{Kind: health.LimitElsewhere,
				Detail: fmt.Sprintf("the limit that was found, %s, isn't the devices': %s", held, elsewhere)})
		} else if s.Uncertain {
			r.invalidate(health.Finding{Kind: health.LimitUncertain,
				Detail: fmt.Sprintf("the limit that was found, %s, may be too low: %s; %s", held, why, calmerTrial)})
		}
	}
	best.limit = s.Held
	best.failures, best.excerpts = last.failures, last.excerpts // a rate that held has few failures
	return best, nil
}

// trends follows the response times of one trial, with a trend for each recorder.
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

// calmerTrial is the advice if trials were unclear.
const calmerTrial = "have the machine to yourself, or try longer (load.breakpoint.probe)"

// judgeTrial returns the outcome of a trial. The reason says why the rate doesn't hold, or why that
// is unclear. It is empty if the rate holds.
//
// Whatever the thresholds say, a rate is beyond the limit if operations pile up, so that each waits
// longer than the one before; [load.Growth.Outcome] says how much response times may grow.
func judgeTrial(s scenarios.Spec, m *measured, growth load.Growth, tolerance float64) (load.TrialOutcome, string) {
	exceeded := func(format string, args ...any) (load.TrialOutcome, string) {
		return load.Exceeded, fmt.Sprintf(format, args...)
	}
	ended := m.Succeeded + m.Failed
	if o := m.Operations; o.NotSent > 0 {
		return exceeded("%s of %s operations were not sent in time",
			plaintext.Thousands(o.NotSent), plaintext.Thousands(o.Planned))
	}
	if records := m.records(s, 1); len(records) > 0 {
		for _, t := range s.Thresholds {
			t.Min = 1 // a trial is short, so its percentiles have few operations
			if o := t.Outcome(s.Load, records, m.groups); !o.Held {
				return exceeded("the threshold %s failed", t)
			}
		}
	}
	outcome, tooFew := growth.Outcome(tolerance), math.IsInf(growth.Margin, 1)
	switch i := slices.IndexFunc(m.findings, isOfRate); {
	case tooFew && m.Failed > 0:
		return exceeded("%s of %s operations failed, and hardly any succeeded",
			plaintext.Thousands(m.Failed), plaintext.Thousands(ended))
	case outcome == load.Exceeded:
		return exceeded("operations pile up: response times grew by %.1f%% of the time that passed", 100*growth.PerSecond)
	case i >= 0:
		return exceeded("%v", m.findings[i])
	case len(s.Thresholds) == 0 && m.Failed > 0:
		return exceeded("%s of %s operations failed", plaintext.Thousands(m.Failed), plaintext.Thousands(ended))
	case tooFew:
		return load.Unclear, fmt.Sprintf("%s operations are too few to tell whether they pile up", plaintext.Thousands(ended))
	case outcome == load.Unclear:
		return load.Unclear, fmt.Sprintf(
			"response times grew by %.1f%% of the time that passed, give or take %.1f%%, where up to %.1f%% would do",
			100*growth.PerSecond, 100*growth.Margin, 100*tolerance)
	}
	return load.Held, ""
}
