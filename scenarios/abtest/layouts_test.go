package abtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
)

// costing returns a driver that reports the given cost of a push in nanoseconds. If fails is given,
// the driver then fails in that way; see failAfter.
func costing(t *testing.T, nanoseconds float64, fails ...string) Side {
	t.Helper()
	path := filepath.Join(t.TempDir(), "driver")
	text := fmt.Sprintf("#!/bin/sh\n%s=%v %s=%s exec '%s' \"$@\"\n",
		pretendedCost, nanoseconds, failAfter, strings.Join(fails, ""), os.Args[0])
	require.NoError(t, os.WriteFile(path, []byte(text), 0o700))
	return Side{Program: path}
}

// TestLayouts checks verdicts about times that one layout left open or called regressed. Each case
// has the cost of a push on the base and now, in the first layout and then in those that follow, in
// turn.
func TestLayouts(t *testing.T) {
	type costs struct{ base, now float64 }
	luck := []costs{{100_000, 101_000}, {102_000, 100_500}, {99_000, 100_000}, {101_000, 99_500}}
	slower := []costs{{100_000, 106_000}, {102_000, 106_500}, {99_000, 105_000}, {101_000, 105_500}}
	const quick = time.Nanosecond
	for name, row := range map[string]struct {
		first   costs
		budget  time.Duration // for the first layout
		others  []costs
		verdict results.Verdict
		layouts int
		note    string
	}{
		"slow in one layout only": {costs{100_000, 104_000}, time.Minute, luck, results.Pass, 6,
			`^\+4\.0% in this layout; [-+]0\.\d% \(-\d\.\d% to \+\d\.\d%\) over 6 layouts: ` +
				`where the code lies in memory, not what it does$`},
		"slow in every layout": {costs{100_000, 106_000}, time.Minute, slower, results.Regressed, 6,
			`^\+6\.0% in this layout; \+5\.\d% \(.*\) over 6 layouts$`},
		"not slow in the first": {costs{100_000, 100_000}, time.Minute, slower, results.Pass, 0, `^$`},
		"open in the first": {costs{100_000, 100_000}, quick, luck, results.Pass, 6,
			`^[-+]0\.\d% in this layout; [-+]0\.\d% \(-\d\.\d% to \+\d\.\d%\) over 6 layouts$`},
		"open, and slow in others": {costs{100_000, 100_000}, quick, slower, results.Regressed, 6,
			`^[-+]0\.\d% in this layout; \+5\.\d% \(.*\) over 6 layouts$`},
		"as slow as is allowed": {costs{100_000, 104_000}, time.Minute, []costs{{100_000, 120_000}, {100_000, 87_500}},
			results.Inconclusive, 48, `over 48 layouts: not decided by then: measure on a quieter machine`},
		"faster in every other": {costs{100_000, 104_000}, time.Minute, []costs{{100_000, 93_000}, {100_000, 94_000}},
			results.Improved, 6, `^\+4\.0% in this layout; -6\.\d% \(.*\) over 6 layouts$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, "gate-push")
			o.Budget, o.LayoutBudget = row.budget, time.Hour
			o.Builds = Builds{Base: costing(t, row.first.base), Now: costing(t, row.first.now)}
			var programs [][2]Side
			for _, c := range row.others {
				programs = append(programs, [2]Side{costing(t, c.base), costing(t, c.now)})
			}
			var seeds []uint64
			o.Builds.Relink = func(_ context.Context, seed uint64) (Side, Side, error) {
				seeds = append(seeds, seed)
				p := programs[len(seeds)%len(programs)]
				return p[0], p[1], nil
			}
			out, err := Run(t.Context(), o)
			require.NoError(t, err)
			j := out.Judgement
			require.Equal(t, row.verdict, j.Verdict, "%s\n%+v", report.Sentence(j), j.Rows)
			require.Equal(t, row.layouts, out.Layouts)
			require.Len(t, seeds, row.layouts)
			require.NotContains(t, seeds, uint64(0), "0 is the linker's own order")
			require.Regexp(t, row.note, report.Note(rowOf(t, j, "cpu-ns/op")))
			require.Equal(t, results.Pass, rowOf(t, j, "requests/device").Verdict)
		})
	}
}

func rowOf(t *testing.T, j *judge.Judgement, unit string) judge.Row {
	t.Helper()
	return row(t, j, "gate-push", "push", unit)
}

// TestLayouts_noTime checks that too few layouts decide nothing, and that the note says how many
// would.
func TestLayouts_noTime(t *testing.T) {
	o := options(t, "gate-push")
	o.Budget, o.LayoutBudget = time.Minute, time.Nanosecond
	base, now := costing(t, 100_000), costing(t, 106_000)
	o.Builds = Builds{Base: base, Now: now,
		Relink: func(context.Context, uint64) (Side, Side, error) { return base, now, nil }}
	out, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Inconclusive, out.Judgement.Verdict)
	require.Equal(t, 1, out.Layouts)
	row := rowOf(t, out.Judgement, "cpu-ns/op")
	require.Equal(t, results.Inconclusive, row.Verdict)
	require.Regexp(t, `^\+6\.0% in this layout; not decided over 1 layout: allow more time \(--layout-budget\), or measure on a quieter machine$`, report.Note(row))
}

// TestLayouts_aDriverThatFails checks a driver that fails in a later layout. If it is the working
// tree's, that is as bad as a regression; if it is the base's, the times that layouts should have
// settled stay open.
func TestLayouts_aDriverThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		side, how string
		want      results.Verdict
		text      string
	}{
		"now hangs":   {checkout.Now, "hang", results.Regressed, "the driver of now didn't answer for 3s"},
		"base hangs":  {checkout.Base, "hang", results.Inconclusive, "the driver of base didn't answer for 3s"},
		"now panics":  {checkout.Now, "panic", results.Regressed, "the driver of now ended: panic: a client's own"},
		"base panics": {checkout.Base, "panic", results.Inconclusive, "the driver of base ended: panic: a client's own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, "gate-push")
			o.Budget, o.LayoutBudget, o.Limit = time.Minute, time.Hour, 3*time.Second
			base, now := costing(t, 100_000), costing(t, 106_000)
			o.Builds = Builds{Base: base, Now: now}
			o.Builds.Relink = func(_ context.Context, seed uint64) (Side, Side, error) {
				switch {
				case seed < 3:
					return base, now, nil
				case c.side == checkout.Base:
					return costing(t, 100_000, c.how), now, nil
				}
				return base, costing(t, 106_000, c.how), nil
			}
			out, err := Run(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, c.want, out.Judgement.Verdict)
			require.Contains(t, report.Sentence(out.Judgement), c.text)
			require.NotNil(t, out.Failed)
			require.Equal(t, c.side, out.Failed.Side)
			require.Contains(t, out.Failed.Stacks, "failingDriver")
			require.Equal(t, results.Verdict(""), rowOf(t, out.Judgement, "cpu-ns/op").Verdict)
			require.Equal(t, results.Pass, rowOf(t, out.Judgement, "requests/device").Verdict)
		})
	}
}

// TestLayoutsThatCannotBeBuilt checks that the verdict of the first layout stands then.
func TestLayoutsThatCannotBeBuilt(t *testing.T) {
	o := options(t, "gate-push")
	o.Budget, o.LayoutBudget = time.Minute, time.Hour
	o.Builds = Builds{Base: costing(t, 100_000), Now: costing(t, 104_000),
		Relink: func(context.Context, uint64) (Side, Side, error) {
			return Side{}, Side{}, &checkout.Error{Problem: "no such flag", Want: "another Go"}
		}}
	out, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Regressed, out.Judgement.Verdict)
	require.ErrorContains(t, out.Relinking, "no such flag")
	require.Zero(t, out.Layouts)
}

// TestAnAllocationNeedsNoLayout checks that no further layout is measured, since none could take
// the allocation away.
func TestAnAllocationNeedsNoLayout(t *testing.T) {
	o := options(t, "gate-push")
	o.Injection.Requests, o.LayoutBudget = 1, time.Hour
	o.Builds.Relink = func(context.Context, uint64) (Side, Side, error) { panic("not wanted") }
	out, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Regressed, out.Judgement.Verdict)
}
