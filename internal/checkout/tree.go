package checkout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/childproc"
)

// The names of the two sides of a comparison.
const (
	Base = "base" // the revision
	Now  = "now"  // the working tree, with its uncommitted changes
)

// A Tree is one state of a source tree, in which the go command runs with the go.mod, go.sum,
// vendor directory, go.work and toolchain of that state.
type Tree struct {
	Side    string   // Base or Now
	Root    string   // the top directory of its files
	Origin  string   // the top directory of the repository's own working tree
	Dir     string   // the directory in it that corresponds to the one that Pair was given
	Commit  string   // Base: the revision; Now: the revision that is checked out
	Changed []string // Now: files that differ from Commit, as paths from Root
	Differs []string // files that differ between the two sides, as paths from Root

	Env []string // variables for the go command, besides the process's own

	workspace string // Now: the go.work file that it uses, or ""
}

// Pair returns two states of the source tree that contains the directory dir: the revision ref,
// which it writes below the directory into, and the working tree. The go command of both sides puts
// its temporary files below into as well. Errors are [*Error], or the context's.
func Pair(ctx context.Context, dir, ref, into string) (base, now *Tree, err error) {
	dir, err = filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, nil, err
	}
	r, err := findRepository(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	commit, err := r.commit(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	head, err := r.commit(ctx, "HEAD")
	if err != nil {
		return nil, nil, err
	}
	now = &Tree{Side: Now, Root: r.root, Origin: r.root, Dir: dir, Commit: head}
	if now.Changed, err = r.changed(ctx); err != nil {
		return nil, nil, err
	}
	differs, err := r.differs(ctx, commit)
	if err != nil {
		return nil, nil, err
	}
	now.Differs = differs
	rel, err := filepath.Rel(r.root, dir)
	if err != nil {
		return nil, nil, err
	}
	root := filepath.Join(into, "tree")
	if err := r.write(ctx, commit, root); err != nil {
		return nil, nil, err
	}
	// A go command that is killed leaves its temporary files behind, so they go where the caller
	// cleans up.
	temporary := filepath.Join(into, "go-tmp")
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return nil, nil, err
	}
	now.Env = []string{"GOTMPDIR=" + temporary}
	base = &Tree{Side: Base, Root: root, Origin: r.root, Commit: commit, Differs: differs, Env: slices.Clone(now.Env)}
	if err := placeOutsiders(base, r.root, rel); err != nil {
		return nil, nil, err
	}
	base.Dir = filepath.Join(base.Root, rel)
	if info, err := os.Stat(base.Dir); err != nil || !info.IsDir() {
		return nil, nil, &Error{Problem: fmt.Sprintf("%s doesn't have the directory %s", base, filepath.ToSlash(rel)),
			Want: "run it in a directory that both revisions have"}
	}
	return base, now, shareWorkspace(ctx, base, now)
}

// String returns the side and the state: "base (0123456789ab)", or
// "now (0123456789ab and 2 changed files)".
func (t *Tree) String() string { return fmt.Sprintf("%s (%s)", t.Side, t.State()) }

// State returns what the tree holds: "0123456789ab", or "0123456789ab and 2 changed files".
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

// Revision returns the commit of the tree, with +dirty if files differ from it.
func (t *Tree) Revision() string {
	if len(t.Changed) > 0 {
		return t.Commit + "+dirty"
	}
	return t.Commit
}

// shareWorkspace makes the base use its own go.work if the working tree uses one. It returns an
// error for a go.work outside the repository, which no revision has.
func shareWorkspace(ctx context.Context, base, now *Tree) error {
	file, err := now.Go(ctx, "env", "GOWORK")
	switch {
	case errors.Is(err, exec.ErrNotFound): // not every tree needs Go
		return nil
	case err != nil:
		return err
	case file == "" || file == "off":
		return nil
	}
	resolved, err := filepath.EvalSymlinks(file)
	if err != nil {
		return &Error{Problem: fmt.Sprintf("the workspace file %s can't be read (%v)", file, err),
			Want: "set GOWORK to a go.work file, or to off", Err: err}
	}
	rel, err := filepath.Rel(now.Root, resolved)
	if err != nil || !filepath.IsLocal(rel) {
		return &Error{
			Problem: "the workspace file " + file + " lies outside the repository, so the base has none of its own",
			Want:    "set GOWORK=off, or move it into the repository",
		}
	}
	now.workspace = resolved
	own := filepath.Join(base.Root, rel)
	if _, err := os.Stat(own); err != nil {
		own = "off" // the revision had none
	}
	base.Env = append(base.Env, "GOWORK="+own)
	return nil
}

// Command returns a go command that runs in the tree, in a process group of its own.
func (t *Tree) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := childproc.Command(ctx, "go", args...)
	cmd.Dir = t.Dir
	cmd.Env = append(os.Environ(), t.Env...)
	return cmd
}

// Go runs the go command in the tree, and returns its output without leading and trailing white
// space. Its error is an [*Error] that names the tree and holds the go command's messages, or the
// context's.
func (t *Tree) Go(ctx context.Context, args ...string) (string, error) {
	out, err := childproc.Run(ctx, t.Command(ctx, args...))
	var failed *childproc.Error
	switch {
	case err == nil:
		return strings.TrimSpace(out), nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return "", &Error{Problem: "go is not installed, or not in PATH",
			Want: "install it, or set PATH: both revisions are built here", Err: err}
	case errors.As(err, &failed) && toolchainProblem(failed.Stderr) != "":
		return "", t.ToolchainError(failed.Stderr, err)
	case errors.As(err, &failed):
		return "", &Error{Problem: fmt.Sprintf("%s: go %s failed", t, args[0]), Want: "make it work there",
			Detail: lastLines(failed.Stderr), Err: err}
	}
	return "", err
}

// BuildError returns an [*Error] for a failed go command that was to build something in the tree.
// problem says what is wrong, such as "the driver doesn't compile", and want names the program that
// says why. Any other error, such as that there is no go command, is returned as it is.
func (t *Tree) BuildError(err error, problem, want string) error {
	if failed, ok := errors.AsType[*Error](err); ok && failed.Detail != nil {
		failed.Problem, failed.Want = t.String()+": "+problem, want
	}
	return err
}

// toolchainMessage matches the go command's message that it can't run the toolchain that a go.mod
// file, a go.work file or GOTOOLCHAIN names.
var toolchainMessage = regexp.MustCompile(
	`(?m)^go: (download go\S+ for .*|cannot find "go\S+" in PATH|invalid GOTOOLCHAIN .*|.* requires go >= .*)$`)

// ToolchainError returns an [*Error] that wraps err if messages of a go command in the tree say that its
// toolchain can't be used. Otherwise it returns nil.
func (t *Tree) ToolchainError(messages string, err error) error {
	problem := toolchainProblem(messages)
	if problem == "" {
		return nil
	}
	return &Error{
		Problem: fmt.Sprintf("%s: its Go toolchain can't be used (%s)", t, problem),
		Want:    "install it, or set GOTOOLCHAIN to one that is here, such as local", Err: err,
	}
}

// toolchainProblem returns why a toolchain can't be used. It returns "" if messages don't say so.
func toolchainProblem(messages string) string {
	if found := toolchainMessage.FindStringSubmatch(messages); found != nil {
		return found[1]
	}
	return ""
}

// A Package is a package of a tree, as `go list` describes it.
type Package struct {
	ImportPath string
	Dir        string
	Module     *Module // nil for a package of the standard library

	GoFiles, CgoFiles, TestGoFiles, XTestGoFiles []string

	Error *PackageError // why it can't be loaded, or nil
}

// A PackageError is the go command's message about a package that it can't load.
type PackageError struct{ Err string }

// Exists reports whether the package has any source in the tree.
func (p *Package) Exists() bool { return len(p.GoFiles)+len(p.CgoFiles) > 0 || p.Tests() }

// Tests reports whether the package has test files.
func (p *Package) Tests() bool { return len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 }

// A Module is a module that packages come from.
type Module struct {
	Path    string
	Version string  // empty for the main module
	Main    bool    // the main module, or a module of the workspace
	Dir     string  // the directory with its files; empty if it is vendored
	Replace *Module // its replacement, or nil

	GoVersion string // of its go line
}

// String returns the module as go.mod has it: "example.com/m v1.2.3 => ../fork".
func (m *Module) String() string {
	text := strings.TrimSpace(m.Path + " " + m.Version)
	if m.Replace != nil {
		text += " => " + strings.TrimSpace(m.Replace.Path+" "+m.Replace.Version)
	}
	return text
}

// Packages lists the packages that match patterns such as "./...". A package that the tree lacks,
// or that can't be loaded, has an Error.
func (t *Tree) Packages(ctx context.Context, patterns ...string) ([]Package, error) {
	fields := "ImportPath,Dir,Module,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,Error"
	return t.list(ctx, fields, slices.Concat([]string{"-e", "--"}, patterns)...)
}

// Deps lists packages and all that they import, without their tests.
func (t *Tree) Deps(ctx context.Context, packages ...string) ([]Package, error) {
	return t.list(ctx, "ImportPath,Dir,Module", slices.Concat([]string{"-deps", "--"}, packages)...)
}

// TestDeps lists packages and all that they and their tests import.
func (t *Tree) TestDeps(ctx context.Context, packages ...string) ([]Package, error) {
	return t.list(ctx, "ImportPath,Dir,Module", slices.Concat([]string{"-deps", "-test", "--"}, packages)...)
}

// list runs `go list` for the given fields of packages.
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

// maxDetail bounds how many lines of a program's messages an error shows.
const maxDetail = 20

// lastLines returns the last lines of a program's messages.
func lastLines(text string) []string {
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-maxDetail):]
}

// Place returns the directory of the tree that corresponds to dir, a directory of the repository. It
// returns a directory outside the repository unchanged.
func (t *Tree) Place(dir string) string {
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	rel, err := filepath.Rel(t.Origin, dir)
	if err != nil || !filepath.IsLocal(rel) {
		return dir
	}
	return filepath.Join(t.Root, rel)
}

// Absolute returns the absolute path of a directory in a replace directive of the tree's go.mod. It
// returns a module path unchanged.
func (t *Tree) Absolute(path string) string {
	if strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../") {
		return filepath.Join(t.Dir, filepath.FromSlash(path))
	}
	return path
}
