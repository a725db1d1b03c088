package abtest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/scenarios"
)

// Options say what is measured.
type Options struct {
	Builds       Builds
	Specs        []scenarios.Spec // a block is a repetition of one of them
	FleetCommand []string         // the program and its arguments that lead to target.Serve

	// Budget bounds the time that is spent measuring. If it is 0, it is DefaultBudget.
	Budget time.Duration
	// SpendBudget says that the whole budget is spent, however soon the verdict is known: the
	// intervals get narrower.
	SpendBudget bool
	// LayoutBudget bounds the time that further layouts of the code take, building included. They
	// are measured for times that one layout can't settle; see [sequential.Result.Unsettled]. If it
	// is 0, none are, and nor are any if Builds.Relink is nil.
	LayoutBudget time.Duration
	// Seed seeds the order in which the sides take turns.
	Seed uint64

	// Injection makes the working tree's side worse, and SlowerBy has it spend more processor time
	// in each push, as a share of what a push of the base takes. A self-test shows that the gate
	// finds them.
	Injection Injection
	SlowerBy  float64

	// Limit is how long one block may take. If it is 0, a block may take ten times as long as the
	// base's blocks took, and at least 30 seconds.
	Limit time.Duration

	Stderr   io.Writer      // where the fleet's process writes its errors
	Progress func(Progress) // is called after each pair; may be nil
}

// DefaultBudget leaves time to build in two minutes.
const DefaultBudget = 100 * time.Second

// DefaultLayoutBudget is about what [sequential.MaxLayouts] layouts take.
const DefaultLayoutBudget = 4 * time.Minute

// Progress says how far a comparison has come.
type Progress struct {
	Pairs, Dropped  int
	Layouts         int // of the code that were measured after the first; if any, the times are of these
	Elapsed, Budget time.Duration
}

// An Outcome is what a comparison measured, and the judgment of it.
type Outcome struct {
	Judgement      *judge.Judgement
	Base, Now      []results.Record // one for each block and operation
	Pairs          int
	Dropped        int // pairs with a block that can't be believed
	Elapsed        time.Duration
	Layouts        int           // that were measured besides the first
	LayoutsElapsed time.Duration // building included
	Relinking      error         // why no further ones could be built, or nil
	Injected       Injection     // by Injection and SlowerBy
	Failed         *SideError    // what ended the comparison before it was decided, or nil
}

// Run measures until the verdict is known or the budget is spent. If ctx ends first, it returns the
// context's error, and there is no verdict.
func Run(ctx context.Context, o Options) (_ *Outcome, err error) {
	if o.Builds.Same {
		return &Outcome{Judgement: judge.Identical()}, nil
	}
	o.Budget = cmp.Or(o.Budget, DefaultBudget)
	fleets, err := startFleets(ctx, o.FleetCommand, o.Specs, o.Stderr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, fleets.close()) }()
	c := &comparison{
		Options: o, work: fleets.work, outcome: &Outcome{},
		test: sequential.New(sequential.Options{}), random: rand.New(rand.NewPCG(o.Seed, 0)),
	}
	err = c.run(ctx)
	if failed, ok := errors.AsType[*SideError](err); ok {
		c.fail(failed)
		return c.outcome, nil
	}
	if err != nil {
		return nil, err
	}
	return c.outcome, nil
}

// A comparison is one under way.
type comparison struct {
	Options
	work    []assignment // for the drivers
	drivers              // of the layout that is measured
	test    *sequential.Test
	found   sequential.Result // of the last analysis
	random  *rand.Rand
	longest time.Duration // that a block of the base took
	outcome *Outcome
}

// run measures the two programs as they were built, and then further layouts of them.
func (c *comparison) run(ctx context.Context) error {
	err := c.withDrivers(ctx, c.Builds.Base, c.Builds.Now, func() error {
		if err := c.warmUp(ctx, c.indices(all)); err != nil {
			return err
		}
		if err := c.inject(ctx); err != nil {
			return err
		}
		return c.measure(ctx)
	})
	if err != nil || !c.mayRelink() {
		return err
	}
	return c.layouts(ctx)
}

// mayRelink reports whether further layouts of the code may be measured.
func (c *comparison) mayRelink() bool { return c.LayoutBudget > 0 && c.Builds.Relink != nil }

// fail judges a comparison of which one side can't measure any more. If that is the working tree's,
// it is as bad as a regression, since the base did the same work. If it is the base's, nothing can
// be told.
func (c *comparison) fail(failed *SideError) {
	found, _ := c.test.Analyze(true)
	var unsettled []sequential.Key // times that other layouts were to settle
	if c.mayRelink() {
		unsettled = found.Unsettled()
	}
	reason := judge.Reason{Code: judge.SideFailed, Side: judge.Side(failed.Side), Text: failed.Error()}
	c.outcome.Failed = failed
	settled := func(k sequential.Key) bool { return !slices.Contains(unsettled, k) }
	c.outcome.Judgement = judge.Unfinished(found, reason, settled)
}

// withDrivers starts the drivers of both sides, calls measure, which uses them, and ends them.
func (c *comparison) withDrivers(ctx context.Context, base, now string, measure func() error) (err error) {
	c.drivers, err = startDrivers(ctx, base, now, hello{Protocol: protocol, Work: c.work}, c.Limit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.drivers.close()) }()
	return measure()
}

// indices returns the indices of the scenarios that are wanted.
func (c *comparison) indices(wanted func(scenarios.Spec) bool) (list []int) {
	for i, s := range c.Specs {
		if wanted(s) {
			list = append(list, i)
		}
	}
	return list
}

func all(scenarios.Spec) bool { return true }

// warmUpBlocks is how many blocks of each scenario are measured and not counted, since caches are
// cold. costBlocks is how many more say what a push costs, if a share of that is injected.
const (
	warmUpBlocks = 3
	costBlocks   = 15
)

// warmUp warms both sides up for some scenarios.
func (c *comparison) warmUp(ctx context.Context, specs []int) error {
	for range warmUpBlocks {
		for _, i := range specs {
			for _, d := range c.drivers.all() {
				if _, err := c.block(ctx, d, i); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// inject makes the working tree's side worse, as Injection and SlowerBy say.
func (c *comparison) inject(ctx context.Context) error {
	injection := c.Injection
	if c.SlowerBy > 0 {
		push, err := c.pushCost(ctx)
		if err != nil {
			return err
		}
		injection.Processor += time.Duration(c.SlowerBy * push)
	}
	c.outcome.Injected = injection
	_, err := c.now.call(ctx, request{Injection: &injection})
	return err
}

// pushCost returns the processor time of a push in nanoseconds: the median over some blocks of the
// base.
func (c *comparison) pushCost(ctx context.Context) (float64, error) {
	var costs []float64
	for i, s := range c.Specs {
		if s.Load.Operation != delivery.OpPush {
			continue
		}
		for range costBlocks {
			r, err := c.block(ctx, c.base, i)
			if err != nil {
				return 0, err
			}
			for _, rec := range r.Records {
				if v, ok := rec.Value(results.UnitCPU); ok && rec.Op == string(delivery.OpPush) {
					costs = append(costs, v)
				}
			}
		}
	}
	if len(costs) == 0 {
		return 0, errors.New("no scenario of pushes alone, or no processor time on this system: " +
			"want one with load.operation push to plant something in it")
	}
	slices.Sort(costs)
	return costs[len(costs)/2], nil
}

// A comparison is invalid if more than maxDroppedShare of its pairs are dropped, and more than
// minDropped.
const (
	maxDroppedShare = 0.25
	minDropped      = 5
)

// measure measures pairs in one layout, and judges them. It drops a pair with a block that can't be
// believed, both sides of it.
func (c *comparison) measure(ctx context.Context) error {
	began, o, specs := time.Now(), c.outcome, c.indices(all)
	add := func() (invalid []judge.Reason, err error) {
		defer func() { o.Pairs, o.Elapsed = c.test.Pairs(), time.Since(began) }()
		p, err := c.pair(ctx, specs)
		if err != nil {
			return nil, err
		}
		if p.unbelievable == "" {
			o.Base = sequential.AppendBlocks(o.Base, p.base, 2*c.test.Pairs())
			o.Now = sequential.AppendBlocks(o.Now, p.now, 2*c.test.Pairs())
			return nil, c.test.Add(p.base, p.now)
		}
		o.Dropped++
		measured := c.test.Pairs() + o.Dropped
		if len(p.invalid) == 0 && float64(o.Dropped) > max(minDropped, maxDroppedShare*float64(measured)) {
			p.invalid = pairsDropped(o.Dropped, measured, p)
		}
		return p.invalid, nil
	}
	var invalid []judge.Reason
	var err error
	if c.found, invalid, err = c.decide(c.test, c.Budget, add); err != nil {
		return err
	}
	o.Judgement = judge.Sequential(c.found, invalid)
	return nil
}

// decide calls add, which measures a pair and adds it to the test, until the test has decided, the
// budget is spent or add returns why nothing can be judged.
func (c *comparison) decide(
	test *sequential.Test, budget time.Duration, add func() (invalid []judge.Reason, err error),
) (found sequential.Result, invalid []judge.Reason, err error) {
	for began := time.Now(); ; {
		if invalid, err = add(); err != nil {
			return found, nil, err
		}
		elapsed := time.Since(began)
		if c.Progress != nil {
			p := Progress{Pairs: c.outcome.Pairs, Dropped: c.outcome.Dropped, Elapsed: elapsed, Budget: budget}
			if test != c.test {
				p.Layouts = test.Pairs()
			}
			c.Progress(p)
		}
		last := elapsed >= budget || !test.CanAddPair() || len(invalid) > 0
		if !last && !test.AnalysisDue() {
			continue
		}
		found, decided := test.Analyze(last)
		if len(invalid) > 0 {
			return found.Invalidate(), invalid, nil
		}
		if last || decided && !c.SpendBudget {
			return found, nil, nil
		}
	}
}

// maxBlockRatio is how many times as long as the longest block of the base a block may take.
const maxBlockRatio = 10

// blockLimit returns how long a driver may take for a block. longest is what the longest block of
// the base took. If it is 0, there was none, and the first may take as long as the whole
// comparison.
func blockLimit(longest, budget time.Duration) time.Duration {
	if longest == 0 {
		return max(minBlockLimit, budget)
	}
	return max(minBlockLimit, maxBlockRatio*longest)
}

// block has a driver measure a block of a scenario within its limit.
func (c *comparison) block(ctx context.Context, d *driver, scenario int) (response, error) {
	if c.Limit == 0 {
		d.limit = blockLimit(c.longest, c.Budget)
	}
	began := time.Now()
	r, err := d.call(ctx, request{Measure: true, Scenario: scenario})
	if d == c.base {
		c.longest = max(c.longest, time.Since(began))
	}
	return r, err
}

// A blockPair is what was measured by turns: two blocks of either side, of each of some scenarios.
type blockPair struct {
	base, now    [][]results.Record
	unbelievable string         // what is wrong with a block; empty if all can be believed
	invalid      []judge.Reason // why the comparison is: what a ledger says against its client
}

// pairsDropped returns the reason for which a comparison is invalid of whose pairs so many were
// dropped, the last of them being p.
func pairsDropped(dropped, of int, p blockPair) []judge.Reason {
	return []judge.Reason{{Code: judge.PairsDropped, N: dropped, Of: of, Text: p.unbelievable}}
}

// pair measures four blocks of each of some scenarios, the outer ones of one side and the inner
// ones of the other: what disturbs a machine lasts tens of milliseconds, so the two sides are as
// close together as can be.
func (c *comparison) pair(ctx context.Context, specs []int) (blockPair, error) {
	p := blockPair{base: make([][]results.Record, 2), now: make([][]results.Record, 2)}
	for _, i := range specs {
		turns := []*driver{c.base, c.now, c.now, c.base}
		if c.random.IntN(2) == 1 {
			turns = []*driver{c.now, c.base, c.base, c.now}
		}
		done := map[*driver]int{}
		for _, d := range turns {
			r, err := c.block(ctx, d, i)
			if err != nil {
				return p, err
			}
			if r.Contradicted {
				p.invalid = append(p.invalid, judge.Reason{
					Code: judge.LedgerContradicts, Side: judge.Side(d.side), Text: r.Invalid[0],
				})
			}
			if len(r.Invalid) > 0 {
				p.unbelievable = d.side + ": " + r.Invalid[0]
			}
			blocks := p.base
			if d == c.now {
				blocks = p.now
			}
			blocks[done[d]] = append(blocks[done[d]], r.Records...)
			done[d]++
		}
	}
	return p, nil
}
