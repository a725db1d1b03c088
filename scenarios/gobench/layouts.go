package gobench

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
)

// roundsPerLayout is how often a benchmark is measured in a layout. More rounds would say more
// about that layout, but nothing about how much layouts differ, which the judgment rests on.
const roundsPerLayout = 2

// layouts settles what one layout of the code left open. It links the test binaries of both sides
// again and again with their functions in another order, and judges how they differ across the
// layouts.
func (c *comparison) layouts(ctx context.Context) error {
	out := c.outcome
	unsettled := c.result.Unsettled()
	if len(unsettled) == 0 || c.LayoutBudget <= 0 {
		return nil
	}
	again := *c // a comparison with a test of its own, of what is unsettled
	again.test = sequential.New(sequential.Options{
		Units: c.unit, Only: unsettled, Rest: true, Means: true, Weight: c.result.LayoutWeight(),
	})
	again.targets = nil
	for _, t := range c.targets {
		isOf := func(k sequential.Key) bool { return k.Scenario == t.Package && k.Op == t.Short() }
		if slices.ContainsFunc(unsettled, isOf) {
			again.targets = append(again.targets, new(*t))
		}
	}
	l := &layouts{&again}
	seed := uint64(0)
	found, elapsed, err := c.decide(l.test, c.LayoutBudget, func() (open int, err error) {
		seed++
		err = l.measure(ctx, seed)
		return len(l.open()), err
	})
	if failed, ok := errors.AsType[*checkout.Error](err); ok { // the verdict of one layout stands
		out.Relinking = failed
		return nil
	}
	if err != nil {
		return err
	}
	out.Layouts, out.LayoutsElapsed = l.test.Pairs(), elapsed
	out.Judgement = judge.Sequential(c.result.AcrossLayouts(found, l.test.Pairs()), nil)
	return nil
}

// A layouts is a comparison that measures one layout after another.
type layouts struct{ *comparison }

// measure builds a layout and measures the open targets in it.
func (l *layouts) measure(ctx context.Context, seed uint64) error {
	open := l.open()
	linked, err := relink(ctx, open, seed)
	if err != nil {
		return err
	}
	var base, now [2 * roundsPerLayout][]results.Record
	for _, t := range open {
		var olds, news []*block
		for range roundsPerLayout {
			blocks, broke, err := l.turns(ctx, t.Benchmark, t.iterations, linked[t.base], linked[t.now])
			if err != nil {
				if err := l.abandon(t, broke, err); err != nil {
					return err
				}
				break
			}
			olds, news = append(olds, blocks[linked[t.base]]...), append(news, blocks[linked[t.now]]...)
		}
		if t.failed {
			continue
		}
		for i := range base {
			base[i], now[i] = append(base[i], olds[i].record), append(now[i], news[i].record)
		}
	}
	return l.test.Add(base[:], now[:])
}

// relink builds the test binaries of targets again, with their functions in an order that the
// random seed determines, the same on both sides. It maps each old binary to its new one.
func relink(ctx context.Context, targets []*target, seed uint64) (map[*binary]*binary, error) {
	linked := map[*binary]*binary{}
	for _, t := range targets {
		if linked[t.base] != nil {
			continue
		}
		both, err := buildConcurrently(ctx, func(ctx context.Context, side int) (*binary, error) {
			b := *[]*binary{t.base, t.now}[side]
			b.path += "-layout"
			problem := "the tests of " + b.pkg.ImportPath + " can't be linked with their functions in another order"
			err := b.build(ctx, fmt.Sprintf("-ldflags=-randlayout=%d", seed))
			return &b, b.tree.BuildError(err, problem, "the go command says why")
		})
		if err != nil {
			return nil, err
		}
		linked[t.base], linked[t.now] = both[0], both[1]
	}
	return linked, nil
}

// abandon leaves a target open if it can't be measured in a layout. It returns err unless that is a
// [*problem].
func (l *layouts) abandon(t *target, b *binary, err error) error {
	p, ok := errors.AsType[*problem](err)
	if !ok {
		return err
	}
	t.failed = true
	text, err := l.describe(p, b, t.Benchmark)
	reason := judge.Reason{Code: judge.FailsInOtherLayout, Side: judge.Side(b.tree.Side), Text: text}
	l.test.Abandon(t.key(), sequential.Unclear, reason)
	return err
}
