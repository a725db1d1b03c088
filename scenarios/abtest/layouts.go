package abtest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
)

// pairsOfLayout is how many pairs are measured in a layout. More would say more about that layout,
// and nothing about how much it differs from others, which the judgement rests on.
const pairsOfLayout = 4

// layouts settles what one layout of the code left open: both sides are linked again and again,
// with their functions in another order, and judged by how they differ across the layouts.
func (r *runner) layouts(ctx context.Context) error {
	unsettled := r.found.Unsettled()
	if len(unsettled) == 0 {
		return nil
	}
	budget, began := r.o.LayoutBudget, time.Now()
	if budget == 0 {
		budget = DefaultLayoutBudget
	}
	over := sequential.New(sequential.Options{Means: true, Weight: r.found.LayoutWeight()})
	var specs []int
	for i, s := range r.o.Specs {
		if slices.ContainsFunc(unsettled, func(k sequential.Key) bool { return k.Scenario == s.Name }) {
			specs = append(specs, i)
		}
	}
	for seed := uint64(1); ; seed++ {
		base, now, err := r.o.Sides.Relink(ctx, seed)
		if failed, ok := errors.AsType[*checkout.Error](err); ok { // the verdict of one layout stands
			r.outcome.Relinking = failed
			return nil
		}
		if err != nil {
			return err
		}
		var p blockPair
		var invalid []judge.Reason
		err = r.withDrivers(ctx, base, now, func() (err error) {
			p, invalid, err = r.layout(ctx, specs)
			return err
		})
		if err != nil {
			return err
		}
		if len(invalid) == 0 {
			if err := over.Add(only(p.Base, unsettled), only(p.Now, unsettled)); err != nil {
				return err
			}
		}
		elapsed := time.Since(began)
		if r.o.Progress != nil {
			r.o.Progress(Progress{
				Pairs: r.outcome.Pairs, Dropped: r.outcome.Dropped, Layouts: over.Pairs(),
				Elapsed: elapsed, Budget: budget,
			})
		}
		last := elapsed >= budget || !over.CanAddPair()
		if len(invalid) == 0 && !last && !over.AnalysisDue() {
			continue
		}
		found, decided := over.Analyze(last)
		if len(invalid) > 0 {
			found, decided = found.Invalidate(), true
		}
		if decided || last {
			r.outcome.Layouts, r.outcome.LayoutsElapsed = over.Pairs(), elapsed
			r.outcome.Judgement = judge.Sequential(r.found.AcrossLayouts(found, over.Pairs()), invalid)
			return nil
		}
	}
}

// layout measures the drivers of one layout. It returns reasons if what it measured can't be
// believed.
func (r *runner) layout(ctx context.Context, specs []int) (all blockPair, invalid []judge.Reason, err error) {
	if err := r.warmUp(ctx, specs); err != nil {
		return all, nil, err
	}
	if _, err := r.now.ask(ctx, request{Plant: &r.outcome.Planted}); err != nil {
		return all, nil, err
	}
	for pairs, dropped := 0, 0; pairs < pairsOfLayout; {
		p, good, contradicted, err := r.blocks(ctx, specs)
		switch {
		case err != nil:
			return all, nil, err
		case len(contradicted) > 0:
			return all, contradicted, nil
		case !good:
			if dropped++; dropped > minDropped {
				reason := judge.Reason{Code: judge.PairsDropped, N: dropped, Of: pairs + dropped, Text: r.dropped}
				return all, []judge.Reason{reason}, nil
			}
			continue
		}
		pairs++
		all.Base, all.Now = append(all.Base, p.Base...), append(all.Now, p.Now...)
	}
	return all, nil, nil
}

// only returns blocks with the values of keys alone.
func only(blocks [][]results.Record, keys []sequential.Key) [][]results.Record {
	kept := make([][]results.Record, len(blocks))
	for i, b := range blocks {
		for _, rec := range b {
			rec.Values = slices.DeleteFunc(slices.Clone(rec.Values), func(v results.Value) bool {
				return !slices.Contains(keys, sequential.Key{Scenario: rec.Scenario, Op: rec.Op, Unit: v.Unit})
			})
			if len(rec.Values) > 0 {
				kept[i] = append(kept[i], rec)
			}
		}
	}
	return kept
}
