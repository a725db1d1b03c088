package checkout

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// The go.mod and go.work files of a tree may name directories beside the repository, such as
// ../dep. They belong to no revision, so both sides use them as they are now. The base is in a
// temporary directory, where such relative paths must lead to the same directories. Therefore the
// base gets a directory of the repository's name, below directories named after the repository's
// parents, with symbolic links to the directories beside the repository.

// An outsider is a directory outside the repository that a go.mod or go.work file names.
type outsider struct {
	file string // the file that names it, as a path from the root with slashes
	path string // how the file names it
	dir  string // the directory, as a path from the root
}

// placeOutsiders moves the base's files so that there is room beside them, makes links to the
// directories beside the repository, and sets the base's Root. If such a directory doesn't exist,
// it returns an error only if the module around dir, a path from the root, needs it.
func placeOutsiders(base *Tree, repository, dir string) error {
	outsiders, err := findOutsiders(base.Root)
	if err != nil || len(outsiders) == 0 {
		return err
	}
	up := 0 // how many parents of the root the paths lead to
	for _, o := range outsiders {
		up = max(up, strings.Count(filepath.ToSlash(o.dir)+"/", "../"))
	}
	ancestor := repository
	for range up {
		ancestor = filepath.Dir(ancestor)
	}
	rel, err := filepath.Rel(ancestor, repository)
	if err != nil {
		return err
	}
	for range up - strings.Count(filepath.ToSlash(rel), "/") - 1 { // a path that leads above the root of the file system
		rel = filepath.Join("above", rel)
	}
	root := filepath.Join(base.Root+"-beside", rel)
	if err := os.MkdirAll(filepath.Dir(root), 0o700); err != nil {
		return err
	}
	if err := os.Rename(base.Root, root); err != nil {
		return err
	}
	base.Root = root
	// Shorter paths first: a directory inside another one exists once the other is linked.
	slices.SortFunc(outsiders, func(a, b outsider) int { return cmp.Compare(len(a.dir), len(b.dir)) })
	for _, o := range outsiders {
		target, link := filepath.Join(repository, o.dir), filepath.Join(root, o.dir)
		named := fmt.Sprintf("%s: its %s names the directory %s, which ", base, o.file, o.path)
		info, err := os.Stat(target)
		if err != nil || !info.IsDir() {
			if rel, err := filepath.Rel(filepath.Dir(o.file), dir); err != nil || !filepath.IsLocal(rel) {
				continue
			}
			return &Error{Problem: named + "isn't there beside the repository",
				Want: "put it there, or name a revision that doesn't need it", Err: err}
		}
		if _, err := os.Stat(link); err == nil {
			continue
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o700), os.Symlink(target, link)); err != nil {
			return &Error{Problem: fmt.Sprintf("%scan't be linked to (%v)", named, err),
				Want: "move it into the repository, or allow symbolic links", Err: err}
		}
	}
	return nil
}

// findOutsiders returns the directories outside root that the go.mod and go.work files below it
// name. It ignores a file that can't be parsed: the go command reports what is wrong with it.
func findOutsiders(root string) (all []outsider, err error) {
	err = filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() && (e.Name() == "vendor" || e.Name() == "testdata") {
			return cmp.Or(err, error(fs.SkipDir))
		}
		if e.Name() != "go.mod" && e.Name() != "go.work" || !e.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		for _, path := range namedDirectories(e.Name(), text) {
			dir := filepath.Join(filepath.Dir(name), filepath.FromSlash(path))
			if !strings.HasPrefix(filepath.ToSlash(dir)+"/", "../") {
				continue
			}
			if !slices.ContainsFunc(all, func(o outsider) bool { return o.dir == dir }) {
				all = append(all, outsider{filepath.ToSlash(name), path, dir})
			}
		}
		return nil
	})
	return all, err
}

// namedDirectories returns the relative directories that a go.mod or go.work file names.
func namedDirectories(name string, text []byte) (paths []string) {
	var replaced []*modfile.Replace
	if name == "go.work" {
		f, err := modfile.ParseWork(name, text, nil)
		if err != nil {
			return nil
		}
		replaced = f.Replace
		for _, use := range f.Use {
			paths = append(paths, use.Path)
		}
	} else {
		f, err := modfile.Parse(name, text, nil)
		if err != nil {
			return nil
		}
		replaced = f.Replace
	}
	for _, r := range replaced {
		if r.New.Version == "" {
			paths = append(paths, r.New.Path)
		}
	}
	return slices.DeleteFunc(paths, func(p string) bool { return filepath.IsAbs(filepath.FromSlash(p)) })
}
