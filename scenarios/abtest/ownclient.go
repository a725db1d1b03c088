package abtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/internal/shell"
)

// An OwnClient is the delivery client of another project, whose programs have the command drive: the
// commands of Fleetmark, with that client.
type OwnClient struct {
	Dir   string // the root of the project, in a git repository
	Build string // a command for a shell; {out} stands for the program that it writes
}

// Bounds of what a build command prints that is shown.
const (
	buildOutput = 64 << 10 // bytes, of its end
	buildLines  = 20
)

// buildDrivers builds the program of a revision and that of the working tree in the directory work,
// each from all of its own files.
func (c *OwnClient) buildDrivers(ctx context.Context, ref, work string) (*Builds, error) {
	base, now, err := checkout.Pair(ctx, c.Dir, ref, work)
	if err != nil {
		return nil, err
	}
	s := &Builds{
		Base: filepath.Join(work, "base"), Now: filepath.Join(work, "now"), BaseTree: base, NowTree: now,
	}
	for _, side := range []struct {
		tree    *checkout.Tree
		program string
	}{{now, s.Now}, {base, s.Base}} {
		if err := c.build(ctx, side.tree, side.program); err != nil {
			return nil, err
		}
	}
	s.Same, err = checkout.SameContent(s.Base, s.Now)
	return s, err
}

// build runs the build command in a tree. The error is a [*checkout.Error] if the command fails or
// doesn't write the program.
func (c *OwnClient) build(ctx context.Context, t *checkout.Tree, program string) error {
	cmd := childproc.Command(ctx, "sh", "-c", strings.ReplaceAll(c.Build, "{out}", shell.Join(program)))
	cmd.Dir, cmd.Env = t.Dir, append(os.Environ(), t.Env...)
	output := &childproc.Tail{Limit: buildOutput}
	cmd.Stdout, cmd.Stderr = output, output
	problem := fmt.Sprintf("%s: the client isn't built by %q", t, c.Build)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		lines := strings.Split(strings.TrimSpace(output.String()), "\n")
		return &checkout.Error{
			Problem: fmt.Sprintf("%s (%v)", problem, err), Want: "mend client.build in fleetmark.yaml, or the code",
			Detail: lines[max(0, len(lines)-buildLines):], Err: err,
		}
	}
	info, err := os.Stat(program)
	if err == nil && info.Mode()&0o111 == 0 {
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
