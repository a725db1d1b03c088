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

	"github.com/fleetmark/fleetmark/internal/checkout"
)

// overlaid builds the base's program from two trees: the packages that are compared, and what they
// import, are the base's. The rest, the harness, is the working tree's, so that both sides measure in
// the same way, and a change of the harness isn't taken for one of the client.
type overlaid struct {
	*build
	tested    []string // directories of the base's packages and of what they import, with slashes
	named     []string // those of them that Packages match
	sameBuild bool     // both sides have the same modules and toolchain
	baseMods  *checkout.Inputs
	nowMods   *checkout.Inputs
}

// buildBase tries today's harness first: if that compiles, only the packages differ.
func (b *overlaid) buildBase(ctx context.Context) error {
	if err := b.compareInputs(ctx); err != nil {
		return err
	}
	for _, try := range b.attempts() {
		err := try.build(ctx, b)
		same := false
		if err == nil && len(try.shared) > 0 {
			same, err = checkout.SameContent(b.programs(""))
		}
		if same { // all that differs is in what both would share
			continue
		}
		if err == nil {
			b.Harness, b.Shared = CurrentHarness, try.shared
			return nil
		}
		if _, ok := errors.AsType[*checkout.Error](err); !ok {
			return err // for example the context's
		}
	}
	err := b.compile(ctx, b.BaseTree)
	if e, ok := errors.AsType[*checkout.Error](err); ok {
		e.Problem = fmt.Sprintf("%s: its %s compiles neither with today's harness nor with its own",
			b.BaseTree, strings.Join(b.Packages, ", "))
		e.Want = "name a revision that compiles; the compiler says of its own"
	}
	b.Harness = OwnHarness
	return err
}

// compile builds the base's program in a tree, and remembers how.
func (b *overlaid) compile(ctx context.Context, t *checkout.Tree, flags ...string) error {
	b.base = recipe{project: &b.Project, tree: t, goflags: b.goflags, flags: flags}
	program, _ := b.programs("")
	return b.base.compile(ctx, program)
}

// compareInputs finds out what each side's packages are built from, and how the two differ.
func (b *overlaid) compareInputs(ctx context.Context) error {
	packages, err := b.BaseTree.Deps(ctx, b.Packages...)
	if err != nil {
		return err
	}
	if b.tested, err = ownDirs(b.BaseTree, packages); err != nil {
		return err
	}
	if b.baseMods, err = b.BaseTree.Inputs(ctx, packages); err != nil {
		return err
	}
	if packages, err = b.BaseTree.Packages(ctx, b.Packages...); err != nil {
		return err
	}
	if b.named, err = ownDirs(b.BaseTree, packages); err != nil {
		return err
	}
	if packages, err = b.NowTree.Deps(ctx, b.Packages...); err != nil {
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

// An attempt is a way to put the base's packages and today's harness together.
type attempt struct {
	modules modules
	dirs    []string // directories that are the base's
	shared  []string // directories that are today's, though the base's packages import them
}

// modules says which modules a driver of two trees is built with.
type modules int

const (
	ofToday modules = iota // today's, if they are the same on both sides
	merged                 // the base's for the packages, today's for the rest
	ofBase
)

// attempts returns the ways to build the base's program, best first.
func (b *overlaid) attempts() []attempt {
	kinds := []modules{ofToday}
	if !b.sameBuild {
		kinds = []modules{merged, ofBase}
	}
	var all []attempt
	for _, m := range kinds {
		all = append(all, attempt{modules: m, dirs: b.tested})
	}
	// The harness may use what the base's state of a package lacks that both import.
	isNamed := func(dir string) bool { return slices.Contains(b.named, dir) }
	if shared := slices.DeleteFunc(slices.Clone(b.tested), isNamed); len(shared) > 0 {
		for _, m := range kinds {
			all = append(all, attempt{modules: m, dirs: b.named, shared: shared})
		}
	}
	return all
}

// build compiles the base's program in this way.
func (a attempt) build(ctx context.Context, b *overlaid) error {
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
	if a.modules != merged {
		return b.compile(ctx, at, "-overlay="+overlay)
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
	return b.compile(ctx, &own, "-overlay="+overlay, "-modfile="+file)
}

// harnessDirs returns the directories of all packages of either program that aren't among tested.
func (b *overlaid) harnessDirs(ctx context.Context, tested []string) ([]string, error) {
	_, now := b.programs("")
	main := mainPackage(now)
	if main == "" {
		return nil, &checkout.Error{Problem: fmt.Sprintf("%q builds no Go program", b.Build), Want: "leave out client.packages"}
	}
	var all []string
	for _, t := range []*checkout.Tree{b.NowTree, b.BaseTree} {
		packages, err := t.Deps(ctx, main)
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
