package runner

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// partialTimeout is how long an interrupted run may take to read the fleet's ledger.
const partialTimeout = 10 * time.Second

const noLedger = "these devices keep no ledger"

// keepPartial returns what is kept of a timed repetition that was interrupted, which may have been
// a soak for half an hour. It returns nil for a search, whose trials keepSearch keeps, and if the
// fleet was lost, since nothing can be trusted then.
func (s *Session) keepPartial(ctx context.Context, t task, m *measured, u *delivery.Update) *results.Partial {
	if isTargetLost(context.Cause(ctx)) || t.Phase != Timed || t.isTrial() || m.Succeeded+m.Failed == 0 {
		return nil
	}
	counts, unwitnessed, contradictions := s.claims.count(), noLedger, []string(nil)
	if w := s.target.Witness(); w != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), partialTimeout)
		defer cancel()
		// Operations that ran when ctx ended are no contradiction. reconcile gets ctx to know that.
		ledger := m.annotateFailures(s.claims.minusOffset(w.Ledger(late)))
		reconciled, found, err := s.compare(ctx, m, ledger, u)
		if err != nil {
			unwitnessed = err.Error()
		} else {
			counts, unwitnessed, contradictions = reconciled, "", found
		}
	}
	m.counts = counts.Counts // before the figures are made, since some are shares of the fleet
	p := newPartial(t.Repetition, s.spec, m)
	p.PlannedSeconds, p.Planned = t.Duration.Seconds(), t.Planned
	p.Counts, p.Unwitnessed, p.Contradictions = counts.Counts, unwitnessed, contradictions
	return p
}

// newPartial returns the figures of a repetition as a partial one.
func newPartial(rep Repetition, spec scenarios.Spec, m *measured) *results.Partial {
	p := &results.Partial{
		Repetition: rep.Number, Of: rep.Total, Seconds: m.Elapsed.Seconds(), Succeeded: m.Succeeded, Failed: m.Failed,
	}
	p.Take(m.records(spec, rep.Number))
	return p
}

// keepSearch keeps the state of an interrupted search: the highest rate that held, and what its
// trial measured. From the running trial, which is nil if none had begun, it keeps the failures.
func (r *runner) keepSearch(
	ctx context.Context, rep Repetition, s *load.Search, best, underWay *measured, began time.Time,
) {
	if ctx.Err() == nil || isTargetLost(context.Cause(ctx)) || best == nil {
		return
	}
	best.limit, best.failures, best.excerpts = s.Held, nil, nil
	if underWay != nil {
		best.failures, best.excerpts = underWay.failures, underWay.excerpts
	}
	p := newPartial(rep, r.spec, best)
	p.Seconds, p.Counts = time.Since(began).Seconds(), best.counts
	p.Search = fmt.Sprintf("%.4g/s held, the highest rate that was tried so far: the limit lies above", s.Held)
	if s.Failed > 0 {
		p.Search = fmt.Sprintf("%.4g/s held so far, %.4g/s didn't: the limit lies between", s.Held, s.Failed)
	}
	if r.target.Witness() == nil {
		p.Unwitnessed = noLedger
	}
	best.partial = p
	r.appendPartial(rep, r.spec, best)
}

// appendPartial adds the figures of an interrupted repetition to run.json, and writes its failures
// and those of its intervals that aren't written yet to files beside it. If the files can't be
// written, it adds a note to the run.
func (j *journal) appendPartial(rep Repetition, spec scenarios.Spec, m *measured) {
	j.run.Partial = m.partial
	failed, err := m.failureLines(rep, spec)
	if err == nil && m.intervals != nil {
		if err = m.intervals.failed; err == nil {
			err = j.dir.AppendPartial(m.intervals.partialChunks()...)
		}
	}
	if err == nil {
		err = j.dir.AppendRepetition(nil, failed)
	}
	if err != nil {
		j.note("the intervals of the partial repetition could not be kept: " +
			strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}
