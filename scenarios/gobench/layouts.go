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

// roundsOfLayout is how often a benchmark is measured in a layout. More would say more of that one, and
// nothing of how much it differs from others, which is what the judgement wants.
const roundsOfLayout = 2

// layouts settles what one layout of the code left open: the test binaries of both sides are linked again and
// again, with their functions in another order, and judged by how they differ across the layouts.
func (c *comparison) layouts(ctx context.Context) error {
	out := c.outcome
	unsettled := c.found.Unsettled()
	if len(unsettled) == 0 || c.LayoutBudget <= 0 {
		return nil
	}
	again := *c // with a test of its own, of what is unsettled
	again.test = sequential.New(sequential.Options{
		Units: c.unit, Only: unsettled, Rest: true, Means: true, Weight: c.found.LayoutWeight(),
	})
	again.targets = nil
	for _, t := range c.targets {
		if slices.ContainsFunc(unsettled, func(k sequential.Key) bool { return k.Scenario == t.Package && k.Op == t.Short() }) {
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
	out.Judgement = judge.Sequential(c.found.AcrossLayouts(found, l.test.Pairs()), nil)
	return nil
}

// layouts measures one layout after the other.
type layouts struct{ *comparison }

// measure builds a layout and measures the open targets in it.
func (l *layouts) measure(ctx context.Context, seed uint64) error {
	open := l.open()
	linked, err := relink(ctx, open, seed)
	if err != nil {
		return err
	}
	var base, now [2 * roundsOfLayout][]results.Record
	for _, t := range open {
		var olds, news []*block
		for range roundsOfLayout {
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

// relink builds the test binaries of some targets again, with their functions in an order drawn by seed,
// which is the same on either side.
func relink(ctx context.Context, targets []*target, seed uint64) (map[*binary]*binary, error) {
	linked := map[*binary]*binary{}
	for _, t := range targets {
		if linked[t.base] != nil {
			continue
		}
		both, err := bothAtATime(ctx, func(ctx context.Context, side int) (*binary, error) {
			b := *[]*binary{t.base, t.now}[side]
			b.path += "-layout"
			return &b, b.notLinked(b.build(ctx, fmt.Sprintf("-ldflags=-randlayout=%d", seed)))
		})
		if err != nil {
			return nil, err
		}
		linked[t.base], linked[t.now] = both[0], both[1]
	}
	return linked, nil
}

// notLinked says of an error that it is of another layout of a test binary that did compile.
func (b *binary) notLinked(err error) error {
	if failed, ok := errors.AsType[*checkout.Error](err); ok {
		failed.Problem = fmt.Sprintf("%s: the tests of %s can't be linked with their functions in another order", b.tree, b.pkg.ImportPath)
		failed.Want = "the go command says why"
	}
	return err
}

// abandon leaves open a target that can't be measured in a layout, if err is a [*problem], and returns any other error.
func (l *layouts) abandon(t *target, b *binary, err error) error {
	p, ok := errors.AsType[*problem](err)
	if !ok {
		return err
	}
	t.failed = true
	text, err := l.describe(p, b, t.Benchmark)
	l.test.Abandon(t.key(), sequential.Unclear, judge.Reason{Code: judge.FailsInOtherLayout, Side: judge.Side(b.tree.Side), Text: text})
	return err
}
