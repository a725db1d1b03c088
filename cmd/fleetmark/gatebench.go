package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/gobench"
)

// benchResult is what `gate --base --bench` came to.
type benchResult struct {
	*gobench.Outcome
	causes []cause
	unable error // why a cause could not be found, where one was looked for
}

// gateBench measures the Go benchmarks of a revision and of the working tree by turns, and shows the
// verdict. Its error carries the exit code.
func gateBench(cmd *cobra.Command, f *gateFlags, packages []string, c console) error {
	ctx := cmd.Context()
	out, err := f.compareBenchmarks(ctx, packages, c)
	if err != nil {
		return err
	}
	// The verdict is there, and is shown, even if an interruption keeps its cause from being found.
	interrupted := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	if f.json {
		err = out.writeJSON(ctx, c)
	} else {
		err = out.writeText(c)
	}
	if err != nil {
		return err
	}
	if err := f.writeReports([]*report.Subject{out.subject(ctx, f.base, packages)}, c); err != nil {
		return err
	}
	j := out.Judgement
	if interrupted {
		return &exitError{exitInterrupted, fmt.Sprintf("interrupted while the cause was looked for; the verdict stands: %s: %s", j.Verdict, j.Reason)}
	}
	if code := codeOfVerdict(j.Verdict, true); code != exitPass {
		return &exitError{code, fmt.Sprintf("%s: %s", verdictWord(j.Verdict), j.Reason)}
	}
	return nil
}

// verdictWord names a verdict, also if there is none.
func verdictWord(v results.Verdict) string {
	if v == "" {
		return "no verdict"
	}
	return string(v)
}

// compareBenchmarks measures, and looks for the cause of a regression.
func (f *gateFlags) compareBenchmarks(ctx context.Context, packages []string, c console) (_ *benchResult, err error) {
	procs, err := parseProcs(f.cpu)
	if err != nil {
		return nil, err
	}
	p, err := project.Find(".")
	if err != nil {
		return nil, err
	}
	better := map[string]int{}
	for unit, u := range p.Config.Units {
		if better[unit] = -1; u.HigherIsBetter {
			better[unit] = +1
		}
	}
	dir := ""
	if len(packages) == 0 {
		if packages, dir, err = configuredPackages(); err != nil {
			return nil, err
		}
	}
	work, err := scratch.New("", "fleetmark-gate")
	if err != nil {
		return nil, &exitError{exitUsage, err.Error()}
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	view := newGateView(c, f.quiet)
	o := gobench.Options{
		Dir: dir, Base: f.base, Bench: f.bench, Packages: packages, Better: better, Procs: procs, Limit: f.benchTimeout, Seed: f.seed, Scratch: work.Path,
		Out: filepath.Join(f.out, time.Now().UTC().Format("20060102T150405Z")+"-gate-bench"), Log: view.say,
		Progress: func(p gobench.Progress) {
			view.update(fmt.Sprintf("%d of %d benchmarks undecided after %d rounds, %.0f s of %.0f s at most", p.Open, p.Benchmarks, p.Rounds, p.Elapsed.Seconds(), p.Budget.Seconds()), p.Elapsed)
		},
	}
	if f.budgetGiven {
		o.Budget = f.budget
	}
	out, err := gobench.Compare(ctx, o)
	view.end()
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
func (r *benchResult) explain(ctx context.Context, dir string, view *gateView) {
	told := time.Now()
	found, err := r.Explain(ctx, dir, func(done, of int) {
		if time.Since(told) >= gateLineEvery || done == of {
			told = time.Now()
			view.say(fmt.Sprintf("%d of %d pairs of profiles", done, of))
		}
	})
	r.unable = err
	for _, e := range found {
		k := cause{scenario: e.Short(), kind: e.Kind, dir: e.Dir, Explanation: e.Explanation}
		err := k.write(ctx, e.Base, e.Now, profiles.FlameOptions{
			Title:       fmt.Sprintf("%s of %s: now, less base", e.Kind, e.Short()),
			Note:        "Of a million iterations of either side: 1s is a microsecond an iteration, 1MB a byte. Red is more, green less.",
			SampleIndex: e.SampleIndex,
		})
		r.unable = errors.Join(r.unable, err)
		r.causes = append(r.causes, k)
	}
}

// counted is a number of things, in words.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
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
			return nil, &exitError{exitUsage, fmt.Sprintf("--cpu %q: want numbers of processors such as 1,2,4", list)}
		}
		procs = append(procs, n)
	}
	return procs, nil
}

// sides says what was compared with what, a line each.
func (r *benchResult) sides() []string {
	lines := []string{fmt.Sprintf("base: %s; now: %s", r.BaseTree.State(), r.NowTree.State())}
	lines = append(lines, r.Differences...)
	if r.Rounds > 0 {
		lines = append(lines, fmt.Sprintf("%s, %s of four blocks each in %.0f s; samples: %s", counted(r.Benchmarks, "benchmark"), counted(r.Rounds, "round"), r.Elapsed.Seconds(), r.Samples))
	}
	return lines
}

func (r *benchResult) writeText(c console) error {
	var page bytes.Buffer
	if err := r.Judgement.WriteTable(&page, tableOptions(c.out)); err != nil {
		return err
	}
	for _, line := range r.sides() {
		fmt.Fprintln(&page, line)
	}
	if err := writeCauses(&page, r.causes, r.unable); err != nil {
		return err
	}
	_, err := c.out.Write(page.Bytes())
	return err
}

// benchJSON is the object that `gate --base --bench --json` prints, a contract with scripts.
type benchJSON struct {
	Mode        string              `json:"mode"` // "bench"
	Verdict     results.Verdict     `json:"verdict"`
	Reason      string              `json:"reason"`
	ExitCode    int                 `json:"exit_code"`
	Base        string              `json:"base"`        // commit
	Now         string              `json:"now"`         // commit that is checked out
	Changed     []string            `json:"changed"`     // files that differ from it
	Differences []string            `json:"differences"` // in modules and toolchain
	Benchmarks  int                 `json:"benchmarks"`
	Rounds      int                 `json:"rounds"` // of four blocks of each open benchmark
	Seconds     float64             `json:"seconds"`
	Alpha       float64             `json:"alpha"` // chance of any false alarm
	Rows        []results.JudgedRow `json:"rows"`  // scenario is the package, op the benchmark
	Machine     results.Machine     `json:"machine"`
	Samples     string              `json:"samples,omitempty"`
	Causes      []causeJSON         `json:"causes,omitempty"`
	Unable      string              `json:"unexplained,omitempty"`
}

func (r *benchResult) writeJSON(ctx context.Context, c console) error {
	machine, err := results.ThisMachine(ctx)
	if err != nil {
		return err
	}
	j := r.Judgement
	o := benchJSON{
		Mode: "bench", Verdict: j.Verdict, Reason: j.Reason, ExitCode: codeOfVerdict(j.Verdict, true), Base: r.BaseTree.Commit, Now: r.NowTree.Commit,
		Changed: append([]string{}, r.NowTree.Changed...), Differences: append([]string{}, r.Differences...), Benchmarks: r.Benchmarks, Rounds: r.Rounds,
		Seconds: r.Elapsed.Seconds(), Alpha: j.Alpha, Rows: j.Rows, Machine: machine, Samples: r.Samples, Causes: causesJSON(r.causes),
	}
	if r.unable != nil {
		o.Unable = r.unable.Error()
	}
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = c.out.Write(append(line, '\n'))
	return err
}

// subject is what there is to report on.
func (r *benchResult) subject(ctx context.Context, ref string, packages []string) *report.Subject {
	title := strings.Join(packages, " ")
	if title == "" {
		title = "."
	}
	dirty := ""
	if len(r.NowTree.Changed) > 0 {
		dirty = "+dirty"
	}
	s := &report.Subject{
		Scenario: "Go benchmarks of " + title, Judgement: r.Judgement, Command: commandLine(os.Args[1:]), Measured: time.Now().UTC(),
		Base:  report.Side{Label: ref, Revision: r.BaseTree.Commit, Records: r.Base},
		Now:   report.Side{Label: "now", Revision: r.NowTree.Commit + dirty, Records: r.Now},
		Notes: r.sides(),
	}
	addCauses(s, r.causes, r.unable)
	if machine, err := results.ThisMachine(ctx); err == nil { // else nothing is said of it
		s.Base.Machine, s.Now.Machine = &machine, &machine
	}
	return s
}
