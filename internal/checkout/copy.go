package checkout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Copy writes the files of the working tree t below the directory into, and returns the tree of the
// copy: the files that git tracks, as they are now, and those that it doesn't ignore. What is built
// there leaves the repository as it is. Errors are [*Error], or the context's.
func (t *Tree) Copy(ctx context.Context, into string) (*Tree, error) {
	c := *t
	c.Root = filepath.Join(into, "now-tree")
	if err := copyFiles(ctx, t.Root, c.Root); err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(t.Root, t.Dir)
	if err != nil {
		return nil, err
	}
	if err := placeOutsiders(&c, t.Origin, rel); err != nil {
		return nil, err
	}
	c.Dir = filepath.Join(c.Root, rel)
	if err := os.MkdirAll(c.Dir, 0o755); err != nil { // git knows no empty directory
		return nil, err
	}
	return &c, t.copyWorkspace(&c)
}

// copyWorkspace makes a copy use the workspace of the tree, even if git ignores the file.
func (t *Tree) copyWorkspace(c *Tree) error {
	if t.workspace == "" {
		return nil
	}
	rel, err := filepath.Rel(t.Root, t.workspace)
	if err != nil {
		return err
	}
	c.workspace = filepath.Join(c.Root, rel)
	for _, suffix := range []string{"", ".sum"} {
		err := copyFile(t.workspace+suffix, c.workspace+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	c.Env = append(slices.Clone(t.Env), "GOWORK="+c.workspace)
	return nil
}

// copyFiles copies the files of the working tree at from, and those of its submodules, that git tracks
// or doesn't ignore.
func copyFiles(ctx context.Context, from, to string) error {
	out, err := git(ctx, from, nil, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	if err != nil {
		return explain(ctx, err, "git ls-files failed", "run it by hand and see what is wrong")
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	names := strings.FieldsFunc(out, func(c rune) bool { return c == 0 })
	slices.Sort(names)
	isDir := map[string]bool{".": true}          // see inDirectories
	for _, name := range slices.Compact(names) { // one that is in conflict is listed more than once
		name = filepath.FromSlash(name)
		source, target := filepath.Join(from, name), filepath.Join(to, name)
		info, err := os.Lstat(source)
		switch {
		case errors.Is(err, fs.ErrNotExist), !inDirectories(from, filepath.Dir(name), isDir): // deleted, and not committed
			continue
		case err == nil && info.IsDir() && isCheckout(source):
			if err := copyFiles(ctx, source, target); err != nil {
				return err
			}
			continue
		case err == nil && info.IsDir(): // a submodule that isn't checked out
			err = os.MkdirAll(target, 0o755)
		case err == nil:
			err = copyFile(source, target)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) { // two names that the file system takes for one
			problem := fmt.Sprintf("the file %s of the working tree can't be copied (%v)", filepath.ToSlash(name), err)
			return &Error{Problem: problem, Want: "see that it can be read, and that the disk has room", Err: err}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// inDirectories reports whether dir, a path from the directory root, and all its parents up to root are
// directories. For git, the files below a path that has become a link or a file are deleted. known holds
// what earlier calls found out.
func inDirectories(root, dir string, known map[string]bool) bool {
	is, ok := known[dir]
	if !ok {
		info, err := os.Lstat(filepath.Join(root, dir))
		is = err == nil && info.IsDir() && inDirectories(root, filepath.Dir(dir), known)
		known[dir] = is
	}
	return is
}

// isCheckout reports whether a directory is the root of a working tree.
func isCheckout(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ".git"))
	return err == nil
}

// copyFile copies a file with its permissions, or a symbolic link, and makes the directories that it
// needs. It overwrites nothing: the error is [fs.ErrExist] if there is something at to.
func copyFile(from, to string) (err error) {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case !info.Mode().IsRegular():
		return nil // git tracks no sockets and devices
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
