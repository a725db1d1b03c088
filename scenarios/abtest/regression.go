package abtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/profiles/view"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A Cause names the functions that made a metric regress, and the files that show it.
type Cause struct {
	Scenario string
	Kind     profiles.Kind
	Dir      string // holds the profiles, the explanation and the flame graph
	Flame    string // the page with the flame graph of the difference; empty if FlameErr is set
	FlameErr error  // why there is no flame graph
	*explain.Explanation
}

// ExplainRegression profiles both sides of a comparison that regressed, in turns, and returns which
// functions made the difference. It writes the profiles, the explanations and flame graphs to a new
// directory below out. It calls log with lines about its progress.
//
// If a cause can't be found, ExplainRegression returns an error beside the causes that it found.
// The verdict stands either way.
func ExplainRegression(
	ctx context.Context, o Options, j *judge.Judgement, out string, log func(string),
) (causes []Cause, err error) {
	dir := filepath.Join(out, time.Now().UTC().Format("20060102T150405Z")+"-gate-explained")
	specs, err := explainUnprofiled(j, o.Specs)
	for _, need := range planProfiles(j, specs) {
		c, failed := need.explain(ctx, o, filepath.Join(dir, string(need.kind)), log)
		if ctx.Err() != nil {
			return causes, errors.Join(err, errors.New("interrupted"))
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s of %s: %w%s", need.kind, need.spec.Name, failed, whatIsKnown(j, need.spec)))
		}
		if c.Explanation != nil { // the cause is known even if its files can't be written
			causes = append(causes, c)
		}
	}
	return causes, err
}

// A profileNeed is a kind of profile that may explain a regression of a scenario.
type profileNeed struct {
	spec   scenarios.Spec
	kind   profiles.Kind
	sample string // the sample value to explain; empty means the default of the kind

	extraNS float64 // for waits: how much longer an operation takes, if known
}

// planProfiles returns the profiles that may explain the regressed rows of j. There is at most one
// of each kind, for the scenario of the first such row, since others would show the same. Metrics
// that count requests are explained by processor time.
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
			// A profile of pushes doesn't show memory that stays allocated.
		case u.Class == results.ClassRate && slices.ContainsFunc(j.Rows, func(r judge.Row) bool {
			sameOp := r.Scenario == row.Scenario && r.Op == row.Op
			return sameOp && r.Unit.Name == results.UnitMean && r.Verdict == results.Regressed
		}):
			// The regressed time says the same, and more.
		case u.Class == results.ClassTime:
			waits, works := classifySlowdown(j, row)
			if waits { // first, since it is the larger part
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

// classifySlowdown reports whether a time that regressed may be due to waiting, for a lock or
// another goroutine, and whether it may be due to work. If processor time didn't regress, no
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

// logInterval is the time between two logs of how many profiles were taken.
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

// waitsNote says how much of the time that an operation takes longer is waits that the profiles show,
// both in nanoseconds. It returns "" if that is most of it, which the numbers show, or if an operation
// doesn't take longer.
func waitsNote(waits, extra float64) string {
	if extra <= 0 || waits >= extra/2 {
		return ""
	}
	return fmt.Sprintf(
		"an operation takes %s longer, of which these waits are %.0f%%: the rest is work, "+
			"its turn at a processor, a sleep or a device's late answer, and the last two are in no profile",
		results.Duration.Format(extra), 100*max(0, waits)/extra)
}

// explain takes the profiles and explains their difference.
func (n profileNeed) explain(ctx context.Context, o Options, dir string, log func(string)) (Cause, error) {
	log(fmt.Sprintf("profiling %s for %s, both sides by turns", n.spec.Name, n.kind))
	c := Cause{Scenario: n.spec.Name, Kind: n.kind, Dir: dir}
	// A dependency that changed may be the cause, too.
	own, client, err := n.functions(o)
	if err != nil {
		return c, err
	}
	own = append(own, checkout.Functions(o.Builds.Differences)...)
	var within []string
	if n.kind == profiles.Block { // most other waits are the harness's, for the next operation
		within = client
	}
	e, err := explainSides(ctx, profileOptions{
		Builds: o.Builds, Spec: n.spec, FleetCommand: o.FleetCommand, Dir: dir, Kind: n.kind,
		Seed: o.Seed, Stderr: o.Stderr, Injection: o.Injection, Progress: LogPairs(log),
	}, explain.Options{Selection: profiles.Selection{SampleIndex: n.sample}, Own: own, Within: within})
	if n.kind == profiles.Block && errors.Is(err, explain.ErrNoMatchingStacks) {
		return c, noWaits(n.spec.Client)
	}
	if err != nil {
		return c, err
	}
	c.Explanation = e.Explanation
	if note := waitsNote(e.Total.Delta, n.extraNS); note != "" {
		e.Notes = append(e.Notes, note)
	}
	flame := view.FlameOptions{
		Title: fmt.Sprintf("%s of %s: now, less base", c.Kind, c.Scenario),
		Note: "Of a million operations of either side: 1s is a microsecond an operation, 1MB a byte. " +
			"Red is more, green less.",
		Within: within,
	}
	flame.SampleIndex = n.sample
	c.Flame, c.FlameErr, err = e.WriteFiles(ctx, dir, func(w io.Writer) error {
		_, err := view.Flame(ctx, w, e.BaseFiles, e.NowFiles, flame) // the page shows its notes
		return err
	})
	return c, err
}
