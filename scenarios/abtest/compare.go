// Package abtest compares the delivery package of a git revision with that of the working tree.
// What goes in is the revision and scenarios. What comes out is a judgement of each metric and,
// after a regression, the functions that cost more. [CompareWith] does all of it, in four steps:
//
//   - [Build] makes a driver of either side. The base's has today's harness, with the revision's delivery
//     package in the place of today's (the go command's -overlay). Only if that doesn't compile is all of the
//     base's driver of the revision.
//   - [Run] starts a fleet and both drivers, asks these for blocks of a fraction of a second in turns, and hands
//     what they measured to package sequential, which says when that decides. A driver, the other end of
//     the pipe, is [Serve].
//   - Package judge turns decisions into verdicts.
//   - [ExplainRegression] profiles both sides in turns.
//
// [SelfTest] compares a program with itself, to show how often that goes right. The package knows
// no flags, and nothing of how its results are shown.
package abtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/scenarios"
)

// DefaultScenario is the scenario that is measured unless others are named.
const DefaultScenario = "gate"

// CompareOptions say how the working tree is compared with a revision.
type CompareOptions struct {
	Options              // of the measurement; CompareWith sets the sides
	Ref     string       // the revision, as git names it
	Out     string       // a directory, below which profiles and the stacks of a driver that failed are kept
	Explain bool         // look for the cause of a regression
	Log     func(string) // is called with a line about each step that begins
}

// A Comparison is what came of two sides, and why.
type Comparison struct {
	*Outcome
	Sides       *Sides
	Scenarios   []string
	Causes      []Cause // of a regression
	Unexplained error   // why there are none, or not all of them, where they were looked for
	Stacks      string  // the file with the goroutines of a driver that failed, or ""
}

// CompareWith builds a driver of a revision and one of the working tree, measures the two by turns,
// judges them, and looks for the cause of a regression. If ctx ends before the verdict is known,
// its error is returned; if it ends while a cause is looked for, the verdict stands.
func CompareWith(ctx context.Context, o CompareOptions) (_ *Comparison, err error) {
	work, err := scratch.New("", "fleetmark-gate")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	o.Log("building the delivery package of " + o.Ref + ", and today's")
	sides, err := Build(ctx, o.Ref, work.Path)
	if err != nil {
		return nil, err
	}
	o.Sides = *sides
	out, err := Run(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	c := &Comparison{Outcome: out, Sides: sides}
	for _, s := range o.Specs {
		c.Scenarios = append(c.Scenarios, s.Name)
	}
	if out.Failed != nil {
		return c, c.keepStacks(o.Out)
	}
	if o.Explain && out.Judgement.Verdict == results.Regressed {
		c.Causes, c.Unexplained = ExplainRegression(ctx, o.Options, out.Judgement, o.Out, o.Log)
	}
	return c, nil
}

// keepStacks writes the goroutines of a driver that failed into a new directory below dir, and
// names the file in the reason.
func (c *Comparison) keepStacks(dir string) error {
	if c.Failed.Stacks == "" {
		return nil
	}
	dir = filepath.Join(dir, time.Now().UTC().Format("20060102T150405Z")+"-gate")
	c.Stacks = filepath.Join(dir, "goroutines-"+c.Failed.Side+".txt")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(c.Stacks, []byte(c.Failed.Stacks+"\n")); err != nil {
		return err
	}
	c.Judgement.Reasons[0].Name = c.Stacks // the reason is that a side failed
	return nil
}

// A Cause says which functions made a metric regress, and where the files are that show it.
type Cause struct {
	Scenario string
	Kind     profiles.Kind
	Dir      string // holds the profiles, the explanation and the flame graph
	Flame    string // the page with the flame graph of the difference; empty if FlameErr is set
	FlameErr error  // why there is no flame graph
	*profiles.Explanation
}

// ExplainRegression profiles both sides of a comparison that regressed, in turns, and returns which
// functions made the difference. It writes the profiles, the explanations and flame graphs into a
// new directory below out. It calls log with lines about how far it is.
//
// If a cause can't be found, ExplainRegression returns an error beside the causes that it found.
// The verdict stands either way.
func ExplainRegression(
	ctx context.Context, o Options, j *judge.Judgement, out string, log func(string),
) (causes []Cause, err error) {
	dir := filepath.Join(out, time.Now().UTC().Format("20060102T150405Z")+"-gate-explained")
	for _, need := range planProfiles(j, o.Specs) {
		c, failed := need.explain(ctx, o, filepath.Join(dir, string(need.kind)), log)
		if ctx.Err() != nil {
			return causes, errors.Join(err, errors.New("interrupted"))
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s of %s: %w", need.kind, need.spec.Name, failed))
		}
		if c.Explanation != nil { // it is known even if its files can't be written
			causes = append(causes, c)
		}
	}
	return causes, err
}

// A profileNeed is a kind of profile that may explain a regression of a scenario.
type profileNeed struct {
	spec   scenarios.Spec
	kind   profiles.Kind
	sample string // the number to explain; empty is the kind's own choice

	extraNS float64 // for waits: how much longer an operation takes, if known
}

// planProfiles returns which profiles may explain the regressed rows of j, at most one of each
// kind: of the scenario of the first such row, since others would show the same. Metrics that count
// requests are explained by processor time.
func planProfiles(j *judge.Judgement, specs []scenarios.Spec) []profileNeed {
	var plan []profileNeed
	need := func(scenario string, n profileNeed) {
		at := slices.IndexFunc(specs, func(s scenarios.Spec) bool { return s.Name == scenario })
		if at < 0 || slices.ContainsFunc(plan, func(o profileNeed) bool { return o.kind == n.kind }) {
			return
		}
		n.spec = specs[at]
		plan = append(plan, n)
	}
	for _, row := range j.Rows {
		if row.Verdict != results.Regressed {
			continue
		}
		switch u := row.Unit; {
		case row.Unit.Name == results.UnitAllocations:
			need(row.Scenario, profileNeed{kind: profiles.Allocs, sample: "alloc_objects"})
		case u.Class == results.ClassAllocation:
			need(row.Scenario, profileNeed{kind: profiles.Allocs})
		case u.Class == results.ClassMemory:
			// No profile of a push shows what stays allocated.
		case u.Class == results.ClassRate && slices.ContainsFunc(j.Rows, func(r judge.Row) bool {
			sameOp := r.Scenario == row.Scenario && r.Op == row.Op
			return sameOp && r.Unit.Name == results.UnitMean && r.Verdict == results.Regressed
		}):
			// The regressed time says the same, and more.
		case u.Class == results.ClassTime:
			waits, works := classifySlowdown(j, row)
			if waits { // first: it is the larger part
				n := profileNeed{kind: profiles.Block}
				if row.Unit.Name == results.UnitMean && row.Base != nil && row.Ratio != nil {
					n.extraNS = row.Base.Median * (row.Ratio.Estimate - 1)
				}
				need(row.Scenario, n)
			}
			if works {
				need(row.Scenario, profileNeed{kind: profiles.CPU})
			}
		default:
			need(row.Scenario, profileNeed{kind: profiles.CPU})
		}
	}
	return plan
}

// classifySlowdown reports whether a time that regressed may be spent waiting, for a lock or for
// another goroutine, and whether it may be spent working. If processor time did not regress, no
// function works more. If the time grew by over a tenth more than processor time, something waits.
func classifySlowdown(j *judge.Judgement, row judge.Row) (waits, works bool) {
	const waitRatio = 1.1
	at := slices.IndexFunc(j.Rows, func(r judge.Row) bool {
		return r.Scenario == row.Scenario && r.Op == row.Op && r.Unit.Name == results.UnitCPU
	})
	if at < 0 || row.Ratio == nil || j.Rows[at].Ratio == nil {
		return false, true
	}
	cpu := j.Rows[at]
	if cpu.Verdict == results.Pass || cpu.Verdict == results.Improved {
		return true, false
	}
	return row.Ratio.Estimate > waitRatio*cpu.Ratio.Estimate, true
}

// logInterval is how often a function that takes profiles logs how many it has taken.
const logInterval = 5 * time.Second

// LogPairs returns a function that logs how many pairs of profiles are done, every few seconds and
// at the end.
func LogPairs(log func(string)) func(done, of int) {
	last := time.Now()
	return func(done, of int) {
		if time.Since(last) >= logInterval || done == of {
			last = time.Now()
			log(fmt.Sprintf("%d of %d pairs of profiles", done, of))
		}
	}
}

// explain takes the profiles, and explains them.
func (n profileNeed) explain(ctx context.Context, o Options, dir string, log func(string)) (Cause, error) {
	log(fmt.Sprintf("profiling %s for %s, both sides by turns", n.spec.Name, n.kind))
	c := Cause{Scenario: n.spec.Name, Kind: n.kind, Dir: dir}
	// A dependency that changed may be the cause, too.
	own := append(OwnFunctions(), checkout.Functions(o.Sides.Differences)...)
	var within []string
	if n.kind == profiles.Block { // else it is mostly the harness, which waits for the next operation
		within = deliveryFunctions()
	}
	e, err := explain(ctx, profileOptions{
		Sides: o.Sides, Spec: n.spec, FleetCommand: o.FleetCommand, Dir: dir, Kind: n.kind, SampleIndex: n.sample,
		Own: own, Within: within, Seed: o.Seed, Stderr: o.Stderr, Plant: o.Plant, Progress: LogPairs(log),
	})
	if n.kind == profiles.Block && errors.Is(err, profiles.ErrNothingWithin) {
		return c, errors.New("nobody waits for anybody in the delivery package: " +
			"a sleep, or an answer that comes late, is in no profile")
	}
	if err != nil {
		return c, err
	}
	c.Explanation = e.Explanation
	if waits := e.Total.Delta; waits < n.extraNS/2 { // else the numbers say it
		e.Notes = append(e.Notes, fmt.Sprintf(
			"an operation takes %s longer, of which these waits are %.0f%%: the rest is work, "+
				"its turn at a processor, a sleep or a device's late answer, and the last two are in no profile",
			results.Duration.Format(n.extraNS), 100*max(0, waits)/n.extraNS))
	}
	c.Flame, c.FlameErr, err = e.WriteFiles(ctx, dir, e.BaseFiles, e.NowFiles, profiles.FlameOptions{
		Title: fmt.Sprintf("%s of %s: now, less base", c.Kind, c.Scenario),
		Note: "Of a million operations of either side: 1s is a microsecond an operation, 1MB a byte. " +
			"Red is more, green less.",
		DiffOptions: profiles.DiffOptions{TopOptions: profiles.TopOptions{SampleIndex: n.sample}}, Within: within,
	})
	return c, err
}
