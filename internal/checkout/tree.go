package checkout

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/childproc"
)

// The names of the two sides of a comparison.
const (
	Base = "base" // the revision
	Now  = "now"  // the working tree as it stands, uncommitted changes and all
)

// A Tree is one state of a source tree, in which the go command can be run: with the go.mod, go.sum,
// vendor directory, go.work and toolchain of that state.
type Tree struct {
	Side    string   // Base or Now
	Root    string   // the top directory of its files
	Dir     string   // the directory in it that corresponds to the one that Pair was given
	Commit  string   // the revision; of Now, the one that is checked out
	Changed []string // of Now: files that differ from Commit, as paths from Root
	Differs []string // files that differ from those of the other side, as paths from Root

	env []string // of the go command
}

// Pair returns two states of the source tree that holds the directory dir: that of the revision ref,
// which it writes below the directory into, and the working tree. Its errors are [*Error], or the
// context's.
func Pair(ctx context.Context, dir, ref, into string) (base, now *Tree, err error) {
	dir, err = filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, nil, err
	}
	r, err := Find(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	commit, err := r.Commit(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	head, err := r.Commit(ctx, "HEAD")
	if err != nil {
		return nil, nil, err
	}
	now = &Tree{Side: Now, Root: r.Root, Dir: dir, Commit: head}
	if now.Changed, err = r.Changed(ctx); err != nil {
		return nil, nil, err
	}
	differs, err := r.differs(ctx, commit)
	if err != nil {
		return nil, nil, err
	}
	now.Differs = differs
	place, err := filepath.Rel(r.Root, dir)
	if err != nil {
		return nil, nil, err
	}
	root := filepath.Join(into, "tree")
	if err := r.Write(ctx, commit, root); err != nil {
		return nil, nil, err
	}
	base = &Tree{Side: Base, Root: root, Dir: filepath.Join(root, place), Commit: commit, Differs: differs}
	if info, err := os.Stat(base.Dir); err != nil || !info.IsDir() {
		return nil, nil, &Error{Problem: fmt.Sprintf("%s doesn't have the directory %s", base, filepath.ToSlash(place)),
			Want: "run it in a directory that both revisions have"}
	}
	return base, now, shareWorkspace(ctx, base, now)
}

// String names the tree for people: "base (0123456789ab)", or "now (0123456789ab and 2 changed files)".
func (t *Tree) String() string { return fmt.Sprintf("%s (%s)", t.Side, t.State()) }

// State names the files of the tree: "0123456789ab", or "0123456789ab and 2 changed files".
func (t *Tree) State() string {
	commit := fmt.Sprintf("%.12s", t.Commit)
	switch n := len(t.Changed); n {
	case 0:
		return commit
	case 1:
		return commit + " and 1 changed file"
	default:
		return fmt.Sprintf("%s and %d changed files", commit, n)
	}
}

// shareWorkspace makes the base use its own go.work if the working tree uses one. One that lies
// outside the repository has no state of that revision.
func shareWorkspace(ctx context.Context, base, now *Tree) error {
	file, err := now.Go(ctx, "env", "GOWORK")
	if err != nil {
		return err
	}
	if file == "" || file == "off" {
		return nil
	}
	resolved, err := filepath.EvalSymlinks(file)
	if err != nil {
		return &Error{Problem: fmt.Sprintf("the workspace file %s can't be read (%v)", file, err), Want: "set GOWORK to a go.work file, or to off", Err: err}
	}
	place, err := filepath.Rel(now.Root, resolved)
	if err != nil || !filepath.IsLocal(place) {
		return &Error{Problem: fmt.Sprintf("the workspace file %s lies outside the repository, so the base has none of its own", file),
			Want: "set GOWORK=off, or move it into the repository"}
	}
	own := filepath.Join(base.Root, place)
	if _, err := os.Stat(own); err != nil {
		own = "off" // the revision had none
	}
	base.env = append(base.env, "GOWORK="+own)
	return nil
}

// Command returns a go command that runs in the tree, in a process group of its own.
func (t *Tree) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := childproc.Command(ctx, "go", args...)
	cmd.Dir = t.Dir
	cmd.Env = append(os.Environ(), t.env...)
	return cmd
}

// Go runs the go command in the tree, and returns what it prints without white space around it. Its
// error is an [*Error] that names the tree and holds what the go command said, or the context's.
func (t *Tree) Go(ctx context.Context, args ...string) (string, error) {
	out, err := childproc.Run(ctx, t.Command(ctx, args...))
	var failed *childproc.Error
	switch {
	case err == nil:
		return strings.TrimSpace(out), nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return "", &Error{Problem: "go is not installed, or not in PATH", Want: "install it, or set PATH: both revisions are built here", Err: err}
	case errors.As(err, &failed):
		return "", &Error{Problem: fmt.Sprintf("%s: go %s failed", t, args[0]), Want: "make it work there", Detail: lastLines(failed.Stderr), Err: err}
	}
	return "", err
}

// A Package is one of a tree's, as the go command lists it.
type Package struct {
	ImportPath string
	Dir        string
	Module     *Module // nil for a package of the standard library

	GoFiles, CgoFiles, TestGoFiles, XTestGoFiles []string

	Error *PackageError // why it can't be loaded, or nil
}

// A PackageError is what the go command says of a package that it can't load.
type PackageError struct{ Err string }

// Exists reports whether the package has any source in the tree.
func (p *Package) Exists() bool { return len(p.GoFiles)+len(p.CgoFiles) > 0 || p.Tests() }

// Tests reports whether the package has test files.
func (p *Package) Tests() bool { return len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 }

// A Module is one that a package comes from.
type Module struct {
	Path    string
	Version string // empty for the main module
	Main    bool
	Replace *Module // nil if it isn't replaced
}

// String is the module as go.mod says it: "example.com/m v1.2.3 => ../fork".
func (m *Module) String() string {
	text := strings.TrimSpace(m.Path + " " + m.Version)
	if m.Replace != nil {
		text += " => " + strings.TrimSpace(m.Replace.Path+" "+m.Replace.Version)
	}
	return text
}

// Packages lists the packages that patterns name, such as "./...". One that the tree lacks, or that
// can't be loaded, has an Error.
func (t *Tree) Packages(ctx context.Context, patterns ...string) ([]Package, error) {
	return t.list(ctx, "ImportPath,Dir,Module,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,Error", slices.Concat([]string{"-e", "--"}, patterns)...)
}

// list lists packages as JSON.
func (t *Tree) list(ctx context.Context, fields string, args ...string) ([]Package, error) {
	out, err := t.Go(ctx, slices.Concat([]string{"list", "-json=" + fields}, args)...)
	if err != nil {
		return nil, err
	}
	var packages []Package
	for decoder := json.NewDecoder(strings.NewReader(out)); ; {
		var p Package
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, fmt.Errorf("%s: go list: %w", t, err)
		}
		packages = append(packages, p)
	}
}

// Inputs are what a tree's packages and their tests are built from, besides its own files.
type Inputs struct {
	Toolchain string            // such as "go1.26.8"
	Modules   map[string]string // by path, as [Module.String] has them; the main modules aren't among them
}

// Inputs lists what packages and their tests are built from.
func (t *Tree) Inputs(ctx context.Context, packages ...string) (*Inputs, error) {
	toolchain, err := t.Go(ctx, "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	all, err := t.list(ctx, "Module", slices.Concat([]string{"-deps", "-test", "--"}, packages)...)
	if err != nil {
		return nil, err
	}
	in := &Inputs{Toolchain: toolchain, Modules: map[string]string{}}
	for _, p := range all {
		if p.Module != nil && !p.Module.Main {
			in.Modules[p.Module.Path] = p.Module.String()
		}
	}
	return in, nil
}

// Differences returns what differs between what two sides are built from, a line each: "toolchain:
// go1.25.1, now go1.26.8", "module: example.com/m v1.2.3, now example.com/m v1.3.0".
func Differences(base, now *Inputs) []string {
	var lines []string
	if base.Toolchain != now.Toolchain {
		lines = append(lines, fmt.Sprintf("toolchain: %s, now %s", base.Toolchain, now.Toolchain))
	}
	paths := map[string]bool{}
	for _, in := range []*Inputs{base, now} {
		for path := range in.Modules {
			paths[path] = true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		was, is := cmp.Or(base.Modules[path], "none"), cmp.Or(now.Modules[path], "none")
		if was != is {
			lines = append(lines, fmt.Sprintf("module: %s, now %s", was, is))
		}
	}
	return lines
}

// maxDetail is how many lines of a program's messages an error shows.
const maxDetail = 20

// lastLines returns the last lines of a program's messages.
func lastLines(text string) []string {
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-maxDetail):]
}
