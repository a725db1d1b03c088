// Package checkout prepares two states of a Go source tree for building them side by side: a git
// revision and the working tree.
//
// [Pair] writes the files of the revision into a directory of their own. It asks git for every file
// of the commit through an index of its own: nothing is added to the repository, attributes such as
// export-ignore hide no files, and the filters of a checkout (line endings, large files) apply.
// Submodules that are checked out are written too. [Tree.Copy] does the same with the working tree.
// Each side is a [Tree], in which the go command runs with that side's modules, vendor directory,
// workspace and toolchain. [Differences] lists the differences between what the sides are built
// from.
//
// The package doesn't know what is built.
package checkout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/childproc"
)

// An Error says why a repository or a revision can't be used, and what to do.
type Error struct {
	Option  string // the caller's option that Problem is about, which the message begins with; often empty
	Problem string
	Want    string
	Detail  []string // messages of another program, such as the compiler
	Err     error    // the cause, or nil
}

// Error returns one line, followed by the lines of Detail, indented.
func (e *Error) Error() string {
	text := e.Option + e.Problem + ": " + e.Want
	for _, line := range e.Detail {
		text += "\n\t" + line
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A repository is a git repository with a working tree.
type repository struct {
	root string // the top directory of the working tree, without symbolic links
}

// findRepository returns the repository that contains the directory dir. Errors are [*Error], or
// the context's.
func findRepository(ctx context.Context, dir string) (*repository, error) {
	out, err := git(ctx, dir, nil, "rev-parse", "--show-toplevel")
	root := strings.TrimRight(out, "\r\n")
	if err == nil && root == "" {
		err = errors.New("the repository has no working tree")
	}
	if err != nil {
		return nil, explain(ctx, err, "no git repository here", "run it in a checkout of the source")
	}
	if root, err = filepath.EvalSymlinks(filepath.FromSlash(root)); err != nil {
		return nil, &Error{Problem: "the repository's directory can't be read (" + err.Error() + ")",
			Want: "run it in a checkout of the source", Err: err}
	}
	return &repository{root: root}, nil
}

// commit returns the full hash of the commit that ref names, such as "main" or "HEAD~1".
func (r *repository) commit(ctx context.Context, ref string) (string, error) {
	if ref == "" || strings.HasPrefix(ref, "-") {
		return "", &Error{Problem: fmt.Sprintf("revision %q", ref), Want: "want a revision such as main or HEAD~1"}
	}
	commit, err := git(ctx, r.root, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if err != nil {
		return "", explain(ctx, err, fmt.Sprintf("no such revision here: %q", ref),
			"want a commit, branch or tag; a shallow clone lacks most (git fetch --unshallow)")
	}
	return strings.TrimSpace(commit), nil
}

// changed returns the files of the working tree that differ from HEAD or aren't in it, as paths
// from the root, without ignored files.
func (r *repository) changed(ctx context.Context) ([]string, error) {
	out, err := git(ctx, r.root, nil, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames",
		"--ignore-submodules=none")
	if err != nil {
		return nil, explain(ctx, err, "git status failed", "run it by hand and see what is wrong")
	}
	var files []string
	for entry := range strings.SplitSeq(out, "\x00") {
		if len(entry) > len("XY ") { // two letters of status, a space and the path
			files = append(files, entry[len("XY "):])
		}
	}
	return files, nil
}

// differs returns the files of the working tree that differ from a commit or aren't in it, as
// sorted paths from the root.
func (r *repository) differs(ctx context.Context, commit string) ([]string, error) {
	var files []string
	for _, args := range [][]string{
		{"diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", commit, "--"},
		{"ls-files", "--others", "--exclude-standard", "-z"},
	} {
		out, err := git(ctx, r.root, nil, args...)
		if err != nil {
			return nil, explain(ctx, err, fmt.Sprintf("git %s failed", args[0]), "run it by hand and see what is wrong")
		}
		files = append(files, strings.FieldsFunc(out, func(c rune) bool { return c == 0 })...)
	}
	slices.Sort(files)
	return files, nil
}

// write writes all files of a commit below dir, which it creates. It returns an error if git can't
// write all of them.
func (r *repository) write(ctx context.Context, commit, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	index := dir + ".index"
	defer func() {
		if removed := os.Remove(index); !errors.Is(removed, os.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}()
	// A sparse checkout is set up for the working tree, and may leave out files that this commit
	// needs.
	for _, args := range [][]string{
		{"read-tree", commit},
		{"checkout-index", "--all", "--quiet", "--prefix=" + filepath.ToSlash(dir) + "/"},
	} {
		args = append([]string{"-c", "core.sparseCheckout=false"}, args...)
		if _, err := git(ctx, r.root, []string{"GIT_INDEX_FILE=" + index}, args...); err != nil {
			return explain(ctx, err, fmt.Sprintf("commit %.12s can't be written out", commit),
				"see that the clone is whole (git fsck) and the disk has room")
		}
	}
	return r.writeSubmodules(ctx, index, dir)
}

// writeSubmodules writes the commits of submodules that an index names below dir. A submodule that
// isn't checked out in the working tree stays empty.
func (r *repository) writeSubmodules(ctx context.Context, index, dir string) error {
	out, err := git(ctx, r.root, []string{"GIT_INDEX_FILE=" + index}, "ls-files", "--stage", "-z")
	if err != nil {
		return explain(ctx, err, "git ls-files failed", "run it by hand and see what is wrong")
	}
	for entry := range strings.SplitSeq(out, "\x00") {
		info, path, _ := strings.Cut(entry, "\t") // mode, object and stage, and then the path
		fields := strings.Fields(info)
		if len(fields) < 2 || fields[0] != "160000" {
			continue
		}
		at, commit := filepath.FromSlash(path), fields[1]
		if !isCheckout(filepath.Join(r.root, at)) {
			continue
		}
		sub := &repository{root: filepath.Join(r.root, at)}
		if _, err := sub.commit(ctx, commit); err != nil {
			return explain(ctx, err, fmt.Sprintf("the submodule %s lacks commit %.12s", path, commit),
				fmt.Sprintf("git -C %s fetch origin %.12s", path, commit))
		}
		if err := sub.write(ctx, commit, filepath.Join(dir, at)); err != nil {
			return err
		}
	}
	return nil
}

// git runs git in dir with the variables env besides the process's own, and returns its output.
func git(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := childproc.Command(ctx, "git", args...)
	cmd.Dir = dir
	// In a hook, these variables are of the repository that runs it, and dir may be in a submodule.
	own := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"}, name)
	})
	// explain reads the messages, and nothing that is only looked at is locked.
	cmd.Env = slices.Concat(own, []string{"LC_ALL=C", "GIT_OPTIONAL_LOCKS=0"}, env)
	return childproc.Run(ctx, cmd)
}

// explain returns an [*Error] for a failure of git, or the context's error if ctx is done.
func explain(ctx context.Context, err error, problem, want string) error {
	var failed *childproc.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return &Error{Problem: "git is not installed, or not in PATH",
			Want: "install it: the other revision comes from there", Err: err}
	case errors.As(err, &failed) && strings.Contains(failed.Stderr, "dubious ownership"):
		return &Error{Problem: "git doesn't trust this repository, which belongs to another user",
			Want: "git config --global --add safe.directory DIRECTORY", Err: err}
	case errors.As(err, &failed) && failed.Stderr != "" && !strings.Contains(failed.Stderr, "not a git repository"):
		problem += " (" + failed.Error() + ")"
	}
	return &Error{Problem: problem, Want: want, Err: err}
}
