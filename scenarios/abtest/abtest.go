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

// Options say what is measured and for how long.
type Options struct {
	Builds       Builds
	Specs        []scenarios.Spec // a block is a repetition of one of them
	FleetCommand []string         // the program and its arguments that lead to target.Serve

	// Budget bounds the time that is spent measuring. If it is 0, it is DefaultBudget.
	Budget time.Duration
	// SpendBudget makes Run spend the whole budget even if the verdict is known sooner, which makes
	// the intervals narrower.
	SpendBudget bool
	// LayoutBudget bounds the time that further layouts of the code take, including the time to
	// build them. They are measured for times that one layout can't settle; see
	// [sequential.Result.Unsettled]. If LayoutBudget is 0 or Builds.Relink is nil, there are none.
	LayoutBudget time.Duration
	// Tolerances replace the smallest changes of metrics that count.
	Tolerances results.Tolerances
	// Seed seeds the order in which the sides take turns.
	Seed uint64

	// Injection makes the working tree's side worse. SlowerBy makes it spend more processor time in
	// each push, as a share of what a push of the base takes. A self-test uses them to show that
	// the gate finds a regression.
	Injection Injection
	SlowerBy  float64

	// Limit is how long one block may take. If it is 0, a block may take ten times as long as the
	// base's blocks took, and at least 30 seconds.
	Limit time.Duration

	// Own are prefixes of the names of functions that may be the cause of a regression; nil: those of
	// [OwnFunctions].
	Own []string
	// Within are prefixes of the names of the client's functions, since only its waits are a cause;
	// nil: as Own.
	Within []string

	Stderr   io.Writer      // where the fleet's process writes its errors
	Progress func(Progress) // called after each pair; may be nil
}

// DefaultBudget is such that building and measuring together take about two minutes.
const DefaultBudget = 100 * time.Second

// DefaultLayoutBudget is about what [sequential.MaxLayouts] layouts take.
const DefaultLayoutBudget = 4 * time.Minute

// Progress says how far a comparison is.
type Progress struct {
	Pairs, Dropped  int
	Layouts         int // layouts measured besides the first; if not 0, Elapsed and Budget are those of layouts
	Elapsed, Budget time.Duration
}

// An Outcome is what a comparison measured, with its judgment.
type Outcome struct {
	Judgement      *judge.Judgement
	Base, Now      []results.Record // one for each block and operation
	Pairs          int
	Dropped        int // pairs with a block that can't be trusted
	Elapsed        time.Duration
	Layouts        int           // layouts measured besides the first
	LayoutsElapsed time.Duration // building included
	Relinking      error         // why another layout could not be built, or nil
	Injected       Injection     // what Injection and SlowerBy injected
	Failed         *SideError    // what ended the comparison before it was decided, or nil
}

// Run measures until the verdict is known or the budget is spent. If ctx ends first, Run returns
// the context's error, and there is no verdict.
func Run(ctx context.Context, o Options) (_ *Outcome, err error) {
	if o.Builds.Same != "" {
		return &Outcome{Judgement: judge.Identical(o.Builds.Same)}, nil
	}
	o.Budget = cmp.Or(o.Budget, DefaultBudget)
	fleets, err := startFleets(ctx, o.FleetCommand, o.Specs, o.Stderr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, fleets.close()) }()
	c := &comparison{
		Options: o, work: fleets.work, outcome: &Outcome{},
		test: sequential.New(sequential.Options{Tolerances: o.Tolerances}), random: rand.New(rand.NewPCG(o.Seed, 0)),
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

// A comparison is a call of Run.
type comparison struct {
	Options
	work    []assignment // for the drivers
	drivers              // those of the layout that is being measured
	test    *sequential.Test
	found   sequential.Result // the result of the last analysis
	random  *rand.Rand
	longest time.Duration // the longest time that a block of the base took
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

// fail judges a comparison in which one side can't measure any more. If it is the working tree's
// side, that is as bad as a regression, since the base did the same work. If it is the base's, the
// comparison is inconclusive.
func (c *comparison) fail(failed *SideError) {
	found, _ := c.test.Analyze(true)
	var unsettled []sequential.Key // times that further layouts should have settled
	if c.mayRelink() {
		unsettled = found.Unsettled()
	}
	reason := judge.Reason{Code: judge.SideFailed, Side: judge.Side(failed.Side), Text: failed.Error()}
	c.outcome.Failed = failed
	settled := func(k sequential.Key) bool { return !slices.Contains(unsettled, k) }
	c.outcome.Judgement = judge.Unfinished(found, reason, settled)
}

// withDrivers starts the drivers of both sides, calls measure, which uses them, and closes them.
func (c *comparison) withDrivers(ctx context.Context, base, now Side, measure func() error) (err error) {
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

// warmUpBlocks is how many blocks of each scenario are measured first and discarded, because caches
// are cold. costBlocks is how many more are measured to find what a push costs, if a share of that
// is injected.
const (
	warmUpBlocks = 3
	costBlocks   = 15
)

// warmUp measures and discards blocks of some scenarios on both sides.
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

// pushCost returns the processor time of a push in nanoseconds, as the median of some blocks of the
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

// A comparison is invalid if more than minDropped of its pairs are dropped, and more than
// maxDroppedShare of them.
const (
	maxDroppedShare = 0.25
	minDropped      = 5
)

// tooManyDropped reports whether a comparison is invalid because of the pairs that it dropped.
func tooManyDropped(dropped, kept int) bool {
	return float64(dropped) > max(minDropped, maxDroppedShare*float64(kept+dropped))
}

// measure measures pairs in one layout and judges them. It drops a pair, both sides of it, if one
// of its blocks can't be trusted.
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
		if len(p.invalid) == 0 && tooManyDropped(o.Dropped, c.test.Pairs()) {
			p.invalid = pairsDropped(o.Dropped, c.test.Pairs()+o.Dropped, p)
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
// budget is spent, or add returns a reason why nothing can be judged. If all pairs so far were
// dropped, it goes on until one counts, or too many are dropped.
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
		spent := elapsed >= budget && c.test.Pairs() > 0 // one pair that counts settles what has no noise
		last := spent || !test.CanAddPair() || len(invalid) > 0
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

// maxBlockRatio limits how long a block may take, as a multiple of the longest block of the base.
const maxBlockRatio = 10

// blockLimit returns how long a driver may take for a block. longest is the time of the base's
// longest block, or 0 if there was none yet; the first block may take as long as the whole
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

// A blockPair is what one round of turns measured: two blocks of each side for each of some
// scenarios.
type blockPair struct {
	base, now    [][]results.Record
	unbelievable string         // what is wrong with a block; empty if all can be trusted
	invalid      []judge.Reason // why the comparison is invalid: ledgers that contradict their clients
}

// pairsDropped returns the reason for which a comparison is invalid after dropping so many of its
// pairs. p is the pair dropped last.
func pairsDropped(dropped, of int, p blockPair) []judge.Reason {
	return []judge.Reason{{Code: judge.PairsDropped, N: dropped, Of: of, Text: p.unbelievable}}
}

// pair measures four blocks of each of some scenarios: the first and the last on one side, the
// middle two on the other. Disturbances of a machine last tens of milliseconds, so measuring the
// two sides close together exposes both to the same ones.
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
