package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// gateScenario is what the gate measures where nobody says otherwise.
const gateScenario = "gate"

// turns is a comparison of two sides that take turns: what `gate --base` and `gate --self-test` share.
type turns struct {
	names   []string // scenarios; none: gateScenario
	sets    []string // --set KEY=VALUE
	budget  time.Duration
	layouts time.Duration // for further layouts of the code; 0: none
	seed    uint64

	explained string // the directory below which a regression's cause is shown; empty: it isn't looked for
	out       string // the directory below which the stacks of a driver that failed are kept
}

// specs are the scenarios of which a repetition is a block.
func (t turns) specs() ([]scenarios.Spec, error) {
	names := t.names
	if len(names) == 0 {
		names = []string{gateScenario}
	}
	return changedSpecs(names, t.sets)
}

// changedSpecs are the scenarios that names, files and suites stand for, with what --set says. One that
// stands there twice is a mistake: its samples would be taken for one.
func changedSpecs(names, sets []string) ([]scenarios.Spec, error) {
	var specs []scenarios.Spec
	for _, name := range names {
		_, members, err := scenarios.Members(name)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			s, err := scenarios.Find(m)
			if err != nil {
				return nil, err
			}
			for _, set := range sets {
				err = errors.Join(err, s.Set(set))
			}
			if err = errors.Join(err, s.Validate()); err != nil {
				return nil, err
			}
			if slices.ContainsFunc(specs, func(o scenarios.Spec) bool { return o.Name == s.Name }) {
				return nil, cli.Usagef("scenario %s: is named twice", s.Name)
			}
			specs = append(specs, s)
		}
	}
	return specs, nil
}

// options are for sides that are yet to be built.
func (t turns) options(c cli.Console) (versus.Options, error) {
	specs, err := t.specs()
	if err != nil {
		return versus.Options{}, err
	}
	fleet, err := cli.FleetCommand()
	if err != nil {
		return versus.Options{}, err
	}
	return versus.Options{Specs: specs, FleetCommand: fleet, Budget: t.budget, Layouts: t.layouts > 0, LayoutBudget: t.layouts, Seed: t.seed, Stderr: c.Err}, nil
}

// A comparison is what came of two sides.
type comparison struct {
	*versus.Outcome
	sides       *versus.Sides
	scenarios   []string
	causes      []versus.Cause // of a regression
	unexplained error          // why there are none, where they were looked for
	stacks      string         // the file with the goroutines of a driver that failed, or empty
}

// against measures the tree as it stands against a revision, and says why it is worse if it is.
func (t turns) against(ctx context.Context, ref string, c cli.Console, view *progress.Line) (_ *comparison, err error) {
	o, err := t.options(c)
	if err != nil {
		return nil, err
	}
	work, err := gateScratch()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	view.Println("building the delivery package of " + ref + ", and today's")
	sides, err := versus.Build(ctx, ref, work.Path)
	if err != nil {
		return nil, err
	}
	o.Sides, o.Progress = *sides, view.Progress
	out, err := versus.Run(ctx, o)
	view.Close()
	if err != nil {
		return nil, err
	}
	found := &comparison{Outcome: out, sides: sides}
	for _, s := range o.Specs {
		found.scenarios = append(found.scenarios, s.Name)
	}
	if out.Failed != nil {
		return found, found.keepStacks(t.out)
	}
	if t.explained != "" && out.Judgement.Verdict == results.Regressed {
		// The verdict stands also where nobody can say why, or wants to wait for that.
		found.causes, found.unexplained = versus.ExplainRegression(ctx, o, out.Judgement, t.explained, view.Println)
	}
	return found, nil
}

// keepStacks writes the goroutines of a driver that failed into a file, and names it in the reason.
func (out *comparison) keepStacks(dir string) error {
	if out.Failed.Stacks == "" {
		return nil
	}
	dir = filepath.Join(dir, time.Now().UTC().Format("20060102T150405Z")+"-gate")
	out.stacks = filepath.Join(dir, "goroutines-"+out.Failed.Side+".txt")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(out.stacks, []byte(out.Failed.Stacks+"\n")); err != nil {
		return err
	}
	out.Judgement.Reasons[0].Name = out.stacks // it is that a side failed
	return nil
}

// sidesText says what was held against what, a line each.
func (out *comparison) sidesText() []string {
	sides := out.sides
	text := fmt.Sprintf("base: delivery of %s in %s; now: %s", sides.BaseTree.State(), sides.Harness, sides.NowTree.State())
	if out.Pairs > 0 {
		text += fmt.Sprintf("; %d pairs of blocks in %.0f s", out.Pairs, out.Elapsed.Seconds())
	}
	if out.Dropped > 0 {
		text += fmt.Sprintf(", %d more dropped", out.Dropped)
	}
	text += layoutsText(out.Layouts, out.LayoutsElapsed, out.Relinking)
	lines := append([]string{text}, sidesDiffer(sides.NowTree, checkout.Texts(sides.Differences))...)
	if sides.Shared != "" {
		lines = append(lines, fmt.Sprintf("both sides have %s as it is now: today's harness doesn't compile with the base's", sides.Shared))
	}
	return lines
}

// layoutsText says which further layouts of the code were measured, to follow what was measured before.
func layoutsText(layouts int, elapsed time.Duration, unable error) string {
	switch {
	case layouts > 0:
		return fmt.Sprintf("; then %s of both sides' code in %.0f s", plaintext.Count(layouts, "layout"), elapsed.Seconds())
	case unable != nil:
		return "; other layouts of the code couldn't be built: " + strings.ReplaceAll(unable.Error(), "\n\t", "; ")
	}
	return ""
}

// gateBase measures against a revision, and shows the verdict. Its error carries the exit code.
func gateBase(cmd *cobra.Command, f *gateFlags, names []string, c cli.Console) error {
	t, ctx := f.turns(names), cmd.Context()
	if !f.unexplained {
		t.explained = f.out
	}
	out, err := t.against(ctx, f.base, c, progress.NewLine(c.Err, f.quiet))
	if err != nil {
		return f.tellEnding(ctx, report.ModeBase, t.title(), c, err)
	}
	interrupted := ctx.Err() != nil // while the cause was looked for: the verdict is there, and is told
	ctx = context.WithoutCancel(ctx)
	return f.showTurns(t.document(ctx, f.base, out), interrupted, c)
}

// showTurns shows a comparison by turns. Its error carries the exit code. interrupted says that the cause of a
// regression was being looked for when the command was interrupted.
func (f *gateFlags) showTurns(d *report.Document, interrupted bool, c cli.Console) error {
	if err := f.show(d, c); err != nil {
		return err
	}
	if interrupted {
		return &cli.ExitError{Code: cli.ExitInterrupted, Text: fmt.Sprintf("interrupted while the cause was looked for; the verdict stands: %s: %s", d.Verdict, d.Reason)}
	}
	return verdictError(d)
}

// document returns what there is to report on a comparison with the revision ref.
func (t turns) document(ctx context.Context, ref string, out *comparison) *report.Document {
	how := report.ABTest{
		Scenarios: out.scenarios, Machine: thisMachine(ctx),
		Base: out.sides.BaseTree.Commit, Harness: out.sides.Harness, Now: markedCommit(out.sides.NowTree), Changed: out.sides.NowTree.Changed,
		Differences: checkout.Texts(out.sides.Differences), Pairs: out.Pairs, Dropped: out.Dropped,
		Layouts: out.Layouts, LayoutsErr: out.Relinking,
		Elapsed: out.Elapsed, Stacks: out.stacks, Summary: out.sidesText(), Unexplained: out.unexplained,
	}
	if out.Failed != nil {
		how.Failed = out.Failed.Side
	}
	d := report.FromABTest(report.ModeBase, report.Input{
		Scenario: t.title(), Judgement: out.Judgement, Command: commandLine(os.Args[1:]), Measured: time.Now().UTC(),
		Base:   report.Side{Label: ref, Revision: how.Base, Machine: how.Machine, Records: out.Base},
		Now:    report.Side{Label: "now", Revision: how.Now, Machine: how.Machine, Records: out.Now},
		Causes: reportCauses(out.causes), Notes: how.Summary,
	}, how)
	d.ExitCode = cli.CodeOfVerdict(out.Judgement.Verdict)
	return d
}

// thisMachine describes the machine, or returns nil if that can't be done.
func thisMachine(ctx context.Context) *results.Machine {
	machine, err := results.ThisMachine(ctx)
	if err != nil {
		return nil
	}
	return &machine
}

func (f *gateFlags) turns(names []string) turns {
	return turns{names: names, sets: f.sets, budget: f.budget, layouts: f.layouts, seed: f.seed, out: f.out}
}

// title names what is measured.
func (t turns) title() string {
	if len(t.names) == 0 {
		return gateScenario
	}
	return strings.Join(t.names, ", ")
}
