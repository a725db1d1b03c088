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

// A tree's go.mod and go.work files may name directories beside the repository, such as ../dep. No
// revision has those: both sides see them as they are now. The base lies in a temporary directory, so it
// gets the repository's name there, and its parents' names, and symbolic links where the directories are
// beside it.

// An outsider is a directory outside the repository that a go.mod or go.work file names.
type outsider struct {
	file string // that names it, as a path from the root with slashes
	path string // as the file names it
	dir  string // where it is, as a path from the root
}

// placeOutsiders moves the base's files, which lie below its Root, to where the directories beside the
// repository have room, and makes links to them. It sets the base's Root. If one isn't there, it is an
// error only if a module needs it in which the directory dir, a path from the root, lies.
func placeOutsiders(base *Tree, repository, dir string) error {
	outsiders, err := findOutsiders(base.Root)
	if err != nil || len(outsiders) == 0 {
		return err
	}
	up := 0 // how many directories above the root are named
	for _, o := range outsiders {
		up = max(up, strings.Count(filepath.ToSlash(o.dir)+"/", "../"))
	}
	top := base.Root + "-beside"
	above := repository
	for range up {
		above = filepath.Dir(above)
	}
	place, err := filepath.Rel(above, repository)
	if err != nil {
		return err
	}
	root := filepath.Join(top, place)
	if err := os.MkdirAll(filepath.Dir(root), 0o700); err != nil {
		return err
	}
	if err := os.Rename(base.Root, root); err != nil {
		return err
	}
	base.Root = root
	// One that lies in another comes after it, and is found through its link.
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

// findOutsiders returns the directories outside root that the go.mod and go.work files below it name. A
// file that can't be parsed names none: the go command says what is wrong with it.
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
