package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/docpage"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// mergedDocument returns the document of a merged run in testdata, changed by change.
func mergedDocument(t testing.TB, mode report.Mode, name string, change func(*results.Run)) *report.Document {
	t.Helper()
	run, err := rundir.Load(filepath.Join("testdata", name))
	require.NoError(t, err)
	require.Empty(t, run.Warnings)
	change(&run.Run)
	return report.New(mode, report.Input{
		Scenario: run.Scenario, Judgement: judge.Judge(nil, run.Run, run.Records, judge.Policy{}), Now: report.RunSide(*run),
	})
}

func asItIs(*results.Run) {}

// TestAgents compares what every form says of the agents of a merged run with a file that a person
// has read.
func TestAgents(t *testing.T) {
	for _, name := range []string{"merged", "lost"} {
		t.Run(name, func(t *testing.T) {
			var page, terminal, narrow bytes.Buffer
			require.NoError(t, report.Markdown(&page, mergedDocument(t, report.ModeReport, name, asItIs)))
			run := mergedDocument(t, report.ModeRun, name, asItIs)
			require.NoError(t, report.Terminal(&terminal, run, report.Style{Style: texttable.Style{}}))
			require.NoError(t, report.Terminal(&narrow, run, report.Style{Style: texttable.Style{Width: 60}}))
			golden := filepath.Join("testdata", name+".golden")
			got := "== markdown\n" + page.String() + "== terminal\n" + terminal.String() + "== 60 columns\n" + narrow.String()
			if os.Getenv(docpage.Update) != "" {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
			for line := range strings.Lines(narrow.String()) {
				if strings.Contains(line, "│") {
					require.LessOrEqual(t, texttable.Width(strings.TrimSpace(line)), 60)
				}
			}
		})
	}
}

// TestAgents_named checks the sentences, whose figures stand in testdata.
func TestAgents_named(t *testing.T) {
	for name, want := range map[string][]string{
		"merged": {
			"Agent c is off: its p99 is 95.0ms, the others' median 30.0ms.",
			"The agents began within 400µs of each other, in the worst of 2 repetitions (timed 2); " +
				"their clocks are known to 100µs.",
		},
		"lost": {
			"Agent c was lost in timed repetition 2 at 03:04:46 UTC, 3.21s after its last heartbeat.",
			"3 agents were stopped early: agent c was lost.",
		},
	} {
		d := mergedDocument(t, report.ModeReport, name, asItIs)
		require.Subset(t, d.Results[0].Agents(20).Sentences, want)
		page := htmlOf(t, d)
		for _, sentence := range want {
			require.Contains(t, page, strings.ReplaceAll(sentence, "'", "&#39;"))
		}
	}
	merged := htmlOf(t, mergedDocument(t, report.ModeReport, "merged", asItIs))
	require.Contains(t, merged, `<td class="regressed n">✗ 95.0ms</td>`)
	require.Contains(t, merged, "c 95.0ms, off: the others 30.0ms", "the drawing is described in words")
	require.Contains(t, htmlOf(t, mergedDocument(t, report.ModeReport, "lost", asItIs)), "✗ lost in timed 2, 3.21s silent")
}

// TestAgents_many checks that the forms are bounded, and say what they leave out.
func TestAgents_many(t *testing.T) {
	many := func(run *results.Run) {
		list := run.Agents.List
		for i := len(list); i < 1000; i++ {
			a := list[0]
			a.Name, a.Index = fmt.Sprintf("agent-%d", i), i
			list = append(list, a)
		}
		run.Agents.Count, run.Agents.List = len(list), list
	}
	d := mergedDocument(t, report.ModeReport, "merged", many)
	var page bytes.Buffer
	require.NoError(t, report.Markdown(&page, d))
	require.Contains(t, page.String(), "of 1,000 agents are left out")
	require.Contains(t, page.String(), "**95.0ms**")
	require.Less(t, strings.Count(page.String(), "\n| agent-"), 20)
	html := htmlOf(t, d)
	require.Contains(t, html, "<summary>500 of 1,000 agents</summary>")
	require.Contains(t, html, `<th scope="row">agent-499</th>`)
	require.NotContains(t, html, `<th scope="row">agent-500</th>`)
	requireBalanced(t, html)
}

// TestAgents_oneProcess checks that nothing is said of agents of a run of one process.
func TestAgents_oneProcess(t *testing.T) {
	d := mergedDocument(t, report.ModeRun, "merged", func(run *results.Run) { run.Agents = nil })
	var text, page, object bytes.Buffer
	require.NoError(t, report.Terminal(&text, d, report.Style{}))
	require.NoError(t, report.Markdown(&page, d))
	require.NoError(t, report.JSON(&object, d))
	require.NotContains(t, text.String()+page.String(), "each agent")
	require.NotContains(t, object.String(), `"agents_off"`)
	require.NotContains(t, htmlOf(t, d), `id="agents"`)
}

func TestAgents_json(t *testing.T) {
	for _, name := range []string{"merged", "lost"} {
		var text bytes.Buffer
		require.NoError(t, report.JSON(&text, mergedDocument(t, report.ModeRun, name, asItIs)))
		var object struct {
			Agents *results.Agents    `json:"agents"`
			Off    []results.AgentOff `json:"agents_off"`
		}
		require.NoError(t, json.Unmarshal(text.Bytes(), &object))
		run, err := rundir.Load(filepath.Join("testdata", name))
		require.NoError(t, err)
		require.Equal(t, run.Agents, object.Agents)
		if name == "merged" {
			require.Equal(t, []results.AgentOff{{Name: "c", Index: 2, Reasons: []results.OffReason{
				{Measure: results.MeasureP99, Value: 95e6, Others: 30e6},
			}}}, object.Off)
		}
		text.Reset()
		require.NoError(t, report.JSON(&text, mergedDocument(t, report.ModeReport, name, asItIs)))
		var value any
		require.NoError(t, json.Unmarshal(text.Bytes(), &value))
		require.NoError(t, compiled(t, true).Validate(value), "the schema has every field")
	}
}

// TestAgents_hostile checks that names from other machines can't control a terminal or a page.
func TestAgents_hostile(t *testing.T) {
	const evil = "\x1b[2J<script>alert(1)</script>|**x**\n# x"
	hostile := func(run *results.Run) {
		for i := range run.Agents.List {
			a := &run.Agents.List[i]
			a.Name, a.Status, a.Problem, a.Role = fmt.Sprint(evil, i), results.AgentStatus(evil), evil, results.AgentRole(evil)
			a.Lost = &results.AgentLoss{Phase: evil}
		}
		run.Agents.Starts = []results.StartSkew{{Phase: evil}, {Phase: evil}}
	}
	d := mergedDocument(t, report.ModeRun, "merged", hostile)
	var text, page bytes.Buffer
	require.NoError(t, report.Terminal(&text, d, report.Style{}))
	require.NoError(t, report.Markdown(&page, d))
	require.NotContains(t, text.String()+page.String(), "\x1b")
	require.Equal(t, strings.Count(page.String(), "<script"), strings.Count(page.String(), `\<script`), "each is escaped")
	require.NotContains(t, page.String(), "\n# x")
	require.NotContains(t, htmlOf(t, d), "<script")
}
