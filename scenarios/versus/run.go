package versus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// Options say what is measured against what.
type Options struct {
	Sides        Sides
	Specs        []scenarios.Spec // a repetition of each is a block
	FleetCommand []string         // the program and arguments that lead to scenarios.ServeFleet
	Paired       results.PairedOptions

	// Budget is how long is measured at most, building apart. 0: DefaultBudget.
	Budget time.Duration
	// Whole has the budget spent, however soon it is decided: for who wants the intervals rather than the verdict.
	Whole bool
	// Seed is of the order in which the sides take turns.
	Seed uint64

	// Plant makes now's side worse, and Slower has it spend more processor time in each push, as a share
	// of what the base's takes: to see whether that is found.
	Plant  scenarios.Plant
	Slower float64

	Stderr   io.Writer      // where the fleet's process says what it has to say
	Progress func(Progress) // may be nil; called after each pair
	Pair     func(Pair)     // may be nil; called with each pair that counts
}

// DefaultBudget leaves time to build in two minutes.
const DefaultBudget = 100 * time.Second

// Progress is how far it has come.
type Progress struct {
	Pairs, Dropped  int
	Elapsed, Budget time.Duration
}

// Pair is what one pair measured: the blocks of either side.
type Pair struct{ Base, Now [][]results.Record }

// Outcome is what came of it.
type Outcome struct {
	Judgement *results.Judgement
	Base, Now []results.Record // a record a block and operation
	Pairs     int
	Dropped   int // pairs in which a block was not to be believed
	Elapsed   time.Duration
	Planted   scenarios.Plant // what Plant and Slower came to
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
	paired, err := results.NewPaired(o.Paired)
	if err != nil {
		return nil, err
	}
	first := order{Protocol: protocol}
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
		first.Work = append(first.Work, work{Spec: spec, Fleet: fleet.Address, Control: fleet.Control, Token: fleet.Token, CA: fleet.Authority})
	}
	base, err := startDriver(ctx, "base", o.Sides.Base, first)
	if err != nil {
		return nil, err
	}
	defer func() { finally = errors.Join(finally, base.close()) }()
	now, err := startDriver(ctx, "now", o.Sides.Now, first)
	if err != nil {
		return nil, err
	}
	defer func() { finally = errors.Join(finally, now.close()) }()
	r := &runner{o: o, base: base, now: now, paired: paired, random: rand.New(rand.NewPCG(o.Seed, 0)), outcome: &Outcome{}}
	if err := r.warmUp(ctx); err != nil {
		return nil, err
	}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	return r.outcome, nil
}

type runner struct {
	o         Options
	base, now *driver
	paired    *results.Paired
	random    *rand.Rand
	outcome   *Outcome
	why       string // the last pair was dropped for
}

// warmUps is how many blocks of each are measured for nothing: the first is of cold caches. costings is
// how many more say what a push costs, where a share of it is to be planted.
const (
	warmUps  = 3
	costings = 15
)

// warmUp has both sides warm, and plants what is to be found.
func (r *runner) warmUp(ctx context.Context) error {
	for range warmUps {
		for i := range r.o.Specs {
			for _, d := range []*driver{r.base, r.now} {
				if _, err := d.ask(ctx, request{Measure: true, Scenario: i}); err != nil {
					return err
				}
			}
		}
	}
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
			a, err := r.base.ask(ctx, request{Measure: true, Scenario: i})
			if err != nil {
				return 0, err
			}
			for _, rec := range a.Records {
				if v, ok := rec.Value("cpu-ns/op"); ok && rec.Op == string(scenarios.Push) {
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
		o.Pairs, o.Elapsed = r.paired.Pairs(), time.Since(began)
		if len(invalid) == 0 && float64(o.Dropped) > max(leastDropped, mostDropped*float64(o.Pairs+o.Dropped)) {
			invalid = []string{fmt.Sprintf("%d of %d pairs were not to be believed, the last for this: %s", o.Dropped, o.Pairs+o.Dropped, r.why)}
		}
		if r.o.Progress != nil {
			r.o.Progress(Progress{o.Pairs, o.Dropped, o.Elapsed, r.o.Budget})
		}
		last := o.Elapsed >= r.o.Budget || !r.paired.MorePairs()
		if len(invalid) == 0 && !last && !r.paired.Due() {
			continue
		}
		var decided bool
		if o.Judgement, decided = r.paired.Look(last, invalid); decided && !r.o.Whole || last || len(invalid) > 0 {
			return nil
		}
	}
}

// pair measures four blocks of each scenario, the outer ones of one side and the inner of the other:
// what the machine does lasts tens of milliseconds, so the two sides must be as close together as
// can be. A pair in which a block isn't to be believed is dropped, and both sides of it; where a
// ledger contradicts its client, it is all over.
func (r *runner) pair(ctx context.Context) (invalid []string, err error) {
	p := Pair{Base: make([][]results.Record, 2), Now: make([][]results.Record, 2)}
	good := true
	for i := range r.o.Specs {
		turns := []*driver{r.base, r.now, r.now, r.base}
		if r.random.IntN(2) == 1 {
			turns = []*driver{r.now, r.base, r.base, r.now}
		}
		done := map[*driver]int{}
		for _, d := range turns {
			a, err := d.ask(ctx, request{Measure: true, Scenario: i})
			if err != nil {
				return nil, err
			}
			if a.Contradicted {
				invalid = append(invalid, d.side+": "+a.Invalid[0])
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
	if !good {
		r.outcome.Dropped++
		return invalid, nil
	}
	r.outcome.Base = appendBlocks(r.outcome.Base, p.Base, 2*r.paired.Pairs())
	r.outcome.Now = appendBlocks(r.outcome.Now, p.Now, 2*r.paired.Pairs())
	if r.o.Pair != nil {
		r.o.Pair(p)
	}
	return nil, r.paired.Add(p.Base, p.Now)
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
