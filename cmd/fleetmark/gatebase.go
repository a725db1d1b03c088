package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// gateScenario is what the gate measures where nobody says otherwise.
const gateScenario = "gate"

// turns is a comparison of two sides that take turns: what `gate --base` and `gate --self-test` share.
type turns struct {
	names  []string // scenarios; none: gateScenario
	sets   []string // --set KEY=VALUE
	budget time.Duration
	seed   uint64

	explained string // the directory below which a regression's cause is shown; empty: it isn't looked for
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
				return nil, &exitError{exitUsage, fmt.Sprintf("scenario %s: is named twice", s.Name)}
			}
			specs = append(specs, s)
		}
	}
	return specs, nil
}

// options are for sides that are yet to be built.
func (t turns) options(c console) (versus.Options, error) {
	specs, err := t.specs()
	if err != nil {
		return versus.Options{}, err
	}
	program, err := os.Executable()
	if err != nil {
		return versus.Options{}, err
	}
	return versus.Options{Specs: specs, FleetCommand: []string{program, "fleet", "--driven"}, Budget: t.budget, Seed: t.seed, Stderr: c.err}, nil
}

// A comparison is what came of two sides.
type comparison struct {
	*versus.Outcome
	sides  *versus.Sides
	causes []cause // of a regression
	unable error   // why there are none, where they were looked for
}

// against measures the tree as it stands against a revision, and says why it is worse if it is.
func (t turns) against(ctx context.Context, ref string, c console, view *gateView) (_ *comparison, err error) {
	o, err := t.options(c)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "fleetmark-gate-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	view.say("building the delivery package of " + ref + ", and today's")
	sides, err := versus.Build(ctx, ref, work)
	if err != nil {
		return nil, err
	}
	o.Sides, o.Progress = *sides, view.progress
	out, err := versus.Run(ctx, o)
	view.end()
	if err != nil {
		return nil, err
	}
	found := &comparison{Outcome: out, sides: sides}
	if t.explained != "" && out.Judgement.Verdict == results.Regressed {
		// The verdict stands also where nobody can say why, or wants to wait for that.
		found.causes, found.unable = t.explain(ctx, o, out.Judgement, t.explained, view)
	}
	return found, nil
}

// sidesText says what was held against what.
func (out *comparison) sidesText() string {
	sides := out.sides
	text := fmt.Sprintf("base: delivery of %.12s in %s; now: the tree as it stands; %d pairs of blocks in %.0f s",
		sides.Revision, sides.Harness, out.Pairs, out.Elapsed.Seconds())
	if out.Dropped > 0 {
		text += fmt.Sprintf(", %d more dropped", out.Dropped)
	}
	return text
}

// turnsJSON is the object that `gate --base --json` prints, a contract with scripts.
type turnsJSON struct {
	Mode      string              `json:"mode"` // "base"
	Verdict   results.Verdict     `json:"verdict"`
	Reason    string              `json:"reason"`
	Base      string              `json:"base"`    // revision
	Harness   string              `json:"harness"` // of the base
	Now       string              `json:"now"`     // revision
	Pairs     int                 `json:"pairs"`
	Dropped   int                 `json:"dropped"`
	Seconds   float64             `json:"seconds"`
	Alpha     float64             `json:"alpha"` // chance of any false alarm
	Rows      []results.JudgedRow `json:"rows"`
	Machine   results.Machine     `json:"machine"`
	Scenarios []string            `json:"scenarios"`
	Causes    []causeJSON         `json:"causes,omitempty"`      // of a regression
	Unable    string              `json:"unexplained,omitempty"` // why a cause couldn't be looked for
}

// gateBase measures against a revision, and shows the verdict. Its error carries the exit code.
func gateBase(cmd *cobra.Command, f *gateFlags, names []string, c console) error {
	t, ctx := f.turns(names), cmd.Context()
	if !f.unexplained {
		t.explained = f.out
	}
	out, err := t.against(ctx, f.base, c, newGateView(c, f.quiet))
	if err != nil {
		return err
	}
	interrupted := ctx.Err() != nil // while the cause was looked for: the verdict is there, and is told
	ctx = context.WithoutCancel(ctx)
	if f.json {
		err = t.showJSON(ctx, out, c)
	} else {
		err = showText(out, c)
	}
	if err != nil {
		return err
	}
	if err := f.writeReports([]*report.Subject{t.subject(ctx, f.base, out)}, c); err != nil {
		return err
	}
	if interrupted {
		return &exitError{exitInterrupted, fmt.Sprintf("interrupted while the cause was looked for; the verdict stands: %s: %s", out.Judgement.Verdict, out.Judgement.Reason)}
	}
	if code := codeOfVerdict(out.Judgement.Verdict, true); code != exitPass {
		return &exitError{code, fmt.Sprintf("%s: %s", out.Judgement.Verdict, out.Judgement.Reason)}
	}
	return nil
}

// subject is what there is to report on.
func (t turns) subject(ctx context.Context, ref string, out *comparison) *report.Subject {
	s := &report.Subject{
		Scenario: strings.Join(t.names, ", "), Judgement: out.Judgement, Command: commandLine(os.Args[1:]), Measured: time.Now().UTC(),
		Base:  report.Side{Label: ref, Revision: out.sides.Revision, Records: out.Base},
		Now:   report.Side{Label: "now", Revision: revision(ctx), Records: out.Now},
		Notes: []string{out.sidesText()},
	}
	if s.Scenario == "" {
		s.Scenario = gateScenario
	}
	addCauses(s, out.causes, out.unable)
	if machine, err := results.ThisMachine(ctx); err == nil { // else nothing is said of it
		s.Base.Machine, s.Now.Machine = &machine, &machine
	}
	return s
}

func (f *gateFlags) turns(names []string) turns {
	return turns{names: names, sets: f.sets, budget: f.budget, seed: f.seed}
}

func showText(out *comparison, c console) error {
	var page bytes.Buffer
	if err := out.Judgement.WriteTable(&page, tableOptions(c.out)); err != nil {
		return err
	}
	fmt.Fprintln(&page, out.sidesText())
	if err := writeCauses(&page, out.causes, out.unable); err != nil {
		return err
	}
	_, err := c.out.Write(page.Bytes())
	return err
}

func (t turns) showJSON(ctx context.Context, out *comparison, c console) error {
	machine, err := results.ThisMachine(ctx)
	if err != nil {
		return err
	}
	specs, err := t.specs()
	if err != nil {
		return err
	}
	o := turnsJSON{
		Mode: "base", Verdict: out.Judgement.Verdict, Reason: out.Judgement.Reason, Base: out.sides.Revision, Harness: out.sides.Harness, Now: revision(ctx),
		Pairs: out.Pairs, Dropped: out.Dropped, Seconds: out.Elapsed.Seconds(), Alpha: out.Judgement.Alpha, Rows: out.Judgement.Rows, Machine: machine,
	}
	for _, s := range specs {
		o.Scenarios = append(o.Scenarios, s.Name)
	}
	o.Causes = causesJSON(out.causes)
	if out.unable != nil {
		o.Unable = out.unable.Error()
	}
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = c.out.Write(append(line, '\n'))
	return err
}
