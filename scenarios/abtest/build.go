package abtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/fleetmark/fleetmark/internal/checkout"
)

// How the base's driver was built: which harness drives the base's delivery package.
const (
	CurrentHarness = "today's harness"
	OwnHarness     = "its own harness" // used if today's harness doesn't compile with that delivery package
)

// Builds are the drivers of both sides.
type Builds struct {
	Base, Now string // programs
	Harness   string // of the base's driver: CurrentHarness or OwnHarness; "" for an [OwnClient]
	Shared    string // a package of which both sides have today's state, though delivery imports it; usually empty

	BaseTree, NowTree *checkout.Tree
	Differences       []checkout.Difference // between the modules and toolchains of the two
	Same              bool                  // the two programs are identical

	// Relink builds both drivers again from the same code in another layout: the linker orders
	// functions by the random seed, which is above 0. Each call overwrites what the last one built.
	// Relink is nil if the drivers can't be built again.
	Relink func(ctx context.Context, seed uint64) (base, now string, err error)
}

// Directories of the source tree that a driver is built from.
const (
	driverDir = "cmd/fleetmark" // the command that calls [Serve]
	testedDir = "delivery"      // the package that is compared, with those below it

	// sharedDir is a package that both the tested package and the harness import. If the harness
	// doesn't compile with the base's version, both sides have today's.
	sharedDir = "internal/wire"
)

// buildDrivers builds both drivers in the directory work, from the source tree that contains the
// current directory. Now is the working tree, with its uncommitted changes.
//
// The base's driver contains the tested package of the revision ref, the packages below it, and
// every package of the module that they import, with embedded files. It is built with the modules,
// vendor directory, workspace and toolchain of that revision. The rest, the harness, is today's, so
// that both sides measure in the same way. Only if today's harness doesn't compile that way is the
// whole driver built from the revision.
//
// The error is a [*checkout.Error] if the user can fix the cause.
func buildDrivers(ctx context.Context, ref, work string) (*Builds, error) {
	base, now, err := checkout.Pair(ctx, ".", ref, work)
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{testedDir, driverDir} {
		if info, err := os.Stat(filepath.Join(now.Root, dir)); err != nil || !info.IsDir() {
			return nil, &checkout.Error{
				Problem: dir + " isn't in the repository",
				Want:    "run it in the source tree of fleetmark",
			}
		}
	}
	base.Dir, now.Dir = base.Root, now.Root
	s := &Builds{Base: filepath.Join(work, "base"), Now: filepath.Join(work, "now"), BaseTree: base, NowTree: now}
	ours := recipe{tree: now}
	if err := ours.compile(ctx, s.Now); err != nil {
		return nil, err
	}
	b := &baseBuild{Builds: s, work: work}
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	s.Relink = func(ctx context.Context, seed uint64) (string, string, error) {
		layout := fmt.Sprintf("-ldflags=-randlayout=%d", seed)
		programs := []string{s.Base + "-layout", s.Now + "-layout"}
		links, ctx := errgroup.WithContext(ctx)
		links.Go(func() error { return notLinked(base, b.recipe.compile(ctx, programs[0], layout)) })
		links.Go(func() error { return notLinked(now, ours.compile(ctx, programs[1], layout)) })
		return programs[0], programs[1], links.Wait()
	}
	s.Same, err = checkout.SameContent(s.Base, s.Now)
	return s, err
}

// A recipe is how a driver is built.
type recipe struct {
	tree  *checkout.Tree
	flags []string
}

// compile builds the driver. Both sides are built with the same flags, and without paths.
func (r recipe) compile(ctx context.Context, to string, flags ...string) error {
	args := slices.Concat([]string{"build", "-trimpath", "-buildvcs=false", "-o", to}, r.flags, flags)
	_, err := r.tree.Go(ctx, append(args, "./"+driverDir)...)
	return r.tree.BuildError(err, "the driver doesn't compile", "the compiler says why")
}

// notLinked describes the error of a driver that compiles, but can't be linked in another layout.
func notLinked(t *checkout.Tree, err error) error {
	problem := "the driver can't be linked with its functions in another order"
	return t.BuildError(err, problem, "the go command says why")
}

// A baseBuild builds the driver of the base.
type baseBuild struct {
	*Builds
	work      string
	tested    []string // directories of the base's tested packages and of what they import, with slashes
	sameBuild bool     // both sides have the same modules and toolchain
	baseMods  *checkout.Inputs
	nowMods   *checkout.Inputs
	recipe    recipe // the one that worked
}

// build tries today's harness first: if that compiles, only the delivery package differs.
func (b *baseBuild) build(ctx context.Context) error {
	if err := b.compareInputs(ctx); err != nil {
		return err
	}
	for _, try := range b.attempts() {
		err := try.build(ctx, b)
		if err == nil {
			b.Harness, b.Shared = CurrentHarness, try.shared
			return nil
		}
		if _, ok := errors.AsType[*checkout.Error](err); !ok {
			return err // for example the context's
		}
	}
	b.recipe = recipe{tree: b.BaseTree}
	err := b.recipe.compile(ctx, b.Base)
	if e, ok := errors.AsType[*checkout.Error](err); ok {
		e.Problem = fmt.Sprintf("%s: its delivery package compiles neither with today's harness nor with its own",
			b.BaseTree)
		e.Want = "name a revision that compiles; the compiler says of its own"
	}
	b.Harness = OwnHarness
	return err
}

// compareInputs finds out what each side's driver is built from, and how the two differ.
func (b *baseBuild) compareInputs(ctx context.Context) error {
	packages, err := b.BaseTree.Deps(ctx, "./"+testedDir+"/...")
	if err != nil {
		return err
	}
	if b.tested, err = ownDirs(b.BaseTree, packages); err != nil {
		return err
	}
	if b.baseMods, err = b.BaseTree.Inputs(ctx, packages); err != nil {
		return err
	}
	if packages, err = b.NowTree.Deps(ctx, "./"+testedDir+"/..."); err != nil {
		return err
	}
	if b.nowMods, err = b.NowTree.Inputs(ctx, packages); err != nil {
		return err
	}
	b.Differences = checkout.Differences(b.baseMods, b.nowMods)
	b.sameBuild = len(b.Differences) == 0 && !slices.ContainsFunc(b.NowTree.Differs, isModuleFile)
	b.Differences = append(b.Differences, checkout.Shared(b.baseMods)...)
	return nil
}

// ownDirs returns the directories of the packages that belong to a tree, with slashes.
func ownDirs(t *checkout.Tree, packages []checkout.Package) ([]string, error) {
	var dirs []string
	for _, p := range packages {
		if p.Module == nil || !p.Module.Main {
			continue
		}
		dir, err := filepath.Rel(t.Root, p.Dir)
		if err != nil {
			return nil, err
		}
		if filepath.IsLocal(dir) {
			dirs = append(dirs, filepath.ToSlash(dir))
		}
	}
	return dirs, nil
}

// isModuleFile reports whether a file decides which modules a build uses, or belongs to one of
// them.
func isModuleFile(path string) bool {
	switch filepath.Base(path) {
	case "go.mod", "go.sum", "go.work", "go.work.sum":
		return true
	}
	return strings.HasPrefix(path, "vendor/") || strings.Contains(path, "/vendor/")
}

// An attempt is a way to put the base's delivery package and today's harness together.
type attempt struct {
	modules modules
	dirs    []string // directories that are the base's
	shared  string   // a directory that is today's, though the base's delivery package imports it
}

// modules says which modules a driver of two trees is built with.
type modules int

const (
	ofToday modules = iota // today's, if they are the same on both sides
	merged                 // the base's for the delivery package, today's for the rest
	ofBase
)

// attempts returns the ways to build the base's driver, best first.
func (b *baseBuild) attempts() []attempt {
	kinds := []modules{ofToday}
	if !b.sameBuild {
		kinds = []modules{merged, ofBase}
	}
	var all []attempt
	for _, m := range kinds {
		all = append(all, attempt{modules: m, dirs: b.tested})
	}
	if slices.Contains(b.tested, sharedDir) {
		own := slices.DeleteFunc(slices.Clone(b.tested), func(dir string) bool { return dir == sharedDir })
		for _, m := range kinds {
			all = append(all, attempt{modules: m, dirs: own, shared: sharedDir})
		}
	}
	return all
}

// build compiles the base's driver in this way.
func (a attempt) build(ctx context.Context, b *baseBuild) error {
	at, with, dirs := b.NowTree, b.BaseTree, a.dirs
	if a.modules == ofBase {
		var err error
		if dirs, err = b.harnessDirs(ctx, a.dirs); err != nil {
			return err
		}
		at, with = b.BaseTree, b.NowTree
	}
	overlay := filepath.Join(b.work, "overlay.json")
	if err := writeOverlay(overlay, at.Root, with.Root, dirs); err != nil {
		return err
	}
	flags := []string{"-overlay", overlay}
	if a.modules != merged {
		b.recipe = recipe{at, flags}
		return b.recipe.compile(ctx, b.Base)
	}
	file, err := b.mergeModules(ctx)
	if err != nil {
		return err
	}
	own := *at
	if b.baseMods.Toolchain != b.nowMods.Toolchain { // otherwise the go command would try to download a local build of Go
		own.Env = append(slices.Clone(at.Env), "GOTOOLCHAIN="+b.baseMods.Toolchain)
	}
	if err := b.checkModules(ctx, &own, file); err != nil {
		return err
	}
	b.recipe = recipe{&own, append(flags, "-modfile", file)}
	return b.recipe.compile(ctx, b.Base)
}

// harnessDirs returns the directories of all packages of either driver that aren't among tested.
func (b *baseBuild) harnessDirs(ctx context.Context, tested []string) ([]string, error) {
	var all []string
	for _, t := range []*checkout.Tree{b.NowTree, b.BaseTree} {
		packages, err := t.Deps(ctx, "./"+driverDir)
		if err != nil {
			return nil, err
		}
		dirs, err := ownDirs(t, packages)
		if err != nil {
			return nil, err
		}
		all = append(all, dirs...)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(dir string) bool { return slices.Contains(tested, dir) }), nil
}

// writeOverlay writes a file for go build -overlay that replaces the files of directories below
// root by those of the same directories below other.
func writeOverlay(path, root, other string, dirs []string) error {
	replace := map[string]string{}
	for _, dir := range dirs {
		for _, side := range []struct {
			root string
			with func(name string) string
		}{
			{root, func(string) string { return "" }},
			{other, func(name string) string { return filepath.Join(other, name) }},
		} {
			err := filepath.WalkDir(filepath.Join(side.root, dir), func(file string, e fs.DirEntry, err error) error {
				if errors.Is(err, fs.ErrNotExist) {
					return nil // the directory exists on one side only
				}
				if err != nil || e.IsDir() || strings.HasSuffix(file, "_test.go") {
					return err
				}
				name, err := filepath.Rel(side.root, file)
				replace[filepath.Join(root, name)] = side.with(name)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
