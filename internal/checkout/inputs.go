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
	"slices"
	"strings"
)

// Inputs are what packages of a tree are built from, besides the packages' own files.
type Inputs struct {
	Toolchain string            // such as "go1.26.8"
	Modules   map[string]Module // by path; the main modules aren't among them

	mains map[string]string // directories of the main modules by path
	lines map[string]string // go lines of the main modules by path
	dirs  map[string]string // directories of the others by path, if they lie in the tree
	tree  *Tree

	outside map[string]string // modules in directories outside the repository, as text, by path
}

// Inputs returns what the packages that Deps or TestDeps listed are built from.
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
		dir, inside := t.place(p.moduleDir())
		if m.Main {
			if !inside {
				if dir, err = filepath.EvalSymlinks(dir); err != nil { // the base's is a link
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

// moduleDir returns the directory of the package's module. That of a vendored one is below the vendor
// directory.
func (p *Package) moduleDir() string {
	if p.Module.Dir != "" {
		return p.Module.Dir
	}
	path, _, _ := strings.Cut(p.ImportPath, " ") // a package built for a test is "path [path.test]"
	return filepath.FromSlash(strings.TrimSuffix(filepath.ToSlash(p.Dir), strings.TrimPrefix(path, p.Module.Path)))
}

// place returns a directory as a path from the tree's root, with slashes, and reports whether it lies in
// the tree. If it doesn't, the directory is returned as it is.
func (t *Tree) place(dir string) (string, bool) {
	place, err := filepath.Rel(t.Root, dir)
	if err != nil || !filepath.IsLocal(place) {
		return dir, false
	}
	return filepath.ToSlash(place), true
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

// A Difference is one between what two sides are built from.
type Difference struct {
	Module string // the path of the module whose code differs; empty for the toolchain and go lines

	// Text is such as "toolchain: go1.25.1, now go1.26.8", "go line of example.com/m: 1.21, now 1.26", "module: example.com/m v1.2.3, now
	// example.com/m v1.3.0" or "module: example.com/m v1.2.3 => ./fork: 2 files differ in ./fork".
	Text string
}

// Differences returns what differs between what two sides are built from: the toolchain, the go lines of
// the main modules, the versions and places of modules, and files of modules that are vendored or replaced
// by a directory of the tree.
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

// Shared returns what can't differ between the two sides, though it may have changed since the revision:
// the modules in directories outside the repository.
func Shared(base *Inputs) []Difference {
	var list []Difference
	for _, path := range slices.Sorted(maps.Keys(base.outside)) {
		text := fmt.Sprintf("module: %s lies outside the repository: both sides have it as it is now", base.outside[path])
		list = append(list, Difference{Text: text})
	}
	return list
}

// differing returns how many files below a directory differ from the other side's.
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

// Functions returns how the names of the functions of the modules that differ begin.
func Functions(list []Difference) []string {
	var names []string
	for _, d := range list {
		if d.Module == "" {
			continue
		}
		// The linker writes a dot in the last element of a path so that it can't be mistaken.
		dir, last := path.Split(d.Module)
		names = append(names, d.Module+"/", dir+strings.ReplaceAll(last, ".", "%2e")+".")
	}
	return names
}

// SameContent reports whether two files, such as the programs built from two trees, hold the same bytes.
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
