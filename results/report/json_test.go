package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/htmlpage"
)

// compiled returns the schema, compiled by a validator that we didn't write. If strict is set, it
// allows only fields that the schema names, to show that it names all of them.
func compiled(t testing.TB, strict bool) *jsonschema.Schema {
	t.Helper()
	text := report.Schema()
	if strict {
		text = strings.ReplaceAll(text, `"additionalProperties": true`, `"additionalProperties": false`)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("report.json", document))
	s, err := c.Compile("report.json")
	require.NoError(t, err)
	require.Equal(t, 2020, s.DraftVersion)
	return s
}

func jsonOf(t testing.TB, s *report.Input) any {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.JSON(&b, documentOf(s)))
	document, err := jsonschema.UnmarshalJSON(&b)
	require.NoError(t, err)
	return document
}

func TestJSONKeepsItsSchema(t *testing.T) {
	for name, s := range inputs() {
		t.Run(name, func(t *testing.T) {
			document := jsonOf(t, s)
			if name == "another word" {
				require.Error(t, compiled(t, false).Validate(document), "the verdict isn't one of the five")
				return
			}
			require.NoError(t, compiled(t, true).Validate(document))
		})
	}
}

// TestJSONResultsKeepTheSchema checks that the results in the object of each mode are valid for the
// schema.
func TestJSONResultsKeepTheSchema(t *testing.T) {
	run := documentOf(wholeInput())
	run.Mode, run.ExitCode = report.ModeRun, 1
	turns := documentOf(gateInput())
	turns.Mode, turns.ABTest = report.ModeBase, &report.ABTest{Scenarios: []string{"throughput"}}
	gate := documentOf(wholeInput(), gateInput())
	gate.Mode, gate.Gate = report.ModeBaseline, &report.GateFacts{Baseline: "page.md"}
	for _, d := range []*report.Document{run, turns, gate} {
		var b bytes.Buffer
		require.NoError(t, report.JSON(&b, d))
		require.Equal(t, 1, strings.Count(b.String(), "\n"), "one line")
		object, err := jsonschema.UnmarshalJSON(&b)
		require.NoError(t, err)
		top := object.(map[string]any)
		require.Equal(t, string(d.Mode), top["mode"])
		require.EqualValues(t, "1", top["schema"])
		require.Contains(t, top, "exit_code")
		require.Len(t, top["results"], len(d.Results))
		for _, result := range top["results"].([]any) {
			require.NoError(t, compiled(t, true).Validate(result))
			row := result.(map[string]any)["rows"].([]any)[0].(map[string]any)
			require.Empty(t, row["now"].(map[string]any)["samples"])
		}
	}
}

func TestJSONSays(t *testing.T) {
	d := jsonOf(t, gateInput()).(map[string]any)
	require.Equal(t, "regressed", d["verdict"])
	base := d["base"].(map[string]any)
	require.Equal(t, "main", base["label"])
	require.Equal(t, "5d3d764", base["revision"])
	row := d["rows"].([]any)[0].(map[string]any)
	require.Equal(t, "lower", row["better"])
	require.Contains(t, row, "ratio")
	require.Len(t, row["base"].(map[string]any)["samples"], 12)
	whole := jsonOf(t, wholeInput()).(map[string]any)
	now := whole["now"].(map[string]any)
	require.Equal(t, map[string]any{"name": "rollout", "fleet": map[string]any{"devices": json.Number("10")}},
		now["run"].(map[string]any)["spec"])
	require.Equal(t, []any{map[string]any{"class": "integrity", "kept": json.Number("20")},
		map[string]any{"class": "timeout", "kept": json.Number("10")}}, now["failures"])
	require.Equal(t, "threshold failed", whole["headline"])
}

// TestPartialRepetition checks that every form shows a repetition that an interruption ended early,
// but not as rows, which could be judged.
func TestPartialRepetition(t *testing.T) {
	s := runInput(brokenOff(), nil)
	d := jsonOf(t, s).(map[string]any)
	require.Empty(t, d["verdict"])
	require.Empty(t, d["rows"])
	require.Empty(t, d["thresholds"])
	number := func(text string) json.Number { return json.Number(text) }
	require.Equal(t, map[string]any{
		"repetition": number("1"), "of": number("1"), "seconds": number("720"), "planned_seconds": number("1800"),
		"planned":   number("36000"),
		"succeeded": number("14395"), "failed": number("5"),
		"counts": map[string]any{"devices": number("10"), "updated": number("9"), "failed": number("1"),
			"lost": number("0"), "applied_twice": number("0")},
		"contradictions": []any{"device 3: it received <2> pushes"},
		"values": []any{
			map[string]any{"op": "push", "unit": "ops/s", "value": number("20")},
			map[string]any{"op": "push", "unit": "p99.9-ns/op", "value": number("9200000000"), "few_operations": number("8")},
			map[string]any{"op": "push", "unit": "failed/device", "value": number("0.02")},
		},
	}, d["now"].(map[string]any)["run"].(map[string]any)["partial"])

	html := func(w io.Writer, d *report.Document) error { return htmlpage.Write(w, d, "") }
	for name, render := range map[string]func(io.Writer, *report.Document) error{"markdown": report.Markdown,
		"html": html} {
		var page bytes.Buffer
		require.NoError(t, render(&page, documentOf(s)))
		text := page.String()
		for _, part := range []string{
			"Partial repetition", "no verdict, threshold or baseline uses them",
			"timed repetition 1 of 1 was broken off after 12m0s of 30m0s (40%): 14,395 operations succeeded, 5 failed",
			"10 devices, 9 updated, 1 failed, 0 lost, 0 applied twice, by the fleet",
			"device 3: it received " + map[string]string{"markdown": `\<2\>`, "html": "&lt;2&gt;"}[name] + " pushes",
			"9.20s (of 8)", "(of N): a percentile of so few operations says little",
		} {
			require.Contains(t, text, part, name)
		}
		for _, part := range []string{"worst of all", "processor, share of all cores", "every sample"} {
			require.NotContains(t, text, part, "%s: no repetition was completed", name)
		}
	}
}

// TestJSONReasons checks that reasons are codes with their parameters, and that an infinity becomes
// null.
func TestJSONReasons(t *testing.T) {
	in := gateInput()
	j := *in.Judgement
	j.Rows = slices.Clone(j.Rows[:3])
	j.Rows[0].Reason = judge.Reason{Code: judge.MayBeWorse, Value: math.Inf(1), Bound: 0.5, N: 12}
	j.Rows[1].Reason = judge.Reason{}
	j.Rows[2].Reason = judge.Reason{Code: judge.Interfered, Others: &results.Interference{OthersFraction: 0.5}}
	decided := j.Rows[0]
	j.Reasons = []judge.Reason{{Code: judge.WorstRow, Row: &decided, N: 1}}
	in.Judgement = &j

	d := jsonOf(t, in).(map[string]any)
	require.NoError(t, compiled(t, true).Validate(d))
	number := func(text string) json.Number { return json.Number(text) }
	require.Equal(t, []any{map[string]any{"code": "worst-row", "n": number("1"), "row": map[string]any{
		"scenario": decided.Scenario, "op": decided.Op, "unit": decided.Unit.Name,
	}}}, d["reasons"])
	rows := d["rows"].([]any)
	require.Equal(t, []any{map[string]any{"code": "may-be-worse", "value": nil, "bound": number("0.5"),
		"n": number("12")}},
		rows[0].(map[string]any)["reasons"])
	require.NotContains(t, rows[1], "reasons")
	require.Equal(t, []any{map[string]any{"code": "interfered", "others": map[string]any{
		"others_fraction": number("0.5"), "stolen_fraction": number("0"),
	}}}, rows[2].(map[string]any)["reasons"])
}

// TestJSONReasonsOfGate checks that the object of a gate has the reasons of its overall verdict.
func TestJSONReasonsOfGate(t *testing.T) {
	g := &judge.GateResult{
		Verdict: results.Inconclusive,
		Reasons: []judge.Reason{{Code: judge.WorstScenario, Name: "soak", N: 2}},
		Scenarios: []judge.ScenarioResult{{Scenario: "soak", Judgement: &judge.Judgement{
			Verdict: results.Inconclusive, Compared: results.Inconclusive,
			Reasons: []judge.Reason{{Code: judge.RunMissing, Name: "soak"}},
		}}},
	}
	var b bytes.Buffer
	require.NoError(t, report.JSON(&b, report.FromGate(g, nil, nil, report.GateFacts{})))
	require.Contains(t, b.String(), `"reasons":[{"code":"worst-scenario","n":2,"name":"soak"}],"scenarios":`)
	require.Contains(t, b.String(), `"reasons":[{"code":"run-missing","name":"soak"}]`)
}

// TestJSONSaysWhyLayoutsAreMissing checks layouts_error in both modes that measure in turns.
func TestJSONSaysWhyLayoutsAreMissing(t *testing.T) {
	for _, mode := range []report.Mode{report.ModeBase, report.ModeBench} {
		d := documentOf(gateInput())
		d.Mode, d.ABTest = mode, &report.ABTest{LayoutsErr: errors.New("the linker has no such flag")}
		var b bytes.Buffer
		require.NoError(t, report.JSON(&b, d))
		require.Contains(t, b.String(), `"layouts_error":"the linker has no such flag"`, mode)
	}
}

func TestSchemaRefuses(t *testing.T) {
	s := compiled(t, false)
	for _, name := range []string{"schema", "verdict", "now", "rows"} {
		d := jsonOf(t, gateInput()).(map[string]any)
		delete(d, name)
		require.Error(t, s.Validate(d), name)
	}
}
