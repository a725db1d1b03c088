package gobench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
)

// Options say what Compare measures.
type Options struct {
	Dir      string   // a directory of the source tree, in which Packages are named; empty is the current one
	Base     string   // the git revision that the working tree is compared with
	Bench    string   // which benchmarks: a regular expression as for go test -bench
	Packages []string // patterns as for go test; none is "."
	Procs    []int    // the values of GOMAXPROCS, as for go test -cpu; none is the current one

	// Better says which way is better of metrics that benchmarks report themselves without a Unit
	// line: +1 is more, -1 is less.
	Better map[string]int

	// Budget is how long is measured at most, building apart. 0 is [DefaultBudget].
	Budget time.Duration

	// Block is how long one benchmark is measured at a time, at least. 0 is DefaultBlock.
	Block time.Duration

	// LayoutBudget is how long further layouts of both sides' code are measured at most, building
	// included, where a time would be called regressed, or is left open. 0: none are.
	LayoutBudget time.Duration

	// Limit is how long one benchmark may take in one process. 0 is DefaultLimit.
	Limit time.Duration

	Seed    uint64 // of the order in which the sides take turns
	Scratch string // a directory for the base's files and the test binaries
	Out     string // a directory that is made for the samples, which are written as they are measured

	Log      func(text string) // is called with what is done next; may be nil
	Progress func(Progress)    // is called after each round; may be nil
}

// Lengths of time. A block is so long that starting its process costs less than measuring it, and so
// short that the four blocks of a pair see the same machine. Where starting takes longer, as when a
// package reads test data first, a block is as long as that, up to a second.
const (
	DefaultLimit = time.Minute
	DefaultBlock = 50 * time.Millisecond
	mostBlock    = time.Second

	leastBudget = 100 * time.Second
	perBench    = 25 * time.Second
	mostBudget  = 30 * time.Minute
)

// DefaultBudget returns how long so many benchmarks are measured at most: 25 seconds each, but at
// least 100 seconds and at most half an hour in all.
func DefaultBudget(benchmarks int) time.Duration {
	return min(mostBudget, max(leastBudget, time.Duration(benchmarks)*perBench))
}

// Progress is how far a comparison has come.
type Progress struct {
	Open, Benchmarks int // still to be decided, and in all
	Rounds           int // in which each open benchmark was measured four times
	Layouts          int // of the code that were measured after the first; the times are then of these
	Elapsed, Budget  time.Duration
}

// An Outcome is what a comparison came to.
type Outcome struct {
	Judgement         *judge.Judgement
	Base, Now         []results.Record // one a block
	BaseTree, NowTree *checkout.Tree
	Differences       []string // between the sides' modules and toolchains, a line each
	Warnings          []string // Unit lines that say nothing, a sentence each
	Benchmarks        int      // on both sides
	Rounds            int
	Elapsed           time.Duration
	Samples           string // the directory with the samples; empty if nothing was measured

	Layouts        int           // of both sides' code that were measured besides the first
	LayoutsElapsed time.Duration // building included
	Relinking      error         // why another layout could not be built; nil if none was wanted

	comparison *comparison
}

// Compare measures the benchmarks of a revision and of the working tree by turns until each is
// decided, or the budget is spent. A mistake that the caller's user can mend is a
// [*checkout.Error]; if it is about a field of o, its Option is that field's name. If ctx ends, its
// error is returned; what was measured is in [Options].Out.
func Compare(ctx context.Context, o Options) (_ *Outcome, err error) {
	if len(o.Packages) == 0 {
		o.Packages = []string{"."}
	}
	if len(o.Procs) == 0 {
		o.Procs = []int{runtime.GOMAXPROCS(0)}
	}
	o.Dir, o.Block, o.Limit = cmp.Or(o.Dir, "."), cmp.Or(o.Block, DefaultBlock), cmp.Or(o.Limit, DefaultLimit)
	if o.Log == nil {
		o.Log = func(string) {}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	c := &comparison{Options: o, random: rand.New(rand.NewPCG(o.Seed, 2)), outcome: &Outcome{}}
	c.outcome.comparison = c
	c.test = sequential.New(sequential.Options{Units: c.unit, Rest: true})
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	if err := c.measure(ctx); err != nil {
		return nil, err
	}
	if err := c.layouts(ctx); err != nil {
		return nil, err
	}
	c.outcome.Warnings = c.declared.warnings()
	return c.outcome, nil
}

type comparison struct {
	Options
	random    *rand.Rand
	test      *sequential.Test
	found     sequential.Result // of the last analysis
	base, now *checkout.Tree
	targets   []*target

	differences []checkout.Difference // between what the two are built from

	declared unitLines
	samples  *sampleFiles
	outcome  *Outcome
}

// A target is a benchmark that both sides have.
type target struct {
	Benchmark
	base, now  *binary
	first      map[*binary]time.Duration // what the first iteration took
	iterations int                       // of a block
	failed     bool                      // in a block: it is measured no more

	// Processor time: of a process that hardly measures, and of all blocks beyond that.
	idle, processor map[*binary]time.Duration
	measured        int64 // iterations of all blocks of a side
}

// measure takes the targets by turns.
func (c *comparison) measure(ctx context.Context) (err error) {
	out := c.outcome
	if len(c.targets) == 0 {
		c.found, _ = c.test.Analyze(true)
		out.Judgement = judge.Sequential(c.found, nil)
		return nil
	}
	c.Log(fmt.Sprintf("finding out how fast %s are", plaintext.Count(len(c.targets), "benchmark")))
	for _, t := range c.targets {
		if err := c.calibrate(ctx, t); err != nil {
			return err
		}
	}
	if c.samples, err = createSamples(c.Out); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.samples.Close()) }()
	out.Samples = c.Out
	budget := cmp.Or(c.Budget, DefaultBudget(len(c.targets)))
	c.found, out.Elapsed, err = c.decide(c.test, budget, func() (open int, err error) {
		err = c.round(ctx)
		out.Rounds = c.test.Pairs()
		return len(c.open()), err
	})
	if err != nil {
		return err
	}
	out.Judgement = judge.Sequential(c.found, nil)
	return nil
}

// decide calls round, which measures what is open and returns how much still is, until the test has
// decided everything or the budget is spent.
func (c *comparison) decide(
	test *sequential.Test, budget time.Duration, round func() (open int, err error),
) (found sequential.Result, elapsed time.Duration, err error) {
	for began := time.Now(); ; {
		open, err := round()
		if err != nil {
			return found, 0, err
		}
		p := Progress{Open: open, Benchmarks: len(c.targets), Rounds: c.test.Pairs(), Elapsed: time.Since(began), Budget: budget}
		if test != c.test {
			p.Layouts = test.Pairs()
		}
		c.Progress(p)
		last := open == 0 || p.Elapsed >= budget || !test.CanAddPair()
		if !last && !test.AnalysisDue() {
			continue
		}
		if found, decided := test.Analyze(last); decided || last {
			return found, p.Elapsed, nil
		}
	}
}

// open returns the targets that are still measured.
func (c *comparison) open() []*target {
	return slices.DeleteFunc(slices.Clone(c.targets), func(t *target) bool {
		return t.failed || c.test.Resting(t.Package, t.Short())
	})
}

// calibrate finds how many iterations a block of the target has: as many on either side, those of the
// slower one.
func (c *comparison) calibrate(ctx context.Context, t *target) error {
	n, overhead := mostIterations, time.Duration(0)
	for _, b := range []*binary{t.base, t.now} {
		found, last, err := c.ramp(ctx, t, b)
		if err != nil {
			return c.giveUp(t, b, err)
		}
		c.declared.add(last.units)
		n, overhead = min(n, found), max(overhead, last.overhead)
	}
	if block := min(mostBlock, overhead); block > c.Block {
		n = int(min(mostIterations, float64(n)*float64(block)/float64(c.Block)))
	}
	t.iterations = max(1, n)
	return nil
}

// ramp measures more and more iterations until they take a while, and returns how many fill a block.
// The first step rests on the one iteration of discovery, which ran with cold caches.
func (c *comparison) ramp(ctx context.Context, t *target, b *binary) (int, *block, error) {
	n := 100
	if first := t.first[b]; first > 0 {
		n = int(max(1, min(float64(rampFactor)*float64(n), float64(c.Block)/float64(first))))
	}
	least := c.Limit // overhead of a process, which the first step has as well
	for tries := 1; ; tries++ {
		got, err := b.runBlock(ctx, t.Benchmark, n)
		if err != nil {
			return 0, nil, err
		}
		least = min(least, got.overhead)
		if idle, ok := t.idle[b]; !ok || got.processor-got.elapsed() < idle {
			t.idle[b] = max(0, got.processor-got.elapsed())
		}
		untimed := got.overhead - least // what the iterations took while the timer stood still
		_, timed := got.record.Value(results.UnitMean)
		switch elapsed := got.elapsed(); {
		case !timed, elapsed >= c.Block/5:
			return iterationsIn(c.Block, got), got, nil
		case untimed >= mostUntimed && tries < untimedTries:
			continue // on a busy machine a process may have waited for its turn
		case untimed >= mostUntimed && elapsed < untimed/10_000, n == mostIterations:
			return 0, nil, &problem{text: fmt.Sprintf("reports %v for %d iterations: see that it loops b.N times, or while b.Loop(), and that its timer runs", elapsed, n)}
		case untimed >= mostUntimed:
			return n, got, nil
		}
		tries = 0
		n = max(n+1, min(iterationsIn(c.Block, got), rampFactor*n, int(float64(n)*float64(2*mostUntimed)/float64(untimed+1)), mostIterations))
	}
}

// A step of the ramp has at most so many times the iterations of the last one. A benchmark that stops
// its timer, say to prepare each iteration, has as many iterations as take so long in all.
const (
	rampFactor   = 100
	mostUntimed  = 200 * time.Millisecond
	untimedTries = 4 // before it is believed
)

// mostIterations is how many a block has at most, as in the testing package.
const mostIterations = 1_000_000_000

// iterationsIn returns how many iterations fit into d, by what a block took for its own.
func iterationsIn(d time.Duration, b *block) int {
	one := float64(b.elapsed()) / float64(max(1, b.record.Ops))
	if one <= 0 { // it reports no time, only metrics of its own
		return int(max(1, b.record.Ops))
	}
	return int(min(mostIterations, max(1, float64(d)/one)))
}

// giveUp decides a target that can't be measured, if err is a [*problem], and returns any other error.
func (c *comparison) giveUp(t *target, b *binary, err error) error {
	p, ok := errors.AsType[*problem](err)
	if !ok {
		return err
	}
	t.failed = true
	side, decision := judge.SideBase, sequential.Unclear
	if b == t.now {
		side = judge.SideNow
		if p.panics { // as when it does so at once; see sort
			decision = sequential.Worse
		}
	}
	text, err := c.describe(p, b, t.Benchmark)
	c.test.Abandon(t.key(), decision, judge.Reason{Code: judge.BenchmarkFails, Side: side, Text: text})
	return err
}

// describe says what a problem is. It keeps the stacks of the goroutines in a file, if there are any,
// and names it.
func (c *comparison) describe(p *problem, b *binary, bench Benchmark) (string, error) {
	if p.stacks == "" {
		return p.text, nil
	}
	file := filepath.Join(c.Out, fmt.Sprintf("goroutines-%s-%s.txt", b.tree.Side, strings.ReplaceAll(bench.Short(), "/", "-")))
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return "", outError(c.Out, err)
	}
	if err := os.WriteFile(file, []byte(p.stacks+"\n"), 0o644); err != nil {
		return "", outError(file, err)
	}
	return p.text + " (stacks in " + file + ")", nil
}

// round measures each open target four times: base, now, now and base, or the other way round.
func (c *comparison) round(ctx context.Context) error {
	base, now := make([][]results.Record, 2), make([][]results.Record, 2)
	for _, t := range c.open() {
		blocks, broke, err := c.turns(ctx, t.Benchmark, t.iterations, t.base, t.now)
		if err != nil {
			if err := c.giveUp(t, broke, err); err != nil {
				return err
			}
		}
		for _, b := range []*binary{t.base, t.now} {
			for _, got := range blocks[b] {
				c.declared.add(got.units)
				if err := c.samples.write(b.tree.Side, got); err != nil {
					return err
				}
				t.processor[b] += max(0, got.processor-t.idle[b])
			}
		}
		if t.failed {
			continue
		}
		t.measured += 2 * int64(t.iterations)
		for i := range 2 {
			base[i] = append(base[i], blocks[t.base][i].record)
			now[i] = append(now[i], blocks[t.now][i].record)
		}
	}
	out := c.outcome
	out.Base = sequential.AppendBlocks(out.Base, base, 2*c.test.Pairs())
	out.Now = sequential.AppendBlocks(out.Now, now, 2*c.test.Pairs())
	return c.test.Add(base, now)
}

// turns measures a block of a benchmark four times: base, now, now and base, or the other way round. With
// an error come the blocks before it and the side that it is of.
func (c *comparison) turns(ctx context.Context, bench Benchmark, iterations int, base, now *binary) (map[*binary][]*block, *binary, error) {
	order := []*binary{base, now, now, base}
	if c.random.IntN(2) == 1 {
		order = []*binary{now, base, base, now}
	}
	blocks := map[*binary][]*block{}
	for _, b := range order {
		got, err := b.runBlock(ctx, bench, iterations)
		if err != nil {
			return blocks, b, err
		}
		blocks[b] = append(blocks[b], got)
	}
	return blocks, nil, nil
}
