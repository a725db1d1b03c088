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

// Options says what Compare measures.
type Options struct {
	Dir      string   // the directory of the source tree that Packages are relative to; empty means "."
	Base     string   // the git revision that the working tree is compared with
	Bench    string   // the benchmarks: a regular expression as for go test -bench
	Packages []string // patterns as for go test; none means "."
	Procs    []int    // the values of GOMAXPROCS, as for go test -cpu; none means the current one

	// Better holds the direction of metrics that benchmarks report themselves, for those that no
	// Unit line declares: +1 if more is better, -1 if less is.
	Better map[string]int

	// Budget limits how long Compare measures, without building. 0 means 25 seconds for each
	// benchmark, but at least 100 seconds and at most half an hour in all.
	Budget time.Duration

	// Block is the least time for which one benchmark is measured at a time. 0 means 50 ms.
	Block time.Duration

	// LayoutBudget limits how long Compare measures further layouts of both sides' code, including
	// the time to build them. It does so if a time would be called regressed or is left open. 0
	// means never.
	LayoutBudget time.Duration

	// Limit is how long one benchmark may take in one process. 0 means DefaultLimit.
	Limit time.Duration

	Seed    uint64 // seeds the order in which the sides take turns
	Scratch string // the directory for the base's files and the test binaries
	Out     string // a new directory for the samples, which are written as they are measured

	Log      func(text string) // called with a description of each step; may be nil
	Progress func(Progress)    // called after each round; may be nil
}

// The defaults of [Options]. A block is so long that starting its process costs less than
// measuring, and so short that the machine hardly changes during the four blocks of a round. If
// starting takes longer, for example because the package first reads test data, a block lasts as
// long as the start, up to maxBlock.
const (
	DefaultLimit = time.Minute
	defaultBlock = 50 * time.Millisecond
	maxBlock     = time.Second

	minBudget          = 100 * time.Second
	budgetPerBenchmark = 25 * time.Second
	maxBudget          = 30 * time.Minute
)

// defaultBudget returns the budget for a number of benchmarks.
func defaultBudget(benchmarks int) time.Duration {
	return min(maxBudget, max(minBudget, time.Duration(benchmarks)*budgetPerBenchmark))
}

// Progress says how far a comparison is.
type Progress struct {
	Open, Benchmarks int // benchmarks still to be decided, and all benchmarks
	Rounds           int // each measures an open benchmark four times
	Layouts          int // layouts measured besides the first; if not 0, Elapsed and Budget are those of layouts
	Elapsed, Budget  time.Duration
}

// An Outcome is the result of a comparison.
type Outcome struct {
	Judgement         *judge.Judgement
	Base, Now         []results.Record // one for each block
	BaseTree, NowTree *checkout.Tree
	Differences       []string // between the sides' modules and toolchains, a line each
	Warnings          []string // about damaged Unit lines, a sentence each
	Benchmarks        int      // of both sides together
	Rounds            int
	Elapsed           time.Duration
	Samples           string // the directory with the samples; empty if nothing was measured

	Layouts        int           // layouts measured besides the first
	LayoutsElapsed time.Duration // building included
	Relinking      error         // why another layout could not be built, or nil

	comparison *comparison
}

// Compare measures the benchmarks of a revision and of the working tree in turns, until each is
// decided or the budget is spent. The error is a [*checkout.Error] if a user can fix the cause; its
// Option names the field of o that the error is about, if any. If ctx is done, Compare returns the
// context's error, and [Options].Out holds what was measured.
func Compare(ctx context.Context, o Options) (_ *Outcome, err error) {
	if len(o.Packages) == 0 {
		o.Packages = []string{"."}
	}
	if len(o.Procs) == 0 {
		o.Procs = []int{runtime.GOMAXPROCS(0)}
	}
	o.Dir, o.Block, o.Limit = cmp.Or(o.Dir, "."), cmp.Or(o.Block, defaultBlock), cmp.Or(o.Limit, DefaultLimit)
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

// A comparison is a call of Compare.
type comparison struct {
	Options
	random    *rand.Rand
	test      *sequential.Test
	result    sequential.Result // the result of the last analysis
	base, now *checkout.Tree
	targets   []*target

	differences []checkout.Difference // between the sides' modules and toolchains

	declared unitLines
	samples  *sampleFiles
	outcome  *Outcome
}

// A target is a benchmark that both sides have.
type target struct {
	Benchmark
	base, now      *binary
	firstIteration map[*binary]time.Duration // how long the first iteration took
	iterations     int                       // in a block
	failed         bool                      // a block failed, so the benchmark is no longer measured

	// idleCPU is the processor time of a process that hardly measures anything. cpu is the
	// processor time of all blocks of a side, without their idleCPU.
	idleCPU, cpu map[*binary]time.Duration
	measured     int64 // iterations of all blocks of a side
}

// measure measures the targets in turns and judges them.
func (c *comparison) measure(ctx context.Context) (err error) {
	out := c.outcome
	if len(c.targets) == 0 {
		c.result, _ = c.test.Analyze(true)
		out.Judgement = judge.Sequential(c.result, nil)
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
	budget := cmp.Or(c.Budget, defaultBudget(len(c.targets)))
	c.result, out.Elapsed, err = c.decide(c.test, budget, func() (open int, err error) {
		err = c.round(ctx)
		out.Rounds = c.test.Pairs()
		return len(c.open()), err
	})
	if err != nil {
		return err
	}
	out.Judgement = judge.Sequential(c.result, nil)
	return nil
}

// decide calls round until the test has decided everything or the budget is spent. round measures
// the open benchmarks, and returns how many are still open.
func (c *comparison) decide(
	test *sequential.Test, budget time.Duration, round func() (open int, err error),
) (found sequential.Result, elapsed time.Duration, err error) {
	for began := time.Now(); ; {
		open, err := round()
		if err != nil {
			return found, 0, err
		}
		p := Progress{
			Open: open, Benchmarks: len(c.targets), Rounds: c.test.Pairs(), Elapsed: time.Since(began), Budget: budget,
		}
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

// giveUp decides a target that can't be measured. It returns err unless that is a [*problem].
func (c *comparison) giveUp(t *target, b *binary, err error) error {
	p, ok := errors.AsType[*problem](err)
	if !ok {
		return err
	}
	t.failed = true
	side, decision := judge.SideBase, sequential.Unclear
	if b == t.now {
		side = judge.SideNow
		if p.panics { // treat it as a panic in the first iteration; see classify
			decision = sequential.Worse
		}
	}
	text, err := c.describe(p, b, t.Benchmark)
	c.test.Abandon(t.key(), decision, judge.Reason{Code: judge.BenchmarkFails, Side: side, Text: text})
	return err
}

// describe returns a description of a problem. If there are stacks of goroutines, it writes them to
// a file and names the file.
func (c *comparison) describe(p *problem, b *binary, bench Benchmark) (string, error) {
	if p.stacks == "" {
		return p.text, nil
	}
	name := strings.ReplaceAll(bench.Short(), "/", "-")
	file := filepath.Join(c.Out, fmt.Sprintf("goroutines-%s-%s.txt", b.tree.Side, name))
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return "", outError(c.Out, err)
	}
	if err := os.WriteFile(file, []byte(p.stacks+"\n"), 0o644); err != nil {
		return "", outError(file, err)
	}
	return p.text + " (stacks in " + file + ")", nil
}

// round measures each open target four times, by turns, and adds the pairs to the test.
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
				t.cpu[b] += max(0, got.cpu-t.idleCPU[b])
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
	before := 2 * c.test.Pairs()
	out.Base, out.Now = sequential.AppendBlocks(out.Base, base, before), sequential.AppendBlocks(out.Now, now, before)
	return c.test.Add(base, now)
}

// turns measures four blocks of a benchmark: base, now, now and base, or the other way round. If
// one fails, turns returns the blocks before it, its side and an error.
func (c *comparison) turns(
	ctx context.Context, bench Benchmark, iterations int, base, now *binary,
) (map[*binary][]*block, *binary, error) {
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
