package abtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/internal/shell"
	"github.com/fleetmark/fleetmark/results/judge"
)

// How the base's driver was built: which harness drives the packages that are compared.
const (
	CurrentHarness = "today's harness"
	OwnHarness     = "its own harness" // used if today's harness doesn't compile with those packages
)

// Builds are both sides of a comparison, ready to be measured.
type Builds struct {
	Base, Now Side

	Harness string   // of the base's driver: CurrentHarness or OwnHarness; "" if a side is one whole
	Shared  []string // directories of which both sides have today's state, though the packages import them; usually none

	BaseTree, NowTree *checkout.Tree        // nil if the sides are commands
	Differences       []checkout.Difference // between the modules and toolchains of the two

	// Same says why there is nothing to measure: judge.IdenticalDrivers or judge.IdenticalFiles. It is
	// empty if the sides may differ.
	Same judge.Code

	// Relink builds both programs again from the same code in another layout: the linker orders
	// functions by the random seed, which is above 0. Each call overwrites what the last one built.
	// Relink is nil if the programs can't be built again.
	Relink func(ctx context.Context, seed uint64) (base, now Side, err error)
}

// A Project is a project whose client is compared, as its fleetmark.yaml describes it.
type Project struct {
	Dir string // its root, in a git repository

	// Build is a command for a shell, in which {out} stands for the program that it writes. It runs
	// in Dir of either side. If the client is a process, the command may also leave its results
	// there, or be empty.
	Build string

	// Packages are patterns of Go packages, such as "./delivery/...". If there are any, the base's
	// program has these packages of the revision, and all others of the working tree. Otherwise it is
	// all of the revision.
	Packages []string

	// Process says that the client is a process or a service, by client.command or client.service of all
	// scenarios, in which {out} stands for the program that Build writes. The program that calls
	// [CompareWith] is the driver of both sides then. Otherwise the program that Build writes is the
	// driver of a side.
	Process bool
	// AnyProcess says that the client of at least one scenario is a process or a service.
	AnyProcess bool
}

// placeholder stands for the program that a build writes.
const placeholder = "{out}"

// A Revision is a [Source]: the client of a project in a git revision, and in the working tree with
// its uncommitted changes.
type Revision struct {
	Project
	Ref string // as git names it
}

func (r Revision) doing() string {
	if r.Build == "" {
		return "checking out the client of " + r.Ref
	}
	return "building the client of " + r.Ref + ", and today's"
}

// open writes both states of the project into directories of their own and builds each there, so
// that the repository stays as it is and edits during the comparison don't matter.
func (r Revision) open(ctx context.Context, driver, work string) (*Builds, error) {
	base, now, err := checkout.Pair(ctx, r.Dir, r.Ref, work)
	if err != nil {
		return nil, err
	}
	if now, err = now.Copy(ctx, work); err != nil {
		return nil, err
	}
	b := &build{Project: r.Project, Builds: &Builds{BaseTree: base, NowTree: now}, work: work, driver: driver}
	if err := b.run(ctx); err != nil {
		return nil, err
	}
	return b.Builds, nil
}

// A build makes both sides of a project.
type build struct {
	Project
	*Builds
	work, driver string
	goflags      string // the user's
	base, now    recipe
}

// programs returns where the programs of both sides are written.
func (b *build) programs(suffix string) (base, now string) {
	return filepath.Join(b.work, "base"+suffix), filepath.Join(b.work, "now"+suffix)
}

func (b *build) run(ctx context.Context) (err error) {
	base, now := b.programs("")
	b.now = recipe{project: &b.Project, tree: b.NowTree}
	b.base = recipe{project: &b.Project, tree: b.BaseTree}
	if b.Build != "" {
		if b.goflags, err = userFlags(ctx, b.NowTree); err != nil {
			return err
		}
		b.now.goflags, b.base.goflags = b.goflags, b.goflags
		if err := b.now.compile(ctx, now); err != nil {
			return err
		}
		if len(b.Packages) > 0 {
			err = (&overlaid{build: b}).buildBase(ctx)
		} else {
			err = b.base.compile(ctx, base)
		}
		if err != nil {
			return err
		}
	}
	b.Base, b.Now = b.side(b.BaseTree, base), b.side(b.NowTree, now)
	if !b.writes() {
		if b.Build == "" && len(b.NowTree.Differs) == 0 {
			b.Same = judge.IdenticalFiles
		}
		return nil
	}
	b.Relink = b.relink
	if len(b.Packages) == 0 {
		b.Differences = programDifferences(base, now)
	}
	return b.compare(base, now)
}

// writes reports whether the build command writes a program.
func (b *build) writes() bool { return strings.Contains(b.Build, placeholder) }

// compare finds out whether the programs of both sides are all that could differ, and don't.
func (b *build) compare(base, now string) error {
	if b.AnyProcess && len(b.NowTree.Differs) > 0 { // a process may read any file
		return nil
	}
	same, err := checkout.SameContent(base, now)
	if same {
		b.Same = judge.IdenticalDrivers
	}
	return err
}

// side returns the side of a tree whose program was built.
func (b *build) side(t *checkout.Tree, program string) Side {
	s := Side{Program: b.driver, Tree: t}
	if b.writes() {
		s.Built = program
	}
	if !b.Process && b.writes() {
		s.Program = program
	}
	return s
}

// relink builds both programs in another layout.
func (b *build) relink(ctx context.Context, seed uint64) (Side, Side, error) {
	layout := fmt.Sprintf("-ldflags=-randlayout=%d", seed)
	first, _ := b.programs("")
	base, now := b.programs("-layout")
	links, inLinks := errgroup.WithContext(ctx)
	links.Go(func() error { return notLinked(b.base.compile(inLinks, base, layout)) })
	links.Go(func() error { return notLinked(b.now.compile(inLinks, now, layout)) })
	if err := links.Wait(); err != nil {
		return Side{}, Side{}, err
	}
	same, err := checkout.SameContent(first, base)
	if same {
		err = &checkout.Error{
			Problem: fmt.Sprintf("%q builds the same program whatever layout GOFLAGS asks for", b.Build),
			Want:    "build a Go program, and leave -ldflags to GOFLAGS",
		}
	}
	return b.side(b.BaseTree, base), b.side(b.NowTree, now), err
}

// notLinked describes the error of a program that compiles, but can't be linked in another layout.
func notLinked(err error) error {
	if failed, ok := errors.AsType[*checkout.Error](err); ok {
		failed.Problem = "the program can't be linked with its functions in another order: " + failed.Problem
	}
	return err
}

// A recipe is how a side is built.
type recipe struct {
	project *Project
	tree    *checkout.Tree
	goflags string   // the user's flags of the go command
	flags   []string // more of them
}

// Bounds of what a build command prints that is shown, and of how long a process that it left behind may
// keep its output open.
const (
	buildOutput = 64 << 10 // bytes, of its end
	buildLines  = 20
	buildDelay  = time.Second
)

// compile runs the build command, which writes the program if it names {out}. The go command's flags
// reach it through GOFLAGS, whatever program runs it. Both sides are built with the same flags, and
// without paths and revisions, so that the same code gives the same bytes. The error is a
// [*checkout.Error] if the command fails or doesn't write the program.
func (r recipe) compile(ctx context.Context, program string, flags ...string) error {
	line := r.project.Build
	writes := strings.Contains(line, placeholder)
	cmd := childproc.Command(ctx, "sh", "-c", strings.ReplaceAll(line, placeholder, shell.Join(program)))
	cmd.Dir = r.tree.Dir
	cmd.Env = slices.Concat(os.Environ(), r.tree.Env, []string{"GOFLAGS=" + r.goFlags(flags)})
	output := &childproc.Tail{Limit: buildOutput}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = output, output, buildDelay
	problem := fmt.Sprintf("%s: the client isn't built by %q", r.tree, line)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if unusable := r.tree.ToolchainError(output.String(), err); unusable != nil {
			return unusable
		}
		failed := &checkout.Error{Problem: fmt.Sprintf("%s (%v)", problem, err), Want: r.advice(), Err: err}
		switch {
		case errors.Is(err, exec.ErrNotFound):
			failed.Want = "install a shell that is called sh, or put it in PATH"
		case errors.Is(err, exec.ErrWaitDelay):
			_ = childproc.KillGroup(cmd) // it may be in another group
			failed.Problem = problem + " (it ended, but left a process behind that keeps its output open)"
			failed.Want = "have it wait for what it starts, and start no server that stays"
		}
		if text := strings.TrimSpace(output.String()); text != "" {
			lines := strings.Split(text, "\n")
			failed.Detail = lines[max(0, len(lines)-buildLines):]
		}
		return failed
	}
	if !writes {
		return nil
	}
	info, err := os.Stat(program)
	if err == nil && (!info.Mode().IsRegular() || info.Mode()&0o111 == 0) {
		err = errors.New("it is no program")
	}
	if err != nil {
		return &checkout.Error{
			Problem: problem + " (nothing that can be run was written to {out})",
			Want:    "have client.build in fleetmark.yaml write the program there", Err: err,
		}
	}
	return nil
}

// advice says what to do about a side that isn't built. The working tree is built first, so the base
// alone is at fault if the base fails.
func (r recipe) advice() string {
	if r.tree.Side == checkout.Base {
		return "name a revision that it builds, or change client.build in fleetmark.yaml so that it builds this one too"
	}
	return "mend client.build in fleetmark.yaml, or the code"
}

// goFlags returns the value of GOFLAGS, in which an entry with spaces is in quotes.
func (r recipe) goFlags(more []string) string {
	all := []string{r.goflags}
	for _, flag := range slices.Concat([]string{"-trimpath", "-buildvcs=false"}, r.flags, more) {
		if strings.ContainsAny(flag, " \t\n'") {
			flag = `"` + flag + `"`
		}
		all = append(all, flag)
	}
	return strings.TrimSpace(strings.Join(all, " "))
}

// userFlags returns the flags that the user gives every go command. Without a go command, there are
// none that matter.
func userFlags(ctx context.Context, t *checkout.Tree) (string, error) {
	flags, err := t.Go(ctx, "env", "GOFLAGS")
	if errors.Is(err, exec.ErrNotFound) {
		return os.Getenv("GOFLAGS"), nil
	}
	return flags, err
}
