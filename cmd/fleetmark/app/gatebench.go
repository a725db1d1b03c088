package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// benchResult is what `gate --base --bench` came to.
type benchResult struct {
	*gobench.Outcome
	causes      []versus.Cause
	unexplained error // why a cause could not be found, where one was looked for
}

// gateBench measures the Go benchmarks of a revision and of the working tree by turns, and shows the
// verdict. Its error carries the exit code.
func gateBench(cmd *cobra.Command, f *gateFlags, packages []string, c cli.Console) error {
	ctx := cmd.Context()
	out, err := f.compareBenchmarks(ctx, packages, c)
	if err != nil {
		return f.tellEnding(ctx, report.ModeBench, benchTitle(packages), c, err)
	}
	// The verdict is there, and is shown, even if an interruption keeps its cause from being found.
	interrupted := ctx.Err() != nil
	return f.showTurns(out.document(context.WithoutCancel(ctx), f.base, packages), interrupted, c)
}

// compareBenchmarks measures, and looks for the cause of a regression.
func (f *gateFlags) compareBenchmarks(ctx context.Context, packages []string, c cli.Console) (_ *benchResult, err error) {
	procs, err := parseProcs(f.cpu)
	if err != nil {
		return nil, err
	}
	better, err := declaredUnits()
	if err != nil {
		return nil, err
	}
	dir := ""
	if len(packages) == 0 {
		if packages, dir, err = configuredPackages(); err != nil {
			return nil, err
		}
	}
	work, err := gateScratch()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	view := progress.NewLine(c.Err, f.quiet)
	o := gobench.Options{
		Dir: dir, Base: f.base, Bench: f.bench, Packages: packages, Better: better, Procs: procs,
		Limit: f.benchTimeout, LayoutBudget: f.layouts, Seed: f.seed, Scratch: work.Path,
		Out: filepath.Join(f.out, time.Now().UTC().Format("20060102T150405Z")+"-gate-bench"), Log: view.Println,
		Progress: func(p gobench.Progress) {
			after := plaintext.Count(p.Rounds, "round")
			if p.Layouts > 0 {
				after = plaintext.Count(p.Layouts, "further layout") + " of the code"
			}
			view.Update(fmt.Sprintf("%d of %d benchmarks undecided after %s, %.0f s of %.0f s at most",
				p.Open, p.Benchmarks, after, p.Elapsed.Seconds(), p.Budget.Seconds()), p.Elapsed)
		},
	}
	if f.budgetGiven {
		o.Budget = f.budget
	}
	out, err := gobench.Compare(ctx, o)
	view.Close()
	if err != nil {
		return nil, err
	}
	result := &benchResult{Outcome: out}
	if out.Judgement.Verdict == results.Regressed && !f.unexplained {
		result.explain(ctx, o.Out, view)
	}
	return result, nil
}

// explain profiles both sides of what regressed.
func (r *benchResult) explain(ctx context.Context, dir string, view *progress.Line) {
	found, err := r.Explain(ctx, dir, versus.LogPairs(view.Println))
	r.unexplained = err
	for _, e := range found {
		k := versus.Cause{Scenario: e.Short(), Kind: e.Kind, Dir: e.Dir, Explanation: e.Explanation}
		err := k.Write(ctx, e.Base, e.Now, profiles.FlameOptions{
			Title:       fmt.Sprintf("%s of %s: now, less base", e.Kind, e.Short()),
			Note:        "Of a million iterations of either side: 1s is a microsecond an iteration, 1MB a byte. Red is more, green less.",
			SampleIndex: e.SampleIndex,
		})
		r.unexplained = errors.Join(r.unexplained, err)
		r.causes = append(r.causes, k)
	}
}

// parseProcs reads a list such as "1,2,4".
func parseProcs(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var procs []int
	for part := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 || n > 4096 {
			return nil, cli.Usagef("--cpu %q: want numbers of processors such as 1,2,4", list)
		}
		procs = append(procs, n)
	}
	return procs, nil
}

// sides says what was compared with what, a line each.
func (r *benchResult) sides() []string {
	lines := []string{fmt.Sprintf("base: %s; now: %s", r.BaseTree.State(), r.NowTree.State())}
	lines = append(lines, sidesDiffer(r.NowTree, r.Differences)...)
	if r.Rounds > 0 {
		text := fmt.Sprintf("%s, %s of four blocks each in %.0f s", plaintext.Count(r.Benchmarks, "benchmark"), plaintext.Count(r.Rounds, "round"), r.Elapsed.Seconds())
		text += layoutsText(r.Layouts, r.LayoutsElapsed, r.Relinking)
		lines = append(lines, text+"; samples: "+r.Samples)
	}
	return append(lines, r.Warnings...)
}

// benchTitle names what is measured.
func benchTitle(packages []string) string {
	if len(packages) == 0 {
		packages = []string{"."}
	}
	return "Go benchmarks of " + strings.Join(packages, " ")
}

// document returns what there is to report on a comparison with the revision ref.
func (r *benchResult) document(ctx context.Context, ref string, packages []string) *report.Document {
	how := report.ABTest{
		Base: r.BaseTree.Commit, Now: r.NowTree.Commit, Changed: r.NowTree.Changed, Differences: r.Differences, Warnings: r.Warnings,
		Machine: thisMachine(ctx), Benchmarks: r.Benchmarks, Rounds: r.Rounds,
		Layouts: r.Layouts, LayoutsErr: r.Relinking, Elapsed: r.Elapsed, Samples: r.Samples,
		Summary: r.sides(), Unexplained: r.unexplained,
	}
	d := report.FromABTest(report.ModeBench, report.Input{
		Scenario: benchTitle(packages), Judgement: r.Judgement, Command: commandLine(os.Args[1:]), Measured: time.Now().UTC(),
		Base:   report.Side{Label: ref, Revision: r.BaseTree.Commit, Machine: how.Machine, Records: r.Base},
		Now:    report.Side{Label: "now", Revision: markedCommit(r.NowTree), Machine: how.Machine, Records: r.Now},
		Causes: reportCauses(r.causes), Notes: how.Summary,
	}, how)
	d.ExitCode = cli.CodeOfVerdict(r.Judgement.Verdict)
	return d
}
