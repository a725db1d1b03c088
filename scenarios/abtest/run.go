package abtest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/scenarios"
)

// Options say what is measured.
type Options struct {
	Sides        Sides
	Specs        []scenarios.Spec // a block is a repetition of one of them
	FleetCommand []string         // the program and its arguments that lead to scenarios.ServeFleet

	// Budget bounds the time that is spent measuring. If it is 0, it is DefaultBudget.
	Budget time.Duration
	// Layouts says that times which one layout of the code can't settle are measured in further
	// ones; see [sequential.Result.Unsettled]. It has no effect without Sides.Relink.
	Layouts bool
	// LayoutBudget bounds the time that further layouts take, building included. If it is 0, it is
	// DefaultLayoutBudget.
	LayoutBudget time.Duration
	// Whole says that the whole budget is spent, however soon the verdict is known: the intervals
	// get narrower.
	Whole bool
	// Seed seeds the order in which the sides take turns.
	Seed uint64

	// Plant makes the working tree's side worse, and Slower has it spend more processor time in
	// each push, as a share of what a push of the base takes. A self-test shows that the gate finds
	// them.
	Plant  scenarios.Plant
	Slower float64

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

// A blockPair is what one pair measured: the blocks of either side.
type blockPair struct{ Base, Now [][]results.Record }

// An Outcome is what a comparison measured, and the judgement of it.
type Outcome struct {
	Judgement      *judge.Judgement
	Base, Now      []results.Record // one for each block and operation
	Pairs          int
	Dropped        int // pairs with a block that can't be believed
	Elapsed        time.Duration
	Layouts        int             // that were measured besides the first
	LayoutsElapsed time.Duration   // building included
	Relinking      error           // why no further ones could be built, or nil
	Planted        scenarios.Plant // by Plant and Slower
	Failed         *SideError      // what ended the comparison before it was decided, or nil
}

// A comparison is invalid if more than maxDroppedShare of its pairs are dropped, and more than
// minDropped.
const (
	maxDroppedShare = 0.25
	minDropped      = 5
)

// Run measures until the verdict is known or the budget is spent. If ctx ends first, it returns the
// context's error, and there is no verdict.
func Run(ctx context.Context, o Options) (_ *Outcome, finally error) {
	if o.Budget == 0 {
		o.Budget = DefaultBudget
	}
	if o.Sides.Same {
		return &Outcome{Judgement: judge.Identical()}, nil
	}
	r := &runner{
		o: o, test: sequential.New(sequential.Options{}), random: rand.New(rand.NewPCG(o.Seed, 0)), outcome: &Outcome{},
	}
	for _, s := range o.Specs {
		fleet, err := scenarios.StartFleetAlone(ctx, o.FleetCommand, s, o.Stderr)
		if err != nil {
			return nil, err
		}
		defer func() { finally = errors.Join(finally, fleet.Close()) }()
		spec, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		r.work = append(r.work, work{
			Spec: spec, Fleet: fleet.Address, Control: fleet.Control, Token: fleet.Token, CA: fleet.Authority,
		})
	}
	err := r.withDrivers(ctx, o.Sides.Base, o.Sides.Now, func() error { return r.oneLayout(ctx) })
	if err == nil && o.Layouts && o.Sides.Relink != nil {
		err = r.layouts(ctx)
	}
	if failed, ok := errors.AsType[*SideError](err); ok {
		r.fail(failed)
		return r.outcome, nil
	}
	if err != nil {
		return nil, err
	}
	return r.outcome, nil
}

// fail judges a comparison of which one side can't measure any more. If that is the working tree's,
// it is as bad as a regression, since the base did the same work. If it is the base's, nothing can
// be told.
func (r *runner) fail(failed *SideError) {
	found, _ := r.test.Analyze(true)
	var unsettled []sequential.Key // times that other layouts were to settle
	if r.o.Layouts && r.o.Sides.Relink != nil {
		unsettled = found.Unsettled()
	}
	reason := judge.Reason{Code: judge.SideFailed, Side: judge.Side(failed.Side), Text: failed.Error()}
	r.outcome.Failed = failed
	settled := func(k sequential.Key) bool { return !slices.Contains(unsettled, k) }
	r.outcome.Judgement = judge.Unfinished(found, reason, settled)
}

// A runner is a comparison under way.
type runner struct {
	o         Options
	work      []work // for the drivers: the scenarios and their fleets
	base, now *driver
	test      *sequential.Test
	found     sequential.Result // of the last analysis
	random    *rand.Rand
	outcome   *Outcome
	longest   time.Duration // that a block of the base took
	dropped   string        // why the last pair was dropped that was
}

// withDrivers starts the drivers of both sides, calls f, which measures with them, and ends them.
func (r *runner) withDrivers(ctx context.Context, base, now string, f func() error) (err error) {
	first := order{Protocol: protocol, Work: r.work}
	if r.base, err = startDriver(ctx, sideBase, base, first, r.o.Limit); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.base.close()) }()
	if r.now, err = startDriver(ctx, sideNow, now, first, r.o.Limit); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.now.close()) }()
	return f()
}

// oneLayout measures the two programs as they were built.
func (r *runner) oneLayout(ctx context.Context) error {
	if err := r.warmUp(ctx, r.allSpecs()); err != nil {
		return err
	}
	if err := r.plant(ctx); err != nil {
		return err
	}
	return r.run(ctx)
}

// allSpecs returns the indices of all scenarios.
func (r *runner) allSpecs() []int {
	all := make([]int, len(r.o.Specs))
	for i := range all {
		all[i] = i
	}
	return all
}

// warmUpBlocks is how many blocks of each scenario are measured and not counted, since caches are
// cold. costBlocks is how many more say what a push costs, if a share of that is planted.
const (
	warmUpBlocks = 3
	costBlocks   = 15
)

// warmUp warms both sides up for some scenarios.
func (r *runner) warmUp(ctx context.Context, specs []int) error {
	for range warmUpBlocks {
		for _, i := range specs {
			for _, d := range []*driver{r.base, r.now} {
				if _, err := r.block(ctx, d, i); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// plant makes the working tree's side worse, as Plant and Slower say.
func (r *runner) plant(ctx context.Context) error {
	plant := r.o.Plant
	if r.o.Slower > 0 {
		push, err := r.pushCost(ctx)
		if err != nil {
			return err
		}
		plant.Processor += time.Duration(r.o.Slower * push)
	}
	r.outcome.Planted = plant
	_, err := r.now.ask(ctx, request{Plant: &plant})
	return err
}

// pushCost returns the processor time of a push in nanoseconds: the median over some blocks of the
// base.
func (r *runner) pushCost(ctx context.Context) (float64, error) {
	var costs []float64
	for i, s := range r.o.Specs {
		if s.Load.Operation != scenarios.Push {
			continue
		}
		for range costBlocks {
			a, err := r.block(ctx, r.base, i)
			if err != nil {
				return 0, err
			}
			for _, rec := range a.Records {
				if v, ok := rec.Value(results.UnitCPU); ok && rec.Op == string(scenarios.Push) {
					costs = append(costs, v)
				}
			}
		}
	}
	if len(costs) == 0 {
		return 0, &scenarios.UsageError{What: "no scenario of pushes alone, or no processor time on this system: " +
			"want one with load.operation push to plant something in it"}
	}
	slices.Sort(costs)
	return costs[len(costs)/2], nil
}

// run measures pairs until the verdict is known or the budget is spent.
func (r *runner) run(ctx context.Context) error {
	began := time.Now()
	for {
		invalid, err := r.pair(ctx)
		if err != nil {
			return err
		}
		o := r.outcome
		o.Pairs, o.Elapsed = r.test.Pairs(), time.Since(began)
		if len(invalid) == 0 && float64(o.Dropped) > max(minDropped, maxDroppedShare*float64(o.Pairs+o.Dropped)) {
			invalid = []judge.Reason{{Code: judge.PairsDropped, N: o.Dropped, Of: o.Pairs + o.Dropped, Text: r.dropped}}
		}
		if r.o.Progress != nil {
			r.o.Progress(Progress{Pairs: o.Pairs, Dropped: o.Dropped, Elapsed: o.Elapsed, Budget: r.o.Budget})
		}
		last := o.Elapsed >= r.o.Budget || !r.test.CanAddPair()
		if len(invalid) == 0 && !last && !r.test.AnalysisDue() {
			continue
		}
		var decided bool
		if r.found, decided = r.test.Analyze(last); decided && !r.o.Whole || last || len(invalid) > 0 {
			if len(invalid) > 0 {
				r.found = r.found.Invalidate()
			}
			o.Judgement = judge.Sequential(r.found, invalid)
			return nil
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
		return max(askLimit, budget)
	}
	return max(askLimit, maxBlockRatio*longest)
}

// block has a driver measure a block of a scenario within its limit.
func (r *runner) block(ctx context.Context, d *driver, scenario int) (answer, error) {
	if r.o.Limit == 0 {
		d.limit = blockLimit(r.longest, r.o.Budget)
	}
	began := time.Now()
	a, err := d.ask(ctx, request{Measure: true, Scenario: scenario})
	if d == r.base {
		r.longest = max(r.longest, time.Since(began))
	}
	return a, err
}

// pair measures a pair for the comparison in one layout. It drops a pair with a block that can't be
// believed, both sides of it. If a ledger contradicts its client, it returns why the comparison is
// invalid.
func (r *runner) pair(ctx context.Context) (invalid []judge.Reason, err error) {
	p, good, invalid, err := r.blocks(ctx, r.allSpecs())
	if err != nil {
		return nil, err
	}
	if !good {
		r.outcome.Dropped++
		return invalid, nil
	}
	r.outcome.Base = appendBlocks(r.outcome.Base, p.Base, 2*r.test.Pairs())
	r.outcome.Now = appendBlocks(r.outcome.Now, p.Now, 2*r.test.Pairs())
	return nil, r.test.Add(p.Base, p.Now)
}

// blocks measures four blocks of each of some scenarios, the outer ones of one side and the inner
// ones of the other: what disturbs a machine lasts tens of milliseconds, so the two sides are as
// close together as can be. It reports whether all blocks can be believed, and returns what a
// ledger says against its client.
func (r *runner) blocks(
	ctx context.Context, specs []int,
) (p blockPair, good bool, contradicted []judge.Reason, err error) {
	p, good = blockPair{Base: make([][]results.Record, 2), Now: make([][]results.Record, 2)}, true
	for _, i := range specs {
		turns := []*driver{r.base, r.now, r.now, r.base}
		if r.random.IntN(2) == 1 {
			turns = []*driver{r.now, r.base, r.base, r.now}
		}
		done := map[*driver]int{}
		for _, d := range turns {
			a, err := r.block(ctx, d, i)
			if err != nil {
				return p, false, nil, err
			}
			if a.Contradicted {
				contradicted = append(contradicted, judge.Reason{
					Code: judge.LedgerContradicts, Side: judge.Side(d.side), Text: a.Invalid[0],
				})
			}
			if len(a.Invalid) > 0 {
				good, r.dropped = false, d.side+": "+a.Invalid[0]
			}
			blocks := p.Base
			if d == r.now {
				blocks = p.Now
			}
			blocks[done[d]] = append(blocks[done[d]], a.Records...)
			done[d]++
		}
	}
	return p, good, contradicted, nil
}

// appendBlocks appends the records of blocks, numbered as repetitions after those before.
func appendBlocks(to []results.Record, blocks [][]results.Record, before int) []results.Record {
	for i, b := range blocks {
		for _, rec := range b {
			rec.Repetition = before + i + 1
			to = append(to, rec)
		}
	}
	return to
}
