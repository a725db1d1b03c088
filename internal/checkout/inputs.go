package checkout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

// Inputs are what packages of a tree are built from, besides the packages' own files. Modules are
// keyed by path.
type Inputs struct {
	Toolchain string            // such as "go1.26.8"
	Modules   map[string]Module // without the main modules

	tree    *Tree
	mains   map[string]string // directories of the main modules
	lines   map[string]string // go lines of the main modules
	dirs    map[string]string // directories of other modules that are in the tree
	outside map[string]string // modules in directories outside the repository, as text
}

// Inputs returns what packages are built from, as Deps or TestDeps listed them.
func (t *Tree) Inputs(ctx context.Context, packages []Package) (*Inputs, error) {
	toolchain, err := t.Go(ctx, "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	in := &Inputs{
		Toolchain: toolchain, Modules: map[string]Module{}, mains: map[string]string{}, lines: map[string]string{},
		dirs: map[string]string{}, outside: map[string]string{}, tree: t,
	}
	for _, p := range packages {
		m := p.Module
		if m == nil {
			continue
		}
		dir, inside := t.relative(p.moduleDir())
		if m.Main {
			if !inside {
				if dir, err = filepath.EvalSymlinks(dir); err != nil { // in the base, it is a symbolic link
					return nil, err
				}
				in.outside[m.Path] = m.Path + " in " + dir
			}
			in.mains[m.Path], in.lines[m.Path] = dir, m.GoVersion
			continue
		}
		in.Modules[m.Path] = *m
		if inside {
			in.dirs[m.Path] = dir
		} else if m.Replace != nil && m.Replace.Version == "" {
			in.outside[m.Path] = m.String()
		}
	}
	return in, nil
}

// moduleDir returns the directory of the package's module, which is below the vendor directory if
// the module is vendored.
func (p *Package) moduleDir() string {
	if p.Module.Dir != "" {
		return p.Module.Dir
	}
	path, _, _ := strings.Cut(p.ImportPath, " ") // a package built for a test is "path [path.test]"
	below := strings.TrimPrefix(path, p.Module.Path)
	return filepath.FromSlash(strings.TrimSuffix(filepath.ToSlash(p.Dir), below))
}

// relative returns a directory of the tree as a path from the root, with slashes. It reports false
// for a directory outside the tree, which it returns as it is.
func (t *Tree) relative(dir string) (string, bool) {
	rel, err := filepath.Rel(t.Root, dir)
	if err != nil || !filepath.IsLocal(rel) {
		return dir, false
	}
	return filepath.ToSlash(rel), true
}

// module returns a module as text, or "none".
func (in *Inputs) module(path string) string {
	if m, ok := in.Modules[path]; ok {
		return m.String()
	}
	if text, ok := in.outside[path]; ok {
		return text
	}
	if dir, ok := in.mains[path]; ok {
		return path + " in ./" + dir
	}
	return "none"
}

// A Difference is a difference between what two sides are built from.
type Difference struct {
	Module string // the path of the module whose code differs; empty for the toolchain and go lines

	// Text describes the difference in one of these forms:
	//
	//	toolchain: go1.25.1, now go1.26.8
	//	go line of example.com/m: 1.21, now 1.26
	//	module: example.com/m v1.2.3, now example.com/m v1.3.0
	//	module: example.com/m v1.2.3 => ./fork: 2 files differ in ./fork
	Text string
}

// Differences compares what two sides are built from: the toolchain, the go lines of the main
// modules, the versions and directories of modules, and the files of modules that are vendored or
// replaced by a directory of the tree.
func Differences(base, now *Inputs) []Difference {
	var list []Difference
	if base.Toolchain != now.Toolchain {
		list = append(list, Difference{Text: fmt.Sprintf("toolchain: %s, now %s", base.Toolchain, now.Toolchain)})
	}
	paths := map[string]bool{}
	for _, in := range []*Inputs{base, now} {
		for path := range in.Modules {
			paths[path] = true
		}
		for path := range in.mains {
			paths[path] = true
		}
	}
	for _, module := range slices.Sorted(maps.Keys(paths)) {
		was, is := base.module(module), now.module(module)
		if was != is {
			list = append(list, Difference{module, fmt.Sprintf("module: %s, now %s", was, is)})
			continue
		}
		if was, is := base.lines[module], now.lines[module]; was != is {
			list = append(list, Difference{Text: fmt.Sprintf("go line of %s: %s, now %s", module, was, is)})
		}
		dir, ok := now.dirs[module]
		if !ok {
			continue
		}
		switch n := now.tree.differing(dir); n {
		case 0:
		case 1:
			list = append(list, Difference{module, fmt.Sprintf("module: %s: 1 file differs in ./%s", is, dir)})
		default:
			list = append(list, Difference{module, fmt.Sprintf("module: %s: %d files differ in ./%s", is, n, dir)})
		}
	}
	return list
}

// BuildDifferences compares what two programs record about how they were built: the toolchain, and the
// versions of modules.
func BuildDifferences(base, now *debug.BuildInfo) []Difference {
	inputs := func(b *debug.BuildInfo) *Inputs {
		in := &Inputs{Toolchain: b.GoVersion, Modules: map[string]Module{}}
		for _, m := range b.Deps {
			own := Module{Path: m.Path, Version: m.Version}
			if m.Replace != nil {
				own.Replace = &Module{Path: m.Replace.Path, Version: m.Replace.Version}
			}
			in.Modules[m.Path] = own
		}
		return in
	}
	return Differences(inputs(base), inputs(now))
}

// Shared returns the modules in directories outside the repository. They can't differ between the
// two sides, though they may have changed since the revision.
func Shared(base *Inputs) []Difference {
	var list []Difference
	for _, path := range slices.Sorted(maps.Keys(base.outside)) {
		list = append(list, Difference{
			Text: "module: " + base.outside[path] + " lies outside the repository: both sides have it as it is now",
		})
	}
	return list
}

// differing returns how many files below a directory differ between the two sides.
func (t *Tree) differing(dir string) (n int) {
	for _, file := range t.Differs {
		if strings.HasPrefix(file, dir+"/") {
			n++
		}
	}
	return n
}

// Texts returns the texts of differences.
func Texts(list []Difference) []string {
	texts := make([]string, 0, len(list))
	for _, d := range list {
		texts = append(texts, d.Text)
	}
	return texts
}

// Functions returns the prefixes of the names of the functions in modules that differ.
func Functions(list []Difference) []string {
	var names []string
	for _, d := range list {
		if d.Module == "" {
			continue
		}
		// The linker escapes dots in the last element of a path.
		dir, last := path.Split(d.Module)
		names = append(names, d.Module+"/", dir+strings.ReplaceAll(last, ".", "%2e")+".")
	}
	return names
}

// SameContent reports whether two files hold the same bytes. It is for the programs built from two
// trees.
func SameContent(one, other string) (bool, error) {
	a, err := digest(one)
	if err != nil {
		return false, err
	}
	b, err := digest(other)
	return bytes.Equal(a, b), err
}

func digest(path string) (_ []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}
