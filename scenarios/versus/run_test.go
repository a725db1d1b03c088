package versus

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// options are of sides that are the same: this test's program.
func options(t *testing.T, names ...string) Options {
	t.Helper()
	o := Options{Sides: Sides{Base: os.Args[0], Now: os.Args[0]}, FleetCommand: []string{os.Args[0], "fleet"}, Budget: time.Nanosecond}
	for _, name := range names {
		s, err := scenarios.Find(name)
		require.NoError(t, err)
		o.Specs = append(o.Specs, s)
	}
	return o
}

// row finds a row of a judgement.
func row(t *testing.T, j *results.Judgement, scenario, op, unit string) results.JudgedRow {
	t.Helper()
	for _, r := range j.Rows {
		if r.Scenario == scenario && r.Op == op && r.Unit == unit {
			return r
		}
	}
	require.Fail(t, "no row", "%s %s %s in %+v", scenario, op, unit, j.Rows)
	return results.JudgedRow{}
}

// TestOnePair: what the seed determines is judged by a single pair, and times are not.
func TestOnePair(t *testing.T) {
	var pairs []Pair
	o := options(t, "gate-push", "gate-verify", "gate-deliver")
	o.Pair = func(p Pair) { pairs = append(pairs, p) }
	out, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, pairs, out.Pairs)
	require.Equal(t, results.Inconclusive, out.Judgement.Verdict, out.Judgement.Reason)
	for scenario, op := range map[string]string{"gate-push": "push", "gate-verify": "verify", "gate-deliver": "deliver"} {
		for _, unit := range []string{"requests/device", "retries/device", "failed/device", "wire-B/device"} {
			require.Equal(t, results.Pass, row(t, out.Judgement, scenario, op, unit).Verdict, "%s %s", scenario, unit)
		}
		require.Equal(t, results.Inconclusive, row(t, out.Judgement, scenario, op, "ns/op").Verdict)
	}
	require.Len(t, out.Base, len(out.Now))
	require.Equal(t, 2*out.Pairs, out.Base[len(out.Base)-1].Repetition)
}

// TestARequestMoreIsFoundAtOnce, in each scenario that pushes.
func TestARequestMoreIsFoundAtOnce(t *testing.T) {
	o := options(t, "gate-push", "gate-deliver")
	o.Plant = scenarios.Plant{Requests: 1}
	out, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Regressed, out.Judgement.Verdict, out.Judgement.Reason)
	require.Equal(t, 1, out.Pairs)
	require.Equal(t, results.Regressed, row(t, out.Judgement, "gate-push", "push", "requests/device").Verdict)
	require.Equal(t, results.Regressed, row(t, out.Judgement, "gate-deliver", "deliver", "requests/device").Verdict)
}

// TestAnAllocationMoreIsFound: it has no noise, so that the first look has it.
func TestAnAllocationMoreIsFound(t *testing.T) {
	o := options(t, "gate-push")
	o.Plant, o.Budget = scenarios.Plant{Allocations: 1}, time.Minute
	out, err := Run(t.Context(), o)
	require.NoError(t, err)
	r := row(t, out.Judgement, "gate-push", "push", "allocs/op")
	require.Equal(t, results.Regressed, r.Verdict, "%+v", out.Judgement)
	require.InDelta(t, 1, r.Now.Median-r.Baseline.Median, 0.2)
}

// TestSlower plants a part of what a push takes.
func TestSlower(t *testing.T) {
	o := options(t, "gate-push")
	o.Slower = 0.5
	out, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Positive(t, out.Planted.Processor)

	o = options(t, "gate-verify")
	o.Slower = 0.5
	_, err = Run(t.Context(), o)
	require.ErrorContains(t, err, "no scenario of pushes alone")
}

func TestRunIsBrokenOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := options(t, "gate-push")
	o.Budget = time.Hour
	o.Progress = func(Progress) { cancel() }
	_, err := Run(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
}

// TestOthersAreRefused: programs that are no driver, or one of another time.
func TestOthersAreRefused(t *testing.T) {
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "driver")
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700))
		return path
	}
	for name, row := range map[string]struct{ program, want string }{
		"not there":        {filepath.Join(t.TempDir(), "none"), "the driver of base can't be started"},
		"another protocol": {script(`read order; echo '{"protocol":7}'; read more`), "the driver of base speaks protocol 7, not 3"},
		"no driver":        {script(`echo 'unknown command "drive"' >&2; exit 2`), `the driver of base ended: unknown command "drive"`},
		"wordless":         {script("exit 3"), "the driver of base ended: exit status 3"},
		"no JSON":          {script("read order; echo hello"), "the driver of base ended"},
		"refuses":          {script(`read order; echo '{"protocol":1,"error":"no such field"}'; read more`), "the driver of base: no such field"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, "gate-push")
			o.Sides.Base = row.program
			_, err := Run(t.Context(), o)
			require.ErrorContains(t, err, row.want)
		})
	}
}

func TestServeRefuses(t *testing.T) {
	spec, err := json.Marshal(map[string]any{"name": "x", "new_field": 1})
	require.NoError(t, err)
	unknown, err := json.Marshal(order{Protocol: protocol, Work: []work{{Spec: spec}}})
	require.NoError(t, err)
	for in, want := range map[string]string{
		"":                "standard input holds no order",
		"hello":           "standard input holds no order",
		`{"protocol": 9}`: "", // that is for the other side to say
		string(unknown):   `unknown field "new_field"`,
	} {
		var out strings.Builder
		err := Serve(t.Context(), strings.NewReader(in), &out)
		if want == "" {
			require.NoError(t, err)
			require.Contains(t, out.String(), `"error":"it speaks protocol 3, not 9"`)
			continue
		}
		require.ErrorContains(t, err, want, in)
	}
}

// repository clones this one, so that a test may commit to it.
func repository(t *testing.T) string {
	t.Helper()
	root, err := output(t.Context(), ".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		t.Skip("no git repository here, as in a module cache")
	}
	dir := filepath.Join(t.TempDir(), "clone")
	git(t, ".", "clone", "-q", root, dir)
	git(t, dir, "config", "user.name", "test")
	git(t, dir, "config", "user.email", "test@example.invalid")
	return dir
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
}

// TestBuild: the base has its own delivery in today's harness, files that either lacks and all.
func TestBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command four times")
	}
	dir := repository(t)
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	said := func(program string) string {
		text, err := os.ReadFile(program)
		require.NoError(t, err)
		list := ""
		for _, mark := range []string{"mark-of-the-old-delivery", "mark-of-the-new-delivery", "mark-of-the-new-harness", "mark-of-the-old-harness"} {
			if strings.Contains(string(text), mark) {
				list += strings.TrimPrefix(mark, "mark-of-the-") + ","
			}
		}
		return list
	}
	mark := func(pkg, name, text string) string {
		return "package " + pkg + "\n\nimport \"os\"\n\nfunc init() { if len(os.Args) > 99 { println(\"" + text + "\") } }\n"
	}
	write("delivery/old.go", mark("delivery", "old", "mark-of-the-old-delivery"))
	write("cmd/fleetmark/old.go", mark("main", "old", "mark-of-the-old-harness"))
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-qm", "old")
	git(t, dir, "tag", "old")
	git(t, dir, "rm", "-qf", "delivery/old.go", "cmd/fleetmark/old.go")
	write("delivery/new.go", mark("delivery", "new", "mark-of-the-new-delivery")) // and not committed
	write("cmd/fleetmark/new.go", mark("main", "new", "mark-of-the-new-harness"))
	t.Chdir(filepath.Join(dir, "docs"))

	sides, err := Build(t.Context(), "old", t.TempDir())
	require.NoError(t, err)
	require.Equal(t, HarnessOfToday, sides.Harness)
	require.Equal(t, "old-delivery,new-harness,", said(sides.Base))
	require.Equal(t, "new-delivery,new-harness,", said(sides.Now))

	// A harness that wants what the old delivery lacks.
	write("delivery/more.go", "package delivery\n\nfunc Lacking() {}\n")
	write("cmd/fleetmark/more.go", "package main\n\nimport \"github.com/fleetmark/fleetmark/delivery\"\n\nvar _ = delivery.Lacking\n")
	sides, err = Build(t.Context(), "old", t.TempDir())
	require.NoError(t, err)
	require.Equal(t, HarnessOfTheDay, sides.Harness)
	require.Equal(t, "old-delivery,old-harness,", said(sides.Base))

	for ref, want := range map[string]string{
		"nowhere": `--base "nowhere": no such revision here`,
		"":        "no such revision here",
		"--all":   `--base "--all": want a revision`,
	} {
		_, err = Build(t.Context(), ref, t.TempDir())
		require.ErrorContains(t, err, want)
		require.ErrorAs(t, err, new(*scenarios.UsageError))
	}
	write("delivery/broken.go", "package delivery\n\nfunc {\n")
	_, err = Build(t.Context(), "old", t.TempDir())
	require.ErrorContains(t, err, "the tree as it stands does not compile")

	t.Chdir(t.TempDir())
	_, err = Build(t.Context(), "old", t.TempDir())
	require.ErrorContains(t, err, "no git repository here")
}

func TestWilson(t *testing.T) {
	for _, row := range []struct {
		k, n      int
		low, high float64
	}{
		// As tabulated for the score interval at 95%.
		{0, 10, 0, 0.2775}, {10, 10, 0.7225, 1}, {1, 40, 0.0044, 0.1288}, {19, 20, 0.7639, 0.9911}, {5, 10, 0.2366, 0.7634},
	} {
		rate, low, high := wilson(row.k, row.n)
		require.InDelta(t, float64(row.k)/float64(row.n), rate, 1e-12)
		require.InDelta(t, row.low, low, 1e-4)
		require.InDelta(t, row.high, high, 1e-4)
	}
	_, low, high := wilson(0, 0)
	require.Equal(t, []float64{0, 1}, []float64{low, high})
}

// TestSelfTest: every case is run as often as it says, in turns.
func TestSelfTest(t *testing.T) {
	var order []string
	o := options(t, "gate-push")
	tried, err := SelfTest(t.Context(), o, []Case{{Name: "nothing", Runs: 3}, {Name: "a request", Plant: scenarios.Plant{Requests: 1}, Runs: 2}},
		func(c Case, _ *Outcome) { order = append(order, c.Name) })
	require.NoError(t, err)
	require.Equal(t, map[results.Verdict]int{results.Inconclusive: 3}, tried[0].Verdicts)
	require.Equal(t, map[results.Verdict]int{results.Regressed: 2}, tried[1].Verdicts)
	require.Len(t, tried[0].Seconds, 3)
	require.ElementsMatch(t, []string{"nothing", "nothing", "nothing", "a request", "a request"}, order)
	require.NotEqual(t, []string{"nothing", "nothing", "nothing", "a request", "a request"}, order)
	require.False(t, tried[0].Worse())
	require.True(t, tried[1].Worse())
}
