package gobench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/profiles/view"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
)

// A Cause says why a benchmark regressed, by what differs between the profiles of the two sides.
type Cause struct {
	Benchmark
	Kind        profiles.Kind
	SampleIndex string // the value that is explained, such as alloc_objects
	Dir         string // holds the profiles, in base and now, the explanation and the flame graph
	Flame       string // the page with the flame graph of the difference; empty if FlameErr is set
	FlameErr    error  // why there is no flame graph
	*explain.Paired
}

const (
	maxAllocIterations = 20_000 // iterations in a profile of every allocation

	// profileBlocks is the length of a profile in blocks. By default that is half a second, in
	// which a profile at 100 Hz takes 50 samples.
	profileBlocks = 10
)

// A profileNeed is a kind of profile that may explain a regressed metric of a target.
type profileNeed struct {
	target *target
	kind   profiles.Kind
	sample string
	change float64 // relative change of the metric
}

// Explain profiles both sides of the benchmarks that regressed most, in turns, and returns which
// functions made the difference: one benchmark for its time and one for its allocations. It writes
// the profiles, the explanations and flame graphs into dir. If something can't be explained,
// Explain returns an error beside the causes that it found.
func (o *Outcome) Explain(ctx context.Context, dir string, progress func(done, of int)) ([]*Cause, error) {
	var all []*Cause
	var errs []error
	var noWaits error // why the profile of waits is empty, or nil
	cpuExplains, emptyCPU := false, false
	queue := o.planProfiles()
	planned := len(queue)
	addIfNew := func(p profileNeed) {
		if !slices.ContainsFunc(queue, func(q profileNeed) bool { return q.kind == p.kind }) {
			queue = append(queue, p)
		}
	}
	for i := 0; i < len(queue); i++ { // which may grow
		p := queue[i]
		instead := profileNeed{p.target, profiles.Block, "delay", p.change} // of a profile of processor time
		e, err := o.comparison.explain(ctx, p, filepath.Join(dir, string(p.kind)), progress)
		switch {
		case ctx.Err() != nil:
			return all, errors.Join(append(errs, errors.New("interrupted"))...)
		case errors.Is(err, explain.ErrNoMatchingStacks), isEmpty(err) && p.kind == profiles.Block:
			if i < planned || emptyCPU {
				noWaits = fmt.Errorf("%s takes longer by more than its processor time, and waits for no lock and "+
					"no channel: a sleep, or a system call that waits, is in no profile", p.target.Short())
			}
			addIfNew(profileNeed{p.target, profiles.CPU, "", p.change})
		case isEmpty(err) && p.kind == profiles.CPU: // it hardly uses the processor, so it must wait for something
			emptyCPU = true
			addIfNew(instead)
		case err != nil:
			errs = append(errs, fmt.Errorf("%s of %s: %w", p.kind, p.target.Short(), err))
		default:
			all, errs = append(all, e), append(errs, e.write(ctx))
			switch {
			case p.kind == profiles.CPU && len(e.Causes) > 0:
				cpuExplains = true
			case p.kind == profiles.CPU: // on a busy machine, what waits may seem to use the processor
				addIfNew(instead)
			}
		}
	}
	if !cpuExplains {
		errs = append(errs, noWaits)
	}
	return all, errors.Join(errs...)
}

// write writes the explanation and the flame graph.
func (e *Cause) write(ctx context.Context) (err error) {
	o := view.FlameOptions{
		Title: fmt.Sprintf("%s of %s: now, less base", e.Kind, e.Short()),
		Note: "Of a million iterations of either side: 1s is a microsecond an iteration, 1MB a byte. " +
			"Red is more, green less.",
	}
	o.SampleIndex = e.SampleIndex
	e.Flame, e.FlameErr, err = e.WriteFiles(ctx, e.Dir, func(w io.Writer) error {
		_, err := view.Flame(ctx, w, e.BaseFiles, e.NowFiles, o) // the page shows its notes
		return err
	})
	return err
}

// isEmpty reports whether a profile couldn't be explained because it holds no samples.
func isEmpty(err error) bool {
	file, ok := errors.AsType[*profiles.FileError](err)
	return ok && file.Problem == profiles.NoSamples
}

// planProfiles returns the profiles that may explain the regressed rows: at most one of each kind,
// for the benchmark that changed most.
func (o *Outcome) planProfiles() []profileNeed {
	var list []profileNeed
	for _, row := range o.Judgement.Rows {
		if row.Verdict != results.Regressed || row.Now == nil || row.Base == nil {
			continue
		}
		at := slices.IndexFunc(o.comparison.targets, func(t *target) bool {
			return t.Package == row.Scenario && t.Short() == row.Op
		})
		if at < 0 {
			continue
		}
		for _, p := range o.comparison.targets[at].profileNeeds(row) {
			i := slices.IndexFunc(list, func(q profileNeed) bool { return q.kind == p.kind })
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

// profileNeeds returns the profiles that may explain a regressed row of the target.
func (t *target) profileNeeds(row judge.Row) []profileNeed {
	p := profileNeed{target: t}
	if row.Delta != nil {
		p.change = max(*row.Delta, -*row.Delta)
	}
	of := func(kind profiles.Kind, sample string) []profileNeed {
		p.kind, p.sample = kind, sample
		return []profileNeed{p}
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
	extra := row.Base.Median * (row.Ratio.Estimate - 1)
	extraCPU := float64(t.cpu[t.now]-t.cpu[t.base]) / float64(t.measured)
	switch share := extraCPU / extra; {
	case share < mostlyWaits:
		return of(profiles.Block, "delay")
	case share > mostlyWorks:
		return of(profiles.CPU, "")
	}
	return slices.Concat(of(profiles.Block, "delay"), of(profiles.CPU, ""))
}

// Limits of the share of processor time in the extra time of an iteration. Below mostlyWaits only
// the waits are explained, above mostlyWorks only the processor time, and between the two both.
const (
	mostlyWaits = 0.2
	mostlyWorks = 0.8
)

// explain takes the profiles of one benchmark and explains their difference.
func (c *comparison) explain(
	ctx context.Context, p profileNeed, dir string, progress func(done, of int),
) (*Cause, error) {
	c.Log(fmt.Sprintf("profiling %s for %s, both sides by turns", p.target.Short(), p.kind))
	iterations := min(p.target.iterations, maxAllocIterations)
	if p.kind != profiles.Allocs {
		one, err := p.target.base.runBlock(ctx, p.target.Benchmark, p.target.iterations)
		if err != nil {
			return nil, err
		}
		iterations = iterationsIn(profileBlocks*c.Block, one)
	}
	machine, err := results.ThisMachine(ctx)
	if err != nil {
		return nil, err
	}
	sides := []*binary{p.target.base, p.target.now}
	taking := explain.Taking[*binary]{
		Sides: sides, Pairs: explain.PairCount(p.kind), Random: c.random, Progress: progress,
		Take: func(b *binary, n int) error {
			return c.profile(ctx, p, b, iterations, filepath.Join(dir, b.tree.Side), n, machine.Identity)
		},
	}
	own, within := ownFunctions(p.target.now), []string(nil)
	if p.kind == profiles.Block { // leave out the waits of the testing package
		within = own
	}
	own = append(own, checkout.Functions(c.differences)...) // a dependency that changed may be the cause as well
	base, now := filepath.Join(dir, checkout.Base), filepath.Join(dir, checkout.Now)
	e := &Cause{Benchmark: p.target.Benchmark, Kind: p.kind, SampleIndex: p.sample, Dir: dir}
	e.Paired, err = explain.TakeAndExplain(ctx, taking, base, now, p.kind, explain.Options{
		Selection: profiles.Selection{SampleIndex: p.sample}, Own: own, Within: within,
	})
	return e, err
}

// profile runs one block of a side under the profiler, and writes the n-th profile into dir.
func (c *comparison) profile(
	ctx context.Context, p profileNeed, b *binary, iterations int, dir string, n int, machine string,
) (err error) {
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
	labels := map[string]string{
		profiles.OperationsLabel: strconv.FormatInt(got.record.Ops, 10), profiles.MachineLabel: machine,
	}
	var without []string
	if p.kind == profiles.Block { // leave out the testing package, which waits for the benchmark to end
		without = []string{"testing.(*B).Run", "testing.(*B).RunParallel", "testing.(*B).doBench"}
	}
	_, err = profiles.Import(taken, dir, p.kind, n, labels, without...)
	return err
}

// ownFunctions returns prefixes of the names of functions that may be a cause: those of the
// benchmark's module, or of its package if there is no module.
func ownFunctions(b *binary) []string {
	path := b.pkg.ImportPath
	if b.pkg.Module != nil {
		path = b.pkg.Module.Path
	}
	return []string{path + ".", path + "/", path + "_test."}
}
