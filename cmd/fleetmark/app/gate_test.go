package app

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// TestGateNeverPassesWhatItCouldNotJudge tries every way in which a gate may be unable to judge.
// None exits 0, and each gives its reason in one line and in every report.
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
		{"no page", after(remove("page.md")), cli.ExitUsage, "page.md: can't be opened (no such file or directory)"},
		{"an empty page", after(rewrite("page.md", func(string) string { return "" })), cli.ExitUsage, "page.md:1: is empty"},
		{"a page of something else", after(rewrite("page.md", func(string) string { return "# Notes\n" })), cli.ExitUsage,
			"page.md:1: isn't a baseline page"},
		{"a page that is a directory", arguments("--baseline", ".", "--run", "run"), cli.ExitUsage, ".: can't be read"},
		{"a page that was cut", after(rewrite("page.md", firstHalf)), cli.ExitUsage, "cut short"},
		{"a page edited by hand", after(rewrite("page.md", replaced("1111111", "3333333"))), cli.ExitUsage,
			"was edited by hand"},
		{"a page of another schema", after(rewrite("page.md",
			replaced(fmt.Sprintf(`"schema": %d`, baseline.Schema), `"schema": 99`))), cli.ExitUsage, "has schema version 99"},
		{"a page with a NaN", after(rewrite("page.md", replaced("1973 wire-B/device", "NaN wire-B/device"))), cli.ExitUsage,
			"page.md:"},
		{"a page whose scenario nobody ran", func(g *gateFiles) {
			soak := baseline.Scenario{Name: "soak", WorkloadDigest: "bb", Command: "fleetmark run soak", Repetitions: 6}
			for _, r := range copied(g.records) {
				r.Scenario = "soak"
				soak.Records = append(soak.Records, r)
			}
			g.base.Scenarios = append(g.base.Scenarios, soak)
		}, cli.ExitInconclusive, "soak: the baseline has it, and no run of it was given"},
		{"a page that measured zero", func(g *gateFiles) { g.base.Scenarios[0].Records[0].Values[0].Value = 0 },
			cli.ExitInconclusive, "the baseline's 0 is no measurement"},

		// The run.
		{"no run", arguments("--baseline", "page.md", "--run", "missing"), cli.ExitUsage, "missing: no such run"},
		{"one of two runs is missing", arguments("--baseline", "page.md", "--run", "run", "--run", "missing"),
			cli.ExitUsage, "missing: no such run"},
		{"the same run twice", arguments("--baseline", "page.md", "--run", "run", "--run", "./run"), cli.ExitUsage,
			"--run ./run: is given twice"},
		{"a directory that is no run", arguments("--baseline", "page.md", "--run", "."), cli.ExitUsage,
			".: isn't a run directory"},
		{"a file in the place of a run", arguments("--baseline", "page.md", "--run", "page.md"), cli.ExitUsage,
			"page.md: isn't a directory"},
		{"run.json is empty", after(rewrite("run/run.json", func(string) string { return "" })), cli.ExitUsage, "run.json"},
		{"run.json is cut", after(rewrite("run/run.json", firstHalf)), cli.ExitUsage, "run.json"},
		{"run.json of another schema", after(rewrite("run/run.json",
			replaced(fmt.Sprintf(`"schema": %d`, results.RunSchema), `"schema": 99`))), cli.ExitUsage, "has schema version 99"},
		{"run.json of no schema", after(rewrite("run/run.json",
			replaced(fmt.Sprintf(`"schema": %d`, results.RunSchema), `"schema": 0`))), cli.ExitUsage, "has no schema version"},
		{"run.json of a state unheard of", after(rewrite("run/run.json", replaced(`"finished"`, `"great"`))), cli.ExitUsage,
			`unknown status "great"`},
		{"no samples file", after(remove("run/samples.txt")), cli.ExitUsage, "samples.txt: has 0 of the"},
		{"an empty samples file", after(rewrite("run/samples.txt", func(string) string { return "" })), cli.ExitUsage,
			"samples.txt: has 0 of the"},
		{"samples that were cut", after(rewrite("run/samples.txt", firstHalf)), cli.ExitUsage, "samples.txt: has "},
		{"samples that somebody added to", after(rewrite("run/samples.txt", func(s string) string { return s + s })),
			cli.ExitUsage, "are no part of the run"},
		{"samples with a NaN", after(rewrite("run/samples.txt", replaced("1973 wire-B/device", " NaN wire-B/device"))),
			cli.ExitUsage, "samples.txt:"},
		{"samples with an infinity", after(rewrite("run/samples.txt",
			replaced("1973 wire-B/device", "+Inf wire-B/device"))), cli.ExitUsage, "samples.txt:"},
		{"a run without a sample", func(g *gateFiles) { g.records, g.run.Repetitions = nil, 0 }, cli.ExitInconclusive,
			"holds no samples"},
		{"a run that goes on, or was killed", func(g *gateFiles) { g.run.Status = results.StatusRunning },
			cli.ExitInconclusive, "never ended"},
		{"an interrupted run", func(g *gateFiles) { g.run.Status = results.StatusInterrupted }, cli.ExitInconclusive,
			"was interrupted"},
		{"a run that failed", func(g *gateFiles) { g.run.Status = results.StatusFailed }, cli.ExitInconclusive,
			"the run failed"},
		{"an invalid run", func(g *gateFiles) { g.run.Valid, g.run.Invalid = false, []string{"no operation succeeded"} },
			cli.ExitInvalid, "invalid: rollout: no operation succeeded"},
		{"an invalid run that doesn't say why", func(g *gateFiles) { g.run.Valid = false }, cli.ExitInvalid,
			"without a reason"},
		{"a fleet that didn't keep up", func(g *gateFiles) { g.run.Fleet.Saturated = true }, cli.ExitInvalid,
			"the fleet was the bottleneck"},
		{"a harness that didn't keep up", func(g *gateFiles) { g.run.Harness.Saturated = true }, cli.ExitInvalid,
			"the harness was the bottleneck"},
		{"a ledger that contradicts", func(g *gateFiles) { g.run.Counts.Updated, g.run.Counts.Lost = 49, 1 },
			cli.ExitInvalid, "the ledger denies"},
		{"an update applied twice", func(g *gateFiles) { g.run.Counts.AppliedTwice = 1 }, cli.ExitInvalid,
			"applied an update twice"},
		{"devices that keep no ledger", func(g *gateFiles) { g.run.Unconfirmed = true }, cli.ExitInconclusive,
			"client's word only"},

		// The two together.
		{"another machine", other, cli.ExitInconclusive,
			"another machine: measure both sides here and now with `fleetmark gate --base GITREF`"},
		{"a machine without an identity", func(g *gateFiles) { g.run.Machine.Identity, g.base.Machine.Identity = "", "" },
			cli.ExitInconclusive, "another machine"},
		{"a machine that is slower than it was", func(g *gateFiles) {
			g.base.Scenarios[0].ReferenceSpeed, g.run.Harness.ReferenceSpeed = &results.ReferenceSpeed{RoundTripNS: 1e4,
				Blocks: 9}, &results.ReferenceSpeed{RoundTripNS: 2e4, Blocks: 9}
		}, cli.ExitInconclusive, "2.00 times as slow as it was: measure both sides"},
		{"another workload", func(g *gateFiles) { g.run.WorkloadDigest = "bb" }, cli.ExitInconclusive, "another workload"},
		{"a workload that nobody named", func(g *gateFiles) { g.run.WorkloadDigest, g.base.Scenarios[0].WorkloadDigest = "", "" }, cli.ExitInconclusive, "another workload"},
		{"a scenario that the page lacks", func(g *gateFiles) {
			g.run.Scenario = "soak"
			for i := range g.records {
				g.records[i].Scenario = "soak"
			}
		}, cli.ExitInconclusive, "soak: the baseline doesn't have the scenario soak"},
		{"samples of another scenario than the run's", func(g *gateFiles) {
			for i := range g.records {
				g.records[i].Scenario = "soak"
			}
		}, cli.ExitRegressed, "missing now"},
		{"a metric that vanished", func(g *gateFiles) {
			for i := range g.records {
				g.records[i].Values = g.records[i].Values[1:]
			}
		}, cli.ExitRegressed, "ns/op is missing now"},
		{"an operation that vanished", func(g *gateFiles) {
			var kept []results.Record
			for _, r := range g.records {
				if r.Op != "push" {
					kept = append(kept, r)
				}
			}
			g.records = kept
		}, cli.ExitRegressed, "is missing now"},
		{"another unit", func(g *gateFiles) {
			g.each("ns/op", func(v *results.Value) { v.Unit, v.Value = "ms/op", v.Value/1e6 })
		}, cli.ExitRegressed, "ns/op is missing now"},
		{"no metric in common", func(g *gateFiles) {
			for i := range g.records {
				g.records[i].Values = []results.Value{{Unit: "widgets", Value: 1}}
			}
		}, cli.ExitRegressed, "is missing now"},
		{"a metric that this command doesn't know", func(g *gateFiles) {
			g.each("ns/op", func(v *results.Value) { v.Unit = "widgets" })
			g.base.Scenarios[0].Records = copied(g.records)
		}, cli.ExitInconclusive, "doesn't know the metric"},
		{"all zeros", func(g *gateFiles) { g.each("", func(v *results.Value) { v.Value = 0 }) }, cli.ExitInconclusive,
			"0 is no measurement"},
		{"all zeros on another machine, portable", func(g *gateFiles) {
			other(g)
			portable(g)
			g.each("", func(v *results.Value) { v.Value = 0 })
		}, cli.ExitInconclusive, "0 is no measurement"},
		{"one zero", func(g *gateFiles) { g.records[3].Values[0].Value = 0 }, cli.ExitInconclusive, "0 is no measurement"},
		{"one repetition of six", func(g *gateFiles) { g.records, g.run.Repetitions = g.records[:2], 1 },
			cli.ExitInconclusive, "1 samples are too few"},
		{"repetitions that measured nothing", func(g *gateFiles) { g.records = g.records[2:] }, cli.ExitInconclusive,
			"only 5 of 6 repetitions measured it"},
		{"a threshold that failed", func(g *gateFiles) {
			g.run.Thresholds = []results.ThresholdOutcome{{Threshold: "ops/s > 1000/s", Op: "deliver", Unit: "ops/s",
				Value: 900, Samples: 6, Measured: true}}
		}, cli.ExitRegressed, "1 of 1 threshold failed"},

		// What was asked for.
		{"a scenario that no run is of", func(g *gateFiles) { g.args = append(g.args, "throughput") }, cli.ExitUsage,
			"--run run: is of the scenario rollout"},
		{"a scenario that there isn't", arguments("--baseline", "page.md", "rolout"), cli.ExitUsage,
			`scenario "rolout": no such scenario: did you mean rollout?`},
		{"a scenario that has changed since", arguments("--baseline", "page.md"), cli.ExitUsage,
			"scenario rollout isn't what page.md was measured with"},
		{"a scenario that isn't in the page", arguments("--baseline", "page.md", "throughput"), cli.ExitUsage,
			"page.md doesn't have the scenario throughput"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGateFiles()
			c.change(g)
			dir := g.write(t)
			for _, form := range [][]string{nil, {"--json"}} {
				args := append([]string{"gate", "--markdown", "gate.md", "--junit", "gate.xml"}, g.args...)
				got := fleetmark(t, dir, nil, append(args, form...)...)
				require.Equal(t, c.code, got.code, got.stderr)
				require.NotZero(t, got.code)
				require.Contains(t, got.stderr, c.says)
				require.Equal(t, 1, strings.Count(got.stderr, "\n"), "one line, not %q", got.stderr)
				require.True(t, strings.HasPrefix(got.stderr, "fleetmark: "), got.stderr)
				switch {
				case c.code == cli.ExitUsage && form == nil:
					require.Empty(t, got.stdout, "nothing was judged")
				case c.code == cli.ExitUsage:
					requireEnding(t, got.stdout, "baseline", c.code, c.says)
				case form == nil:
					require.Regexp(t, `(?m)^gate: (regressed|inconclusive|invalid)`, got.stdout)
				default:
					requireGateJSON(t, got.stdout, c.code)
				}
				requireReports(t, dir, c.code, c.says)
			}
			require.NoDirExists(t, filepath.Join(dir, "runs"), "nothing ran")
		})
	}
}

// TestGateRefusesFlags checks that flags which contradict each other, are empty, or name a file
// that can't be written are refused in one line. No report is written then, since its file may be
// the one that is wrong.
func TestGateRefusesFlags(t *testing.T) {
	dir := newGateFiles().write(t)
	finished := []string{"--baseline", "page.md", "--run", "run"}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"a page and a reference":         {append([]string{"--base", "HEAD"}, finished...), "--base and --baseline"},
		"a reference and a finished run": {[]string{"--base", "HEAD", "--run", "run"}, "--base and --run"},
		"a field of a finished run":      {append([]string{"--set", "seed=2"}, finished...), "--run and --set"},
		"no name of a run":               {[]string{"--baseline", "page.md", "--run="}, "--run: is empty"},
		"no name of a page":              {[]string{"--baseline=", "--run", "run"}, "--baseline: is empty"},
		"no reference":                   {[]string{"--base="}, "--base: is empty"},
		"a page that can't be written": {append([]string{"--html", "nowhere/page.html"}, finished...),
			"--html nowhere/page.html: its directory can't be written"},
		"layouts of a page": {append([]string{"--layout-budget", "1m"}, finished...),
			"--layout-budget: only --base links both sides again: leave it out"},
		"layouts of a finished run": {[]string{"--run", "run", "--layout-budget", "0"},
			"--layout-budget: only --base links both sides again: leave it out"},
		"layouts for less than no time": {[]string{"--base", "HEAD", "--layout-budget", "-1s"},
			"--layout-budget -1s: want 0 to 24h"},
		"layouts for days": {[]string{"--base", "HEAD", "--layout-budget", "24h1s"},
			"--layout-budget 24h0m1s: want 0 to 24h"},
		"layouts for no time": {[]string{"--base", "HEAD", "--layout-budget", "soon"},
			`invalid argument "soon" for "--layout-budget"`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, form := range [][]string{nil, {"--json"}} {
				args := append([]string{"gate", "--markdown", "gate.md", "--junit", "gate.xml"}, c.args...)
				got := fleetmark(t, dir, nil, append(args, form...)...)
				require.Equal(t, cli.ExitUsage, got.code, got.stderr)
				require.True(t, strings.HasPrefix(got.stderr, "fleetmark: "), got.stderr)
				require.Contains(t, got.stderr, c.says)
				require.Equal(t, 1, strings.Count(got.stderr, "\n"), "one line, not %q", got.stderr)
				require.Empty(t, got.stdout)
			}
			require.NoFileExists(t, filepath.Join(dir, "gate.md"))
			require.NoFileExists(t, filepath.Join(dir, "gate.xml"))
			require.NoDirExists(t, filepath.Join(dir, "runs"))
		})
	}
}

// requireEnding checks the object of a gate that judged nothing.
func requireEnding(t *testing.T, text, mode string, code int, reason string) {
	t.Helper()
	require.Equal(t, 1, strings.Count(text, "\n"), "one object on one line")
	var o struct {
		Mode, Verdict, Reason string
		ExitCode              int `json:"exit_code"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &o))
	require.Equal(t, mode, o.Mode)
	require.Equal(t, "invalid", o.Verdict)
	require.Contains(t, o.Reason, reason)
	require.Equal(t, code, o.ExitCode)
}

// requireReports checks that gate.md and gate.xml hold the verdict of an exit code, with the reason
// if nothing was judged, and removes them.
func requireReports(t *testing.T, dir string, code int, reason string) {
	t.Helper()
	verdict := map[int]string{
		cli.ExitRegressed: "regressed", cli.ExitUsage: "invalid", cli.ExitInconclusive: "inconclusive",
		cli.ExitInvalid: "invalid", cli.ExitInterrupted: "invalid",
	}[code]
	markdown, err := os.ReadFile(filepath.Join(dir, "gate.md"))
	require.NoError(t, err)
	page := html.UnescapeString(strings.ReplaceAll(string(markdown), `\`, ""))
	require.Contains(t, page, ": "+verdict)
	text, err := os.ReadFile(filepath.Join(dir, "gate.xml"))
	require.NoError(t, err)
	type message struct {
		Message string `xml:"message,attr"`
	}
	var suites struct {
		Cases []struct {
			Name    string   `xml:"name,attr"`
			Skipped *message `xml:"skipped"`
			Error   *message `xml:"error"`
			Failure *message `xml:"failure"`
		} `xml:"testsuite>testcase"`
	}
	require.NoError(t, xml.Unmarshal(text, &suites))
	var told []string
	for _, c := range suites.Cases {
		said := map[string]*message{"regressed": c.Failure, "invalid": c.Error, "inconclusive": c.Skipped}[verdict]
		if c.Name == "verdict" && said != nil {
			told = append(told, said.Message)
		}
	}
	require.NotEmpty(t, told, "%s", text)
	if code == cli.ExitUsage || code == cli.ExitInterrupted {
		require.Contains(t, page, reason)
		require.Contains(t, told[0], reason)
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "gate.md")))
	require.NoError(t, os.Remove(filepath.Join(dir, "gate.xml")))
}

// requireGateJSON checks the object of a gate that judged.
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

// TestGatePasses checks that a gate can pass at all: a gate that never passed would pass the tests
// above, too.
func TestGatePasses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*gateFiles)
		says   string
	}{
		"unchanged": {func(*gateFiles) {}, "gate: pass"},
		"improved": {func(g *gateFiles) {
			g.each("requests/device",
				func(v *results.Value) { v.Value = 1 })
		}, "gate: improved"},
		"another machine, portable": {func(g *gateFiles) {
			g.run.Machine.Identity = "f"
			g.args = append(g.args,
				"--portable")
		}, "gate: pass"},
		"slower on another machine": {func(g *gateFiles) {
			g.run.Machine.Identity = "f"
			g.args = append(g.args, "--portable")
			g.each("ns/op", func(v *results.Value) { v.Value *= 9 })
		}, "gate: pass"},
		"the run is named by its scenario": {func(g *gateFiles) { g.args = append(g.args, "rollout") }, "gate: pass"},
		"a run of before there were lengths": {func(g *gateFiles) {
			g.after = rewrite("run/run.json",
				replaced(`"lengths"`, `"of_old"`))
		}, "gate: pass"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateFiles()
			c.change(g)
			dir := g.write(t)
			got := fleetmark(t, dir, nil, append([]string{"gate", "--markdown", "page-of-gate.md"}, g.args...)...)
			require.Equal(t, cli.ExitPass, got.code, got.stderr)
			require.Empty(t, got.stderr)
			require.Contains(t, got.stdout, c.says)
			page, err := os.ReadFile(filepath.Join(dir, "page-of-gate.md"))
			require.NoError(t, err)
			require.Contains(t, string(page), "**rollout: "+strings.TrimPrefix(c.says, "gate: ")+"**")
			require.Contains(t, string(page), "requests/device")
			got = fleetmark(t, dir, nil, append([]string{"gate", "--json"}, g.args...)...)
			require.Equal(t, cli.ExitPass, got.code, got.stderr)
			requireGateJSON(t, got.stdout, cli.ExitPass)
		})
	}
}

// TestGateOfOneMachineCatchesWhatIsPortableOnAnother checks that a count that got worse is a
// regression even if the baseline was measured on another machine.
func TestGateOfOneMachineCatchesWhatIsPortableOnAnother(t *testing.T) {
	for unit, more := range map[string]float64{"requests/device": 1, "wire-B/device": 1, "retries/device": 0.02,
		"failed/device": 0.02, "allocs/op": 1, "B/op": 64} {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()
			g := newGateFiles()
			g.run.Machine.Identity = "another"
			g.each(unit, func(v *results.Value) { v.Value += more })
			got := fleetmark(t, g.write(t), nil, append([]string{"gate"}, g.args...)...)
			require.Equal(t, cli.ExitRegressed, got.code, got.stderr)
			require.Contains(t, got.stderr, unit+" went from")
		})
	}
}

// TestGateInterrupted checks that a gate which is interrupted, at whatever moment, says so in one
// line and in every report, and judges nothing.
func TestGateInterrupted(t *testing.T) {
	dir := newGateFiles().write(t)
	t.Chdir(dir)
	reports := []string{"--markdown", "gate.md", "--junit", "gate.xml"}
	for _, args := range [][]string{
		append([]string{"gate", "--baseline", "page.md", "--run", "run"}, reports...),
		append([]string{"gate", "--baseline", "page.md"}, reports...),
		{"runs", "."},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stdout, stderr bytes.Buffer
		code := execute(ctx, cli.Console{Args: args, In: strings.NewReader(""), Out: &stdout, Err: &stderr})
		require.Equal(t, cli.ExitInterrupted, code, stderr.String())
		require.Equal(t, "fleetmark: interrupted\n", stderr.String())
		require.Empty(t, stdout.String())
		if args[0] == "gate" {
			requireReports(t, dir, cli.ExitInterrupted, "interrupted: nothing is judged")
		}
	}
	require.NoDirExists(t, "runs")
}

// TestGateInterruptedInARun checks that the run's measurements are kept, that every report says
// where, and that nothing is judged.
func TestGateInterruptedInARun(t *testing.T) {
	dir := t.TempDir()
	const long = "name: long\nfleet: {devices: 500}\nartifact: {size: 1KiB}\nrepetitions: 3\nwarmup: 0\nprofiled: 0\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "long.yaml"), []byte(long), 0o600))
	require.Equal(t, cli.ExitPass, fleetmark(t, dir, nil, "run", "long.yaml", "--out", "first", "--no-progress").code)
	require.Equal(t, cli.ExitPass, fleetmark(t, dir, nil, "baseline", "--from", only(t, dir, "first")).code)

	cmd, _ := command(t, "gate", "long.yaml", "--set", "repetitions=1000", "--no-progress", "--json", "--markdown",
		"gate.md", "--junit", "gate.xml")
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	eventually(t, "a repetition", func() bool {
		found, err := filepath.Glob(filepath.Join(dir, "runs", "*", rundir.SamplesFile))
		return err == nil && len(found) == 1
	})
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, cli.ExitInterrupted, cmd.ProcessState.ExitCode())
	require.Regexp(t, `^fleetmark: interrupted: nothing is judged; what was measured is in runs/[^\n]*\n$`,
		stderr.String())
	const reason = "interrupted: nothing is judged; what was measured is in runs/"
	requireEnding(t, stdout.String(), "baseline", cli.ExitInterrupted, reason)
	requireReports(t, dir, cli.ExitInterrupted, reason)
	got := fleetmark(t, dir, nil, "gate", "--run", only(t, dir, "runs"), "--portable")
	require.Equal(t, cli.ExitInconclusive, got.code)
	require.Contains(t, got.stderr, "was interrupted")
}
