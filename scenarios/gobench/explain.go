package gobench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
)

// An Explained is why a benchmark regressed: what changed in the profiles of both sides.
type Explained struct {
	Benchmark
	Kind        profiles.Kind
	SampleIndex string // the number that is explained, such as alloc_objects
	Dir         string // holds the profiles, in base and now, the explanation and the flame graph
	Base, Now   []string
	Flame       string // the page with the flame graph of the difference; empty if FlameErr is set
	FlameErr    error  // why there is no flame graph
	*profiles.Explanation
}

// How often each side is profiled. Of waits all are counted but the shortest, and in a profile of every
// allocation there is no noise.
const (
	timePairs  = 50
	waitPairs  = 20
	allocPairs = 8
	mostAllocs = 20_000 // iterations, of which each allocation is counted

	// profileBlocks is how many times as long as a block is profiled at a time: half a second by
	// default, of which a profile at 100 Hz has 50 samples.
	profileBlocks = 10
)

// A profiling is a profile that explains a regressed metric.
type profiling struct {
	target *target
	kind   profiles.Kind
	sample string
	change float64 // of the metric, relative
}

// Explain profiles the benchmarks that regressed most, on both sides by turns, and says which functions
// made the difference: one benchmark for its time and one for its allocations. It writes the profiles, the
// explanations and flame graphs into dir. What could not be explained is an error beside what could.
func (o *Outcome) Explain(ctx context.Context, dir string, progress func(done, of int)) ([]*Explained, error) {
	var all []*Explained
	var errs []error
	var waits error // that there are none
	worked := false
	for queue := o.profilings(); len(queue) > 0; queue = queue[1:] {
		p := queue[0]
		e, err := o.comparison.explain(ctx, p, filepath.Join(dir, string(p.kind)), progress)
		switch {
		case ctx.Err() != nil:
			return all, errors.Join(append(errs, errors.New("interrupted"))...)
		case errors.Is(err, profiles.ErrNothingWithin):
			waits = fmt.Errorf("%s takes longer by more than its processor time, and waits for no lock and no channel: a sleep, or a system call that waits, is in no profile", p.target.Short())
			if !slices.ContainsFunc(queue, func(q profiling) bool { return q.kind == profiles.CPU }) {
				p.kind, p.sample = profiles.CPU, ""
				queue = append(queue, p)
			}
		case isEmpty(err) && len(all) > 0: // its waits are explained; it hardly ever had the processor
		case err != nil:
			errs = append(errs, fmt.Errorf("%s of %s: %w", p.kind, p.target.Short(), err))
		default:
			all, errs = append(all, e), append(errs, e.write(ctx))
			worked = worked || p.kind == profiles.CPU && len(e.Causes) > 0
		}
	}
	if !worked { // else the processor time tells
		errs = append(errs, waits)
	}
	return all, errors.Join(errs...)
}

// write writes the explanation and the flame graph.
func (e *Explained) write(ctx context.Context) (err error) {
	e.Flame, e.FlameErr, err = e.WriteFiles(ctx, e.Dir, e.Base, e.Now, profiles.FlameOptions{
		Title:       fmt.Sprintf("%s of %s: now, less base", e.Kind, e.Short()),
		Note:        "Of a million iterations of either side: 1s is a microsecond an iteration, 1MB a byte. Red is more, green less.",
		DiffOptions: profiles.DiffOptions{TopOptions: profiles.TopOptions{SampleIndex: e.SampleIndex}},
	})
	return err
}

// isEmpty reports whether a profile couldn't be explained because it holds no samples.
func isEmpty(err error) bool {
	file, ok := errors.AsType[*profiles.FileError](err)
	return ok && file.Problem == profiles.NoSamples
}

// profilings returns what explains the regressed rows: of each kind of profile the benchmark that
// changed most.
func (o *Outcome) profilings() []profiling {
	var list []profiling
	for _, row := range o.Judgement.Rows {
		if row.Verdict != results.Regressed || row.Now == nil || row.Base == nil {
			continue
		}
		at := slices.IndexFunc(o.comparison.targets, func(t *target) bool { return t.Package == row.Scenario && t.Short() == row.Op })
		if at < 0 {
			continue
		}
		for _, p := range o.comparison.targets[at].profilings(row) {
			i := slices.IndexFunc(list, func(q profiling) bool { return q.kind == p.kind })
			switch {
			case i < 0:
				list = append(list, p)
			case p.change > list[i].change && p.sample == list[i].sample:
				list[i] = p
			}
		}
	}
	return list
}

// profilings returns what explains a regressed row of the target.
func (t *target) profilings(row judge.Row) []profiling {
	p := profiling{target: t}
	if row.Delta != nil {
		p.change = max(*row.Delta, -*row.Delta)
	}
	of := func(kind profiles.Kind, sample string) []profiling {
		p.kind, p.sample = kind, sample
		return []profiling{p}
	}
	switch row.Unit.Name {
	case results.UnitAllocations:
		return of(profiles.Allocs, "alloc_objects")
	case results.UnitBytes:
		return of(profiles.Allocs, "alloc_space")
	}
	if row.Unit.Name != results.UnitMean || row.Ratio == nil || t.measured == 0 {
		return of(profiles.CPU, "")
	}
	longer := row.Base.Median * (row.Ratio.Estimate - 1)
	works := float64(t.processor[t.now]-t.processor[t.base]) / float64(t.measured)
	switch share := works / longer; {
	case share < mostlyWaits:
		return of(profiles.Block, "delay")
	case share > mostlyWorks:
		return of(profiles.CPU, "")
	}
	return slices.Concat(of(profiles.Block, "delay"), of(profiles.CPU, ""))
}

// Shares of what an iteration takes longer that is processor time. Below the one its waits are
// explained alone, above the other its work alone, and between them both.
const (
	mostlyWaits = 0.2
	mostlyWorks = 0.8
)

// explain takes the profiles of one benchmark.
func (c *comparison) explain(ctx context.Context, p profiling, dir string, progress func(done, of int)) (*Explained, error) {
	c.Log(fmt.Sprintf("profiling %s for %s, both sides by turns", p.target.Short(), p.kind))
	pairs, iterations := timePairs, p.target.iterations
	if p.kind == profiles.Block {
		pairs = waitPairs
	}
	if p.kind == profiles.Allocs {
		pairs, iterations = allocPairs, min(iterations, mostAllocs)
	} else if one, err := p.target.base.runBlock(ctx, p.target.Benchmark, iterations); err != nil {
		return nil, err
	} else {
		iterations = iterationsIn(profileBlocks*c.Block, one)
	}
	machine, err := results.ThisMachine(ctx)
	if err != nil {
		return nil, err
	}
	for n := 1; n <= pairs; n++ {
		turns := []*binary{p.target.base, p.target.now}
		if c.random.IntN(2) == 1 {
			slices.Reverse(turns)
		}
		for _, b := range turns {
			if err := c.profile(ctx, p, b, iterations, filepath.Join(dir, b.tree.Side), n, machine.Identity); err != nil {
				return nil, err
			}
		}
		if progress != nil {
			progress(n, pairs)
		}
	}
	e := &Explained{Benchmark: p.target.Benchmark, Kind: p.kind, SampleIndex: p.sample, Dir: dir}
	if e.Base, err = profiles.Find(filepath.Join(dir, checkout.Base), p.kind); err != nil {
		return nil, err
	}
	if e.Now, err = profiles.Find(filepath.Join(dir, checkout.Now), p.kind); err != nil {
		return nil, err
	}
	own, within := ownFunctions(p.target.now), []string(nil)
	if p.kind == profiles.Block { // the testing package waits, too
		within = own
	}
	own = append(own, checkout.Functions(c.differences)...) // a dependency that changed may be the cause as well
	e.Explanation, err = profiles.Explain(ctx, e.Base, e.Now, profiles.ExplainOptions{SampleIndex: p.sample, Own: own, Within: within, Paired: true})
	return e, err
}

// profile runs one block under the profiler.
func (c *comparison) profile(ctx context.Context, p profiling, b *binary, iterations int, dir string, n int, machine string) (err error) {
	taken := filepath.Join(c.Scratch, "profile")
	flags := []string{"-test.cpuprofile=" + taken}
	switch p.kind {
	case profiles.Block:
		flags = []string{"-test.blockprofile=" + taken, "-test.blockprofilerate=1"}
	case profiles.Allocs:
		flags = []string{"-test.memprofile=" + taken, "-test.memprofilerate=1"}
	}
	got, err := b.runBlock(ctx, p.target.Benchmark, iterations, flags...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(taken)) }()
	labels := map[string]string{profiles.OperationsLabel: strconv.FormatInt(got.record.Ops, 10), profiles.MachineLabel: machine}
	var without []string
	if p.kind == profiles.Block { // for its goroutines, a benchmark waits as long as it lasts
		without = []string{"testing.(*B).Run", "testing.(*B).RunParallel", "testing.(*B).doBench"}
	}
	_, err = profiles.Import(taken, dir, p.kind, n, labels, without...)
	return err
}

// ownFunctions returns how the names of functions begin that may be a cause: those of the module, or of
// the package where there is no module.
func ownFunctions(b *binary) []string {
	path := b.pkg.ImportPath
	if b.pkg.Module != nil {
		path = b.pkg.Module.Path
	}
	return []string{path + ".", path + "/", path + "_test."}
}
