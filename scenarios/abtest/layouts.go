package abtest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/scenarios"
)

// pairsOfLayout is how many pairs are measured in a layout. More pairs would say more about that
// layout, but nothing about how much layouts differ, which the judgment rests on.
const pairsOfLayout = 4

// layouts settles what one layout of the code left open. It links both sides again and again with
// their functions in another order, and judges how they differ across the layouts.
func (c *comparison) layouts(ctx context.Context) error {
	unsettled := c.found.Unsettled()
	if len(unsettled) == 0 {
		return nil
	}
	began, seed := time.Now(), uint64(0)
	test := sequential.New(sequential.Options{
		Means: true, Weight: c.found.LayoutWeight(), Only: unsettled, Tolerances: c.Tolerances,
	})
	specs := c.indices(func(s scenarios.Spec) bool {
		return slices.ContainsFunc(unsettled, func(k sequential.Key) bool { return k.Scenario == s.Name })
	})
	found, invalid, err := c.decide(test, c.LayoutBudget, func() (invalid []judge.Reason, err error) {
		seed++
		base, now, err := c.Builds.Relink(ctx, seed)
		if err != nil {
			return nil, err
		}
		var p blockPair
		err = c.withDrivers(ctx, base, now, func() (err error) {
			p, err = c.layout(ctx, specs)
			return err
		})
		if err != nil || len(p.invalid) > 0 {
			return p.invalid, err
		}
		return nil, test.Add(p.base, p.now)
	})
	if failed, ok := errors.AsType[*checkout.Error](err); ok { // the verdict of one layout stands
		c.outcome.Relinking = failed
		return nil
	}
	if err != nil {
		return err
	}
	c.outcome.Layouts, c.outcome.LayoutsElapsed = test.Pairs(), time.Since(began)
	c.outcome.Judgement = judge.Sequential(c.found.AcrossLayouts(found, test.Pairs()), invalid)
	return nil
}

// layout measures the drivers of one layout, and returns all its blocks as one pair.
func (c *comparison) layout(ctx context.Context, specs []int) (all blockPair, err error) {
	if err := c.warmUp(ctx, specs); err != nil {
		return all, err
	}
	if _, err := c.now.call(ctx, request{Injection: &c.outcome.Injected}); err != nil {
		return all, err
	}
	for pairs, dropped := 0, 0; pairs < pairsOfLayout; {
		p, err := c.pair(ctx, specs)
		if err != nil || len(p.invalid) > 0 {
			return p, err
		}
		if p.unbelievable != "" {
			if dropped++; dropped > minDropped {
				p.invalid = pairsDropped(dropped, pairs+dropped, p)
				return p, nil
			}
			continue
		}
		pairs++
		all.base, all.now = append(all.base, p.base...), append(all.now, p.now...)
	}
	return all, nil
}
