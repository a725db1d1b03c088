package gobench

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
)

// prepare builds both sides' test binaries and finds the benchmarks that both have.
func (c *comparison) prepare(ctx context.Context) (err error) {
	if c.base, c.now, err = checkout.Pair(ctx, c.Dir, c.Base, c.Scratch); err != nil {
		return err
	}
	c.outcome.BaseTree, c.outcome.NowTree = c.base, c.now
	packages, err := c.packages(ctx)
	if err != nil {
		return err
	}
	if err := c.compareInputs(ctx, packages); err != nil {
		return err
	}
	for i, p := range packages {
		if err := c.preparePackage(ctx, p, i); err != nil {
			return err
		}
	}
	if c.outcome.Benchmarks > 0 {
		return nil
	}
	return &checkout.Error{
		Option: "Bench", Problem: fmt.Sprintf(" %q matches no benchmark of %s", c.Bench, strings.Join(c.Packages, " ")),
		Want: "`go test -list '^Benchmark'` lists those that there are",
	}
}

// A packagePair is a package of both sides. It is nil on a side that lacks it.
type packagePair struct{ base, now *checkout.Package }

func (p packagePair) path() string {
	if p.now != nil {
		return p.now.ImportPath
	}
	return p.base.ImportPath
}

// packages returns the packages that have tests on either side, in the working tree's order.
func (c *comparison) packages(ctx context.Context) ([]packagePair, error) {
	var pairs []packagePair
	var missing *checkout.Package // a package that the working tree lacks
	for _, t := range []*checkout.Tree{c.now, c.base} {
		list, err := t.Packages(ctx, c.Packages...)
		if err != nil {
			return nil, err
		}
		for i := range list {
			p := &list[i]
			at := slices.IndexFunc(pairs, func(o packagePair) bool { return o.path() == p.ImportPath })
			switch {
			case !p.Exists() && p.Error != nil && t == c.now:
				missing = p
			case !p.Tests():
			case t == c.now:
				pairs = append(pairs, packagePair{now: p})
			case at < 0:
				pairs = append(pairs, packagePair{base: p})
			default:
				pairs[at].base = p
			}
		}
	}
	const want = "name one as for go test, such as ./delivery or ./..."
	isMissing := func(p packagePair) bool { return p.path() == missing.ImportPath }
	switch {
	case missing != nil && !slices.ContainsFunc(pairs, isMissing):
		return nil, &checkout.Error{
			Problem: "package " + missing.ImportPath + " can't be found", Want: want,
			Detail: []string{strings.TrimSpace(missing.Error.Err)},
		}
	case len(pairs) == 0:
		problem := fmt.Sprintf("no package with tests in %s", strings.Join(c.Packages, " "))
		return nil, &checkout.Error{Problem: problem, Want: want}
	}
	return pairs, nil
}

// compareInputs finds out how the sides' modules and toolchains differ.
func (c *comparison) compareInputs(ctx context.Context, packages []packagePair) error {
	inputs := map[*checkout.Tree]*checkout.Inputs{}
	for _, t := range []*checkout.Tree{c.base, c.now} {
		var paths []string
		for _, p := range packages {
			if pkg := p.side(t); pkg != nil {
				paths = append(paths, pkg.ImportPath)
			}
		}
		if len(paths) == 0 {
			return nil // one side has nothing to build
		}
		all, err := t.TestDeps(ctx, paths...)
		if err != nil {
			return err
		}
		if inputs[t], err = t.Inputs(ctx, all); err != nil {
			return err
		}
	}
	c.differences = append(checkout.Differences(inputs[c.base], inputs[c.now]), checkout.Shared(inputs[c.base])...)
	c.outcome.Differences = checkout.Texts(c.differences)
	return nil
}

// side returns the package on the side of t.
func (p packagePair) side(t *checkout.Tree) *checkout.Package {
	if t.Side == checkout.Base {
		return p.base
	}
	return p.now
}

// A builtPackage is a package of one side with its benchmarks.
type builtPackage struct {
	*binary
	runs firstRuns
}

// preparePackage builds a package. It makes a target of each of its benchmarks, or decides the
// benchmark at once.
func (c *comparison) preparePackage(ctx context.Context, p packagePair, i int) error {
	base, now, err := c.buildBoth(ctx, p, i, true)
	if err != nil {
		return err
	}
	if failures(base)+failures(now) > 0 {
		// Built without paths, a benchmark that looks for files beside its source doesn't find them.
		otherBase, otherNow, err := c.buildBoth(ctx, p, i, false)
		if err != nil {
			return err
		}
		if failures(otherBase)+failures(otherNow) < failures(base)+failures(now) {
			base, now = otherBase, otherNow
		}
	}
	same := false
	if base != nil && now != nil {
		if same, err = c.identical(base.binary, now.binary); err != nil {
			return err
		}
	}
	all := firstRuns{}
	for _, side := range []*builtPackage{base, now} {
		if side != nil {
			maps.Copy(all, side.runs)
		}
	}
	c.outcome.Benchmarks += len(all)
	for _, b := range slices.SortedFunc(maps.Keys(all), compareBenchmarks) {
		if err := c.classify(b, base, now, same); err != nil {
			return err
		}
	}
	return nil
}

// compareBenchmarks orders benchmarks by name, and then by GOMAXPROCS.
func compareBenchmarks(a, b Benchmark) int {
	return strings.Compare(a.Name+fmt.Sprintf("%6d", a.Procs), b.Name+fmt.Sprintf("%6d", b.Procs))
}

// failures returns how many benchmarks of a package are broken.
func failures(b *builtPackage) int {
	if b == nil {
		return 0
	}
	n := 0
	for _, run := range b.runs {
		if run.problem != nil && run.problem.broken {
			n++
		}
	}
	return n
}

// buildBoth builds both sides' test binaries of the i-th package, and runs each benchmark once. A
// result is nil if its side lacks the package.
func (c *comparison) buildBoth(
	ctx context.Context, p packagePair, i int, trim bool,
) (base, now *builtPackage, err error) {
	c.Log("building the tests of " + p.path())
	name := fmt.Sprintf("%d.test", i)
	if !trim {
		name = fmt.Sprintf("%d-with-paths.test", i)
	}
	binaries, err := buildConcurrently(ctx, func(ctx context.Context, side int) (*binary, error) {
		t := []*checkout.Tree{c.base, c.now}[side]
		pkg := p.side(t)
		if pkg == nil {
			return nil, nil
		}
		// The paths have the same length, so that the arguments of both processes do.
		path := filepath.Join(c.Scratch, [2]string{"old", "new"}[side], name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		b := &binary{tree: t, pkg: *pkg, path: path, trim: trim, limit: c.Limit}
		return b, b.build(ctx)
	})
	if err != nil {
		return nil, nil, err
	}
	var sides [2]*builtPackage
	for side, b := range binaries {
		if b == nil {
			continue
		}
		f, err := b.discover(ctx, c.Bench, c.Procs)
		if err != nil {
			return nil, nil, err
		}
		sides[side] = &builtPackage{b, f}
	}
	return sides[0], sides[1], nil
}

// buildConcurrently calls build for the base, which is side 0, and the working tree, which is side
// 1, at the same time.
func buildConcurrently(
	ctx context.Context, build func(ctx context.Context, side int) (*binary, error),
) (binaries [2]*binary, err error) {
	group, building := errgroup.WithContext(ctx)
	for side := range binaries {
		group.Go(func() (err error) {
			binaries[side], err = build(building, side)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return binaries, cmp.Or(ctx.Err(), err)
	}
	return binaries, nil
}

// identical reports whether two binaries are identical, and so are the files beside their source,
// which the benchmarks may read.
func (c *comparison) identical(base, now *binary) (bool, error) {
	dir, err := filepath.Rel(c.now.Root, now.pkg.Dir)
	if err != nil {
		return false, err
	}
	if !filepath.IsLocal(dir) { // the package is a dependency
		return false, nil
	}
	prefix := filepath.ToSlash(dir) + "/"
	if dir == "." {
		prefix = ""
	}
	if slices.ContainsFunc(c.now.Differs, func(file string) bool { return strings.HasPrefix(file, prefix) }) {
		return false, nil
	}
	return checkout.SameContent(base.path, now.path)
}

// classify makes a target of a benchmark that both sides can measure. It decides any other
// benchmark.
func (c *comparison) classify(b Benchmark, base, now *builtPackage, same bool) error {
	var texts [2]string // why each side can't run the benchmark
	for i, side := range []*builtPackage{base, now} {
		if side.state(b) == bad {
			var err error
			if texts[i], err = c.describe(side.runs[b].problem, side.binary, b); err != nil {
				return err
			}
		}
	}
	decision := sequential.Unclear
	reason := judge.Reason{Code: judge.BenchmarkFails, Side: judge.SideNow, Text: texts[1]}
	switch was, is := base.state(b), now.state(b); {
	case was == good && is == good && !same:
		first := map[*binary]time.Duration{base.binary: base.runs[b].took, now.binary: now.runs[b].took}
		c.targets = append(c.targets, &target{
			Benchmark: b, base: base.binary, now: now.binary, firstIteration: first,
			idleCPU: map[*binary]time.Duration{}, cpu: map[*binary]time.Duration{},
		})
		return nil
	case was == good && is == good:
		decision, reason = sequential.Unchanged, judge.Reason{Code: judge.IdenticalBinaries}
	case was == absent && is == good:
		decision, reason = sequential.Open, judge.Reason{Code: judge.NewBenchmark}
	case was == good && is == absent:
		reason = judge.Reason{Code: judge.BenchmarkRemoved}
	case was == good && now.runs[b].problem.broken:
		decision = sequential.Worse
	case was == good:
	case is == good:
		reason.Side, reason.Text = judge.SideBase, texts[0]
	case was == absent:
		reason.Code = judge.NewAndFails
	case is == absent:
		reason.Code, reason.Text = judge.RemovedAndFails, texts[0]
	default:
		reason.Code, reason.Base = judge.FailsOnBothSides, texts[0]
	}
	c.test.Decide(b.key(), decision, reason)
	return nil
}

// A state says whether a side has a benchmark, and whether it can be measured.
type state int

const (
	absent state = iota
	good
	bad
)

func (b *builtPackage) state(bench Benchmark) state {
	if b == nil {
		return absent
	}
	switch run, ok := b.runs[bench]; {
	case !ok:
		return absent
	case run.problem != nil:
		return bad
	}
	return good
}
