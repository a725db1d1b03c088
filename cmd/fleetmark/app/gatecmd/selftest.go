package gatecmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// judgeItself runs the gate on sides that are the same and on sides of which one is made worse, and
// shows how often it was right.
func (g *gate) judgeItself(ctx context.Context, names []string) error {
	o, err := g.turns(names)
	if err != nil {
		return err
	}
	o.Sides = versus.Sides{Base: o.FleetCommand[0], Now: o.FleetCommand[0]}
	view := progress.NewLine(g.Err, g.quiet)
	o.Progress = view.Progress
	cases := versus.Cases(g.tries)
	all, n := 0, 0
	for _, k := range cases {
		all += k.Runs
	}
	view.Prefix = fmt.Sprintf("run 1 of %d: ", all)
	tried, err := versus.SelfTest(ctx, o, cases, func(k versus.Case, out *versus.Outcome) {
		n++
		view.Println(fmt.Sprintf("%s: %s after %d pairs, %.0f s",
			k.Name, out.Judgement.Verdict, out.Pairs, out.Elapsed.Seconds()))
		view.Prefix = fmt.Sprintf("run %d of %d: ", n+1, all)
	})
	view.Close()
	if n == 0 && err != nil {
		return err
	}
	err = errors.Join(g.showCases(tried), err)
	if problems := versus.Problems(tried); problems != nil {
		err = errors.Join(err, cli.VerdictError(results.Invalid, "self-test: "+strings.Join(problems, "; ")))
	}
	return err
}

// caseJSON is a row of what `gate --self-test --json` prints.
type caseJSON struct {
	Case      string                  `json:"case"`
	Worse     bool                    `json:"worse"`
	Runs      int                     `json:"runs"`
	Verdicts  map[results.Verdict]int `json:"verdicts"`
	Regressed float64                 `json:"regressed"` // share of the runs
	Low       float64                 `json:"low"`       // of its 95% interval
	High      float64                 `json:"high"`
	Seconds   []float64               `json:"seconds"`
	Measured  []float64               `json:"measured_push_cpu"` // relative change of a push's processor time
}

// showCases prints how often the gate was right.
func (g *gate) showCases(tried []versus.CaseResult) error {
	var page bytes.Buffer
	var rows []caseJSON
	t := texttable.Table{
		Header: []string{
			"planted", "runs", "verdicts", "called regressed (95%)", "median time", "push cpu-ns/op found",
		},
		Align:    "lrllll",
		Fold:     []texttable.Fold{{Cut: 1, End: true}, {Rank: 2}, {Rank: 1}, {}, {Rank: 3}, {Rank: 4}},
		Ruleless: true,
	}
	for _, k := range tried {
		rate, low, high := k.Rate()
		rows = append(rows, caseJSON{
			k.Name, k.Worse(), len(k.Pairs), k.Verdicts, rate, low, high, k.Seconds, k.Measured,
		})
		if len(k.Seconds) == 0 {
			continue
		}
		found := ""
		if len(k.Measured) > 0 {
			found = fmt.Sprintf("%+.1f%% (median)", 100*upperMedian(k.Measured))
		}
		t.Rows = append(t.Rows, []string{
			k.Name, strconv.Itoa(len(k.Pairs)), verdictsText(k.Verdicts),
			fmt.Sprintf("%.0f%% (%.0f%% to %.0f%%)", 100*rate, 100*low, 100*high),
			fmt.Sprintf("%.0f s", upperMedian(k.Seconds)), found,
		})
	}
	if err := cli.TableStyle(g.Out).Write(&page, t); err != nil {
		return err
	}
	if g.json {
		page.Reset()
		object := map[string]any{"stated_false_alarms": versus.FalseAlarmRate, "cases": rows}
		if err := json.NewEncoder(&page).Encode(object); err != nil {
			return err
		}
	}
	_, err := g.Out.Write(page.Bytes())
	return err
}

// upperMedian returns the median of values; of an even number, the larger of the two in the middle.
func upperMedian(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// verdictsText returns text such as "1 regressed, 9 pass".
func verdictsText(counts map[results.Verdict]int) string {
	var list []string
	for _, v := range []results.Verdict{
		results.Regressed, results.Improved, results.Pass, results.Inconclusive, results.Invalid,
	} {
		if n := counts[v]; n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, v))
		}
	}
	return strings.Join(list, ", ")
}
