package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// TestGateNeverPassesWhatItCouldNotJudge is a way not to judge a case. None exits 0, and
// each says why in one line.
func TestGateNeverPassesWhatItCouldNotJudge(t *testing.T) {
	other := func(g *gateFiles) { g.run.Machine.Identity = "ba9876543210" }
	portable := func(g *gateFiles) { g.args = append(g.args, "--portable") }
	arguments := func(args ...string) func(*gateFiles) { return func(g *gateFiles) { g.args = args } }
	after := func(f func(*testing.T, string)) func(*gateFiles) { return func(g *gateFiles) { g.after = f } }
	for _, c := range []struct {
		name   string
		change func(*gateFiles)
		code   int
		says   string
	}{
		// The page.
		{"no page", after(remove("page.md")), exitUsage, "page.md: can't be opened (no such file or directory)"},
		{"an empty page", after(rewrite("page.md", func(string) string { return "" })), exitUsage, "page.md:1: is empty"},
		{"a page of something else", after(rewrite("page.md", func(string) string { return "# Notes\n" })), exitUsage, "page.md:1: isn't a baseline page"},
		{"a page that is a directory", arguments("--baseline", ".", "--run", "run"), exitUsage, ".: can't be read"},
		{"a page that was cut", after(rewrite("page.md", firstHalf)), exitUsage, "cut short"},
		{"a page edited by hand", after(rewrite("page.md", replaced("1111111", "3333333"))), exitUsage, "was edited by hand"},
		{"a page of another schema", after(rewrite("page.md", replaced(fmt.Sprintf(`"schema": %d`, results.BaselineSchema), `"schema": 99`))), exitUsage, "has schema version 99"},
		{"a page with a NaN", after(rewrite("page.md", replaced("1973 wire-B/device", "NaN wire-B/device"))), exitUsage, "page.md:"},
		{"a page whose scenario nobody ran", func(g *gateFiles) {
			soak := results.BaselineScenario{Name: "soak", WorkloadDigest: "bb", Command: "fleetmark run soak", Repetitions: 6}
			for _, r := range copied(g.records) {
				r.Scenario = "soak"
				soak.Records = append(soak.Records, r)
			}
			g.base.Scenarios = append(g.base.Scenarios, soak)
		}, exitInconclusive, "soak: the baseline has it, and no run of it was given"},
		{"a page that measured zero", func(g *gateFiles) { g.base.Scenarios[0].Records[0].Values[0].Value = 0 }, exitInconclusive, "the baseline's 0 is no measurement"},

		// The run.
		{"no run", arguments("--baseline", "page.md", "--run", "missing"), exitUsage, "missing: no such run"},
		{"one of two runs is missing", arguments("--baseline", "page.md", "--run", "run", "--run", "missing"), exitUsage, "missing: no such run"},
		{"the same run twice", arguments("--baseline", "page.md", "--run", "run", "--run", "./run"), exitUsage, "--run ./run: is given twice"},
		{"a directory that is no run", arguments("--baseline", "page.md", "--run", "."), exitUsage, ".: isn't a run directory"},
		{"a file in the place of a run", arguments("--baseline", "page.md", "--run", "page.md"), exitUsage, "page.md: isn't a directory"},
		{"run.json is empty", after(rewrite("run/run.json", func(string) string { return "" })), exitUsage, "run.json"},
		{"run.json is cut", after(rewrite("run/run.json", firstHalf)), exitUsage, "run.json"},
		{"run.json of another schema", after(rewrite("run/run.json", replaced(fmt.Sprintf(`"schema": %d`, results.RunSchema), `"schema": 99`))), exitUsage, "has schema version 99"},
		{"run.json of no schema", after(rewrite("run/run.json", replaced(fmt.Sprintf(`"schema": %d`, results.RunSchema), `"schema": 0`))), exitUsage, "has no schema version"},
		{"run.json of a state unheard of", after(rewrite("run/run.json", replaced(`"finished"`, `"great"`))), exitUsage, `unknown status "great"`},
		{"no samples file", after(remove("run/samples.txt")), exitUsage, "samples.txt: has 0 of the"},
		{"an empty samples file", after(rewrite("run/samples.txt", func(string) string { return "" })), exitUsage, "samples.txt: has 0 of the"},
		{"samples that were cut", after(rewrite("run/samples.txt", firstHalf)), exitUsage, "samples.txt: has "},
		{"samples that somebody added to", after(rewrite("run/samples.txt", func(s string) string { return s + s })), exitUsage, "are no part of the run"},
		{"samples with a NaN", after(rewrite("run/samples.txt", replaced("1973 wire-B/device", " NaN wire-B/device"))), exitUsage, "samples.txt:"},
		{"samples with an infinity", after(rewrite("run/samples.txt", replaced("1973 wire-B/device", "+Inf wire-B/device"))), exitUsage, "samples.txt:"},
		{"a run without a sample", func(g *gateFiles) { g.records, g.run.Repetitions = nil, 0 }, exitInconclusive, "holds no samples"},
		{"a run that goes on, or was killed", func(g *gateFiles) { g.run.Status = results.StatusRunning }, exitInconclusive, "never ended"},
		{"an interrupted run", func(g *gateFiles) { g.run.Status = results.StatusInterrupted }, exitInconclusive, "was interrupted"},
		{"a run that failed", func(g *gateFiles) { g.run.Status = results.StatusFailed }, exitInconclusive, "the run failed"},
		{"an invalid run", func(g *gateFiles) { g.run.Valid, g.run.Invalid = false, []string{"no operation succeeded"} }, exitInvalid, "invalid: rollout: no operation succeeded"},
		{"an invalid run that doesn't say why", func(g *gateFiles) { g.run.Valid = false }, exitInvalid, "without a reason"},
		{"a fleet that didn't keep up", func(g *gateFiles) { g.run.Fleet.Saturated = true }, exitInvalid, "the fleet was the bottleneck"},
		{"a harness that didn't keep up", func(g *gateFiles) { g.run.Harness.Saturated = true }, exitInvalid, "the harness was the bottleneck"},
		{"a ledger that contradicts", func(g *gateFiles) { g.run.Counts.Updated, g.run.Counts.Lost = 49, 1 }, exitInvalid, "the ledger denies"},
		{"an update applied twice", func(g *gateFiles) { g.run.Counts.AppliedTwice = 1 }, exitInvalid, "applied an update twice"},
		{"devices that keep no ledger", func(g *gateFiles) { g.run.ClientsWordOnly = true }, exitInconclusive, "client's word only"},

		// The two together.
		{"another machine", other, exitInconclusive, "another machine: measure both sides here and now with `fleetmark gate --base GITREF`"},
		{"a machine without an identity", func(g *gateFiles) { g.run.Machine.Identity, g.base.Machine.Identity = "", "" }, exitInconclusive, "another machine"},
		{"a machine that is slower than it was", func(g *gateFiles) {
			g.base.Scenarios[0].Yardstick, g.run.Harness.Yardstick = &results.Yardstick{RoundTripNS: 1e4, Blocks: 9}, &results.Yardstick{RoundTripNS: 2e4, Blocks: 9}
		}, exitInconclusive, "2.00 times as slow as it was: measure both sides"},
		{"another workload", func(g *gateFiles) { g.run.WorkloadDigest = "bb" }, exitInconclusive, "another workload"},
		{"a workload that nobody named", func(g *gateFiles) { g.run.WorkloadDigest, g.base.Scenarios[0].WorkloadDigest = "", "" }, exitInconclusive, "another workload"},
		{"a scenario that the page lacks", func(g *gateFiles) {
			g.run.Scenario = "soak"
			for i := range g.records {
				g.records[i].Scenario = "soak"
			}
		}, exitInconclusive, "soak: the baseline doesn't have the scenario soak"},
		{"samples of another scenario than the run's", func(g *gateFiles) {
			for i := range g.records {
				g.records[i].Scenario = "soak"
			}
		}, exitRegressed, "missing now"},
		{"a metric that vanished", func(g *gateFiles) {
			for i := range g.records {
				g.records[i].Values = g.records[i].Values[1:]
			}
		}, exitRegressed, "ns/op is missing now"},
		{"an operation that vanished", func(g *gateFiles) {
			var kept []results.Record
			for _, r := range g.records {
				if r.Op != "push" {
					kept = append(kept, r)
				}
			}
			g.records = kept
		}, exitRegressed, "is missing now"},
		{"another unit", func(g *gateFiles) {
			g.each("ns/op", func(v *results.Value) { v.Unit, v.Value = "ms/op", v.Value/1e6 })
		}, exitRegressed, "ns/op is missing now"},
		{"no metric in common", func(g *gateFiles) {
			for i := range g.records {
				g.records[i].Values = []results.Value{{Unit: "widgets", Value: 1}}
			}
		}, exitRegressed, "is missing now"},
		{"a metric that this command doesn't know", func(g *gateFiles) {
			g.each("ns/op", func(v *results.Value) { v.Unit = "widgets" })
			g.base.Scenarios[0].Records = copied(g.records)
		}, exitInconclusive, "doesn't know the metric"},
		{"all zeros", func(g *gateFiles) { g.each("", func(v *results.Value) { v.Value = 0 }) }, exitInconclusive, "0 is no measurement"},
		{"all zeros on another machine, portable", func(g *gateFiles) {
			other(g)
			portable(g)
			g.each("", func(v *results.Value) { v.Value = 0 })
		}, exitInconclusive, "0 is no measurement"},
		{"one zero", func(g *gateFiles) { g.records[3].Values[0].Value = 0 }, exitInconclusive, "0 is no measurement"},
		{"one repetition of six", func(g *gateFiles) { g.records, g.run.Repetitions = g.records[:2], 1 }, exitInconclusive, "1 samples are too few"},
		{"repetitions that measured nothing", func(g *gateFiles) { g.records = g.records[2:] }, exitInconclusive, "only 5 of 6 repetitions measured it"},
		{"a threshold that failed", func(g *gateFiles) {
			g.run.Thresholds = []results.ThresholdOutcome{{Threshold: "ops/s > 1000/s", Op: "deliver", Unit: "ops/s", Value: 900, Samples: 6, Measured: true}}
		}, exitRegressed, "1 of 1 threshold failed"},

		// The command line.
		{"a scenario that no run is of", func(g *gateFiles) { g.args = append(g.args, "throughput") }, exitUsage, "--run run: is of the scenario rollout"},
		{"a scenario that there isn't", arguments("--baseline", "page.md", "rolout"), exitUsage, `scenario "rolout": no such scenario: did you mean rollout?`},
		{"a scenario that has changed since", arguments("--baseline", "page.md"), exitUsage, "scenario rollout isn't what page.md was measured with"},
		{"a scenario that isn't in the page", arguments("--baseline", "page.md", "throughput"), exitUsage, "page.md doesn't have the scenario throughput"},
		{"a page and a reference", func(g *gateFiles) { g.args = append(g.args, "--base", "HEAD") }, exitUsage, "--base and --baseline"},
		{"a reference and a finished run", arguments("--base", "HEAD", "--run", "run"), exitUsage, "--base and --run"},
		{"a field of a finished run", func(g *gateFiles) { g.args = append(g.args, "--set", "seed=2") }, exitUsage, "--run and --set"},
		{"no name of a run", arguments("--baseline", "page.md", "--run="), exitUsage, "--run: is empty"},
		{"no name of a page", arguments("--baseline=", "--run", "run"), exitUsage, "--baseline: is empty"},
		{"no reference", arguments("--base="), exitUsage, "--base: is empty"},
		{"a page that can't be written", func(g *gateFiles) { g.args = append(g.args, "--markdown", "nowhere/page.md") }, exitUsage, "--markdown nowhere/page.md: its directory can't be written"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGateFiles()
			c.change(g)
			dir := g.write(t)
			for _, form := range [][]string{nil, {"--json"}} {
				got := fleetmark(t, dir, nil, append(append([]string{"gate"}, g.args...), form...)...)
				require.Equal(t, c.code, got.code, got.stderr)
				require.NotZero(t, got.code)
				require.Contains(t, got.stderr, c.says)
				require.Equal(t, 1, strings.Count(got.stderr, "\n"), "one line, not %q", got.stderr)
				require.True(t, strings.HasPrefix(got.stderr, "fleetmark: "), got.stderr)
				switch {
				case c.code == exitUsage:
					require.Empty(t, got.stdout, "nothing was judged")
				case form == nil:
					require.Regexp(t, `(?m)^gate: (regressed|inconclusive|invalid)`, got.stdout)
				default:
					requireGateJSON(t, got.stdout, c.code)
				}
			}
			require.NoDirExists(t, filepath.Join(dir, "runs"), "nothing ran")
		})
	}
}

// requireGateJSON holds the object to its contract.
func requireGateJSON(t *testing.T, text string, code int) {
	t.Helper()
	require.Equal(t, 1, strings.Count(text, "\n"), "one object on one line")
	var o struct {
		Verdict   string
		Reason    string
		ExitCode  int `json:"exit_code"`
		Scenarios []struct{ Scenario, Verdict, Reason string }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &o))
	require.Equal(t, code, o.ExitCode)
	require.NotEmpty(t, o.Verdict)
	require.NotEmpty(t, o.Reason)
	require.NotEmpty(t, o.Scenarios)
	for _, s := range o.Scenarios {
		require.NotEmpty(t, s.Verdict)
		require.NotEmpty(t, s.Reason)
	}
}

// TestGatePasses: the table above would hold of a command that never passes.
func TestGatePasses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*gateFiles)
		says   string
	}{
		"unchanged":                 {func(*gateFiles) {}, "gate: pass"},
		"improved":                  {func(g *gateFiles) { g.each("requests/device", func(v *results.Value) { v.Value = 1 }) }, "gate: improved"},
		"another machine, portable": {func(g *gateFiles) { g.run.Machine.Identity = "f"; g.args = append(g.args, "--portable") }, "gate: pass"},
		"slower on another machine": {func(g *gateFiles) {
			g.run.Machine.Identity = "f"
			g.args = append(g.args, "--portable")
			g.each("ns/op", func(v *results.Value) { v.Value *= 9 })
		}, "gate: pass"},
		"the run is named by its scenario":   {func(g *gateFiles) { g.args = append(g.args, "rollout") }, "gate: pass"},
		"a run of before there were lengths": {func(g *gateFiles) { g.after = rewrite("run/run.json", replaced(`"lengths"`, `"of_old"`)) }, "gate: pass"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateFiles()
			c.change(g)
			dir := g.write(t)
			got := fleetmark(t, dir, nil, append([]string{"gate", "--markdown", "page-of-gate.md"}, g.args...)...)
			require.Equal(t, exitPass, got.code, got.stderr)
			require.Empty(t, got.stderr)
			require.Contains(t, got.stdout, c.says)
			page, err := os.ReadFile(filepath.Join(dir, "page-of-gate.md"))
			require.NoError(t, err)
			require.Contains(t, string(page), "**rollout: "+strings.TrimPrefix(c.says, "gate: ")+"**")
			require.Contains(t, string(page), "requests/device")
			got = fleetmark(t, dir, nil, append([]string{"gate", "--json"}, g.args...)...)
			require.Equal(t, exitPass, got.code, got.stderr)
			requireGateJSON(t, got.stdout, exitPass)
		})
	}
}

// TestGateOfOneMachineCatchesWhatIsPortableOnAnother: a regression of a count is one
// wherever it was measured.
func TestGateOfOneMachineCatchesWhatIsPortableOnAnother(t *testing.T) {
	for unit, more := range map[string]float64{"requests/device": 1, "wire-B/device": 1, "retries/device": 0.02, "failed/device": 0.02, "allocs/op": 1, "B/op": 64} {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()
			g := newGateFiles()
			g.run.Machine.Identity = "another"
			g.each(unit, func(v *results.Value) { v.Value += more })
			got := fleetmark(t, g.write(t), nil, append([]string{"gate"}, g.args...)...)
			require.Equal(t, exitRegressed, got.code, got.stderr)
			require.Contains(t, got.stderr, unit+" went from")
		})
	}
}

// TestGateInterrupted: whatever it was at, it says so in one line and judges nothing.
func TestGateInterrupted(t *testing.T) {
	dir := newGateFiles().write(t)
	t.Chdir(dir)
	for _, args := range [][]string{
		{"gate", "--baseline", "page.md", "--run", "run", "--markdown", "gate.md"},
		{"gate", "--baseline", "page.md"}, {"runs", "."},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stdout, stderr bytes.Buffer
		code := execute(ctx, args, console{in: strings.NewReader(""), out: &stdout, err: &stderr})
		require.Equal(t, exitInterrupted, code, stderr.String())
		require.Equal(t, "fleetmark: interrupted\n", stderr.String())
		require.Empty(t, stdout.String())
	}
	require.NoFileExists(t, "gate.md")
	require.NoDirExists(t, "runs")
}

// TestGateInterruptedInARun: what was measured is kept, and nothing is judged.
func TestGateInterruptedInARun(t *testing.T) {
	dir := t.TempDir()
	const long = "name: long\nfleet: {devices: 500}\nartifact: {size: 1KiB}\nrepetitions: 3\nwarmup: 0\nprofiled: 0\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "long.yaml"), []byte(long), 0o600))
	require.Equal(t, exitPass, fleetmark(t, dir, nil, "run", "long.yaml", "--out", "first", "--no-progress").code)
	require.Equal(t, exitPass, fleetmark(t, dir, nil, "baseline", "--from", only(t, dir, "first")).code)

	cmd, _ := command(t, "gate", "long.yaml", "--set", "repetitions=1000", "--no-progress", "--json", "--markdown", "gate.md")
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	eventually(t, "a repetition", func() bool {
		found, err := filepath.Glob(filepath.Join(dir, "runs", "*", results.SamplesFile))
		return err == nil && len(found) == 1
	})
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode())
	require.Empty(t, stdout.String())
	require.Regexp(t, `^fleetmark: interrupted: nothing is judged; what was measured is in runs/[^\n]*\n$`, stderr.String())
	require.NoFileExists(t, filepath.Join(dir, "gate.md"))
	got := fleetmark(t, dir, nil, "gate", "--run", only(t, dir, "runs"), "--portable")
	require.Equal(t, exitInconclusive, got.code)
	require.Contains(t, got.stderr, "was interrupted")
}
