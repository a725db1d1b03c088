package versus

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

// Options say what is measured against what.
type Options struct {
	Sides        Sides
	Specs        []scenarios.Spec // a repetition of each is a block
	FleetCommand []string         // the program and arguments that lead to scenarios.ServeFleet

	// Budget is how long is measured at most, building apart. 0: DefaultBudget.
	Budget time.Duration
	// Layouts has times that one layout of the code can't settle measured in further ones; see
	// [sequential.Result.Unsettled]. It wants Sides.Relink.
	Layouts bool
	// LayoutBudget is how long that may take, building included. 0: DefaultLayoutBudget.
	LayoutBudget time.Duration
	// Whole has the budget spent, however soon it is decided: for who wants the intervals rather than the verdict.
	Whole bool
	// Seed is of the order in which the sides take turns.
	Seed uint64

	// Plant makes now's side worse, and Slower has it spend more processor time in each push, as a share
	// of what the base's takes: to see whether that is found.
	Plant  scenarios.Plant
	Slower float64

	// Limit is how long one block may take. If it is 0, a block may take ten times as long as the base's
	// blocks took, and at least 30 seconds.
	Limit time.Duration

	Stderr   io.Writer      // where the fleet's process says what it has to say
	Progress func(Progress) // may be nil; called after each pair
	Pair     func(Pair)     // may be nil; called with each pair that counts
}

// DefaultBudget leaves time to build in two minutes.
const DefaultBudget = 100 * time.Second

// DefaultLayoutBudget is about what [sequential.MaxLayouts] layouts take.
const DefaultLayoutBudget = 4 * time.Minute

// Progress is how far it has come.
type Progress struct {
	Pairs, Dropped  int
	Layouts         int // of the code that have been measured after the first; the times are then of these
	Elapsed, Budget time.Duration
}

// Pair is what one pair measured: the blocks of either side.
type Pair struct{ Base, Now [][]results.Record }

// Outcome is what came of it.
type Outcome struct {
	Judgement      *judge.Judgement
	Base, Now      []results.Record // a record a block and operation
	Pairs          int
	Dropped        int // pairs in which a block was not to be believed
	Elapsed        time.Duration
	Layouts        int             // that were measured besides the first
	LayoutsElapsed time.Duration   // building included
	Relinking      error           // why no further ones could be built, or nil
	Planted        scenarios.Plant // what Plant and Slower came to
	Failed         *SideError      // what ended the comparison before it was decided, or nil
}

// mostDropped is the share of pairs that may be dropped, and leastDropped how many in any case.
const (
	mostDropped  = 0.25
	leastDropped = 5
)

// Run measures until it is decided or the budget is spent. A context that ends is its error; what
// had been measured is then nobody's verdict.
func Run(ctx context.Context, o Options) (_ *Outcome, finally error) {
	if o.Budget == 0 {
		o.Budget = DefaultBudget
	}
	if o.Sides.Same {
		return &Outcome{Judgement: judge.Identical()}, nil
	}
	r := &runner{o: o, test: sequential.New(sequential.Options{}), random: rand.New(rand.NewPCG(o.Seed, 0)), outcome: &Outcome{}}
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
		r.work = append(r.work, work{Spec: spec, Fleet: fleet.Address, Control: fleet.Control, Token: fleet.Token, CA: fleet.Authority})
	}
	err := r.between(ctx, o.Sides.Base, o.Sides.Now, func() error { return r.oneLayout(ctx) })
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

// fail concludes a comparison of which one side can't measure any more. If it is the working tree, whose
// base did the same work, that is as bad as a regression; if it is the base, nothing can be told.
func (r *runner) fail(failed *SideError) {
	found, _ := r.test.Analyze(true)
	var unsettled []sequential.Key // other layouts were to tell
	if r.o.Layouts && r.o.Sides.Relink != nil {
		unsettled = found.Unsettled()
	}
	reason := judge.Reason{Code: judge.SideFailed, Side: judge.Side(failed.Side), Text: failed.Error()}
	r.outcome.Failed = failed
	r.outcome.Judgement = judge.Unfinished(found, reason, func(k sequential.Key) bool { return !slices.Contains(unsettled, k) })
}

type runner struct {
	o         Options
	work      []work // for drivers: the scenarios, and their fleets
	base, now *driver
	test      *sequential.Test
	found     sequential.Result // of the last analysis
	random    *rand.Rand
	outcome   *Outcome
	longest   time.Duration // that a block of the base took
	why       string        // the last pair was dropped for
}

// between starts the drivers of both sides, has f measure with them, and ends them.
func (r *runner) between(ctx context.Context, base, now string, f func() error) (err error) {
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

// allSpecs are the places of all scenarios.
func (r *runner) allSpecs() []int {
	all := make([]int, len(r.o.Specs))
	for i := range all {
		all[i] = i
	}
	return all
}

// warmUps is how many blocks of each are measured for nothing: the first is of cold caches. costings is
// how many more say what a push costs, where a share of it is to be planted.
const (
	warmUps  = 3
	costings = 15
)

// warmUp has both sides warm for some scenarios.
func (r *runner) warmUp(ctx context.Context, specs []int) error {
	for range warmUps {
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

// plant makes now's side worse by what is to be found, once it is known what a push costs.
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

// pushCost is the processor time of a push, in nanoseconds: the median of some blocks of the base's.
func (r *runner) pushCost(ctx context.Context) (float64, error) {
	var costs []float64
	for i, s := range r.o.Specs {
		if s.Load.Operation != scenarios.Push {
			continue
		}
		for range costings {
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
		return 0, &scenarios.UsageError{What: "no scenario of pushes alone, or no processor time on this system: want one with load.operation push to plant something in it"}
	}
	slices.Sort(costs)
	return costs[len(costs)/2], nil
}

func (r *runner) run(ctx context.Context) error {
	began := time.Now()
	for {
		invalid, err := r.pair(ctx)
		if err != nil {
			return err
		}
		o := r.outcome
		o.Pairs, o.Elapsed = r.test.Pairs(), time.Since(began)
		if len(invalid) == 0 && float64(o.Dropped) > max(leastDropped, mostDropped*float64(o.Pairs+o.Dropped)) {
			invalid = []judge.Reason{{Code: judge.PairsDropped, N: o.Dropped, Of: o.Pairs + o.Dropped, Text: r.why}}
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

// overrun is how many times as long as the longest block of the base a block may take.
const overrun = 10

// blockLimit returns how long a driver may take for a block. The longest block of the base so far is 0 before its
// first one, which may then take as long as the whole comparison.
func blockLimit(longest, budget time.Duration) time.Duration {
	if longest == 0 {
		return max(askLimit, budget)
	}
	return max(askLimit, overrun*longest)
}

// block has a driver measure a block of a scenario, and bounds how long it may take.
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

// pair measures a pair for the comparison in one layout. A pair in which a block isn't to be believed is
// dropped, and both sides of it; where a ledger contradicts its client, it is all over.
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
	if r.o.Pair != nil {
		r.o.Pair(p)
	}
	return nil, r.test.Add(p.Base, p.Now)
}

// blocks measures four blocks of some scenarios each, the outer ones of one side and the inner of the
// other: what the machine does lasts tens of milliseconds, so the two sides must be as close together as
// can be. It reports whether all are to be believed, and what a ledger says against its client.
func (r *runner) blocks(ctx context.Context, specs []int) (p Pair, good bool, contradicted []judge.Reason, err error) {
	p, good = Pair{Base: make([][]results.Record, 2), Now: make([][]results.Record, 2)}, true
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
				contradicted = append(contradicted, judge.Reason{Code: judge.LedgerContradicts, Side: judge.Side(d.side), Text: a.Invalid[0]})
			}
			if len(a.Invalid) > 0 {
				good, r.why = false, d.side+": "+a.Invalid[0]
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

// appendBlocks numbers blocks as repetitions, after those that there are.
func appendBlocks(to []results.Record, blocks [][]results.Record, before int) []results.Record {
	for i, b := range blocks {
		for _, rec := range b {
			rec.Repetition = before + i + 1
			to = append(to, rec)
		}
	}
	return to
}
