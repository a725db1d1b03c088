package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// partialWithin is how long an interrupted run may take to read the ledger of what was broken off.
const partialWithin = 10 * time.Second

// keepPartial keeps what a timed repetition came to that an interruption broke off, half an hour of a
// soak as it may be. A probe of a search is a part of it only; see keepSearch.
func (r *runner) keepPartial(ctx context.Context, step Step, m *measured, u *delivery.Update) {
	if cause := context.Cause(ctx); errors.Is(cause, target.ErrExited) || errors.Is(cause, errFleetLost) {
		return // not broken off by the user: nothing of it can be believed
	}
	if step.Kind != Timed || r.probe != nil || m.Succeeded+m.Failed == 0 {
		return
	}
	p := r.newPartial(step, m)
	p.PlannedSeconds, p.Planned = step.Duration.Seconds(), step.Planned
	p.Counts, p.Unwitnessed = r.claims.count(), "these devices keep no ledger"
	if w := r.target.Witness(); w != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), partialWithin)
		defer cancel()
		// ctx has ended, so that what was under way then is no contradiction.
		counts, contradictions, err := r.claims.reconcile(ctx, r.seen(r.claims.sincePrimed(w.Ledger(late))), u, r.spec.Load.Operation)
		if err != nil {
			p.Unwitnessed = err.Error()
		} else {
			p.Counts, p.Unwitnessed, p.Contradictions = counts, "", contradictions
		}
	}
	r.addPartial(step, m, p)
}

// keepSearch keeps how far a search had come: the highest rate that held, and how that went.
func (r *runner) keepSearch(ctx context.Context, step Step, s *load.Search, best *measured, began time.Time) {
	if cause := context.Cause(ctx); ctx.Err() == nil || errors.Is(cause, target.ErrExited) || errors.Is(cause, errFleetLost) || best == nil {
		return
	}
	best.limit = s.Held
	p := r.newPartial(step, best)
	p.Seconds, p.Counts = time.Since(began).Seconds(), best.counts
	p.Search = fmt.Sprintf("%.4g/s held, the highest rate that was tried so far: the limit lies above", s.Held)
	if s.Failed > 0 {
		p.Search = fmt.Sprintf("%.4g/s held so far, %.4g/s didn't: the limit lies between", s.Held, s.Failed)
	}
	if r.target.Witness() == nil {
		p.Unwitnessed = "these devices keep no ledger"
	}
	r.addPartial(step, best, p)
}

func (r *runner) newPartial(step Step, m *measured) *results.Partial {
	p := &results.Partial{Repetition: step.Number, Of: step.Of, Seconds: m.Elapsed.Seconds(), Succeeded: m.Succeeded, Failed: m.Failed}
	p.Take(m.records(r.spec, step.Number))
	return p
}

// addPartial puts it into the run, and its response times and failures beside. What can't be written is
// noted: the figures stand in run.json.
func (r *runner) addPartial(step Step, m *measured, p *results.Partial) {
	r.run.Partial = p
	log, head, err := newLatencyLog(r.run.Started)
	var parts []rundir.Chunk
	if err == nil {
		var latencies rundir.Chunk
		latencies, err = log.interval(r.spec.Load, m)
		parts = append(parts, rundir.Chunk{Name: rundir.PartialLatencyFile, Data: slices.Concat(head.Data, latencies.Data)})
	}
	if err == nil {
		var failed rundir.Chunk
		failed, err = r.failed(step)
		parts = append(parts, failed)
	}
	if err == nil {
		err = r.dir.AppendRepetition(nil, parts...)
	}
	if err != nil {
		r.note("the response times of the partial repetition could not be kept: " + strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}
