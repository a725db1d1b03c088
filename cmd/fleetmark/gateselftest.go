package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// selfTest tries the gate on sides that are the same, and on ones of which one has been made worse,
// and shows how often it was right.
func gateSelfTest(cmd *cobra.Command, f *gateFlags, names []string, c console) error {
	t, ctx, asJSON := f.turns(names), cmd.Context(), f.json
	o, err := t.options(c)
	if err != nil {
		return err
	}
	o.Sides = versus.Sides{Base: o.FleetCommand[0], Now: o.FleetCommand[0]}
	view := newGateView(c, f.quiet)
	o.Progress = view.progress
	cases := versus.Cases(f.tries)
	all, n := 0, 0
	for _, k := range cases {
		all += k.Runs
	}
	view.prefix = fmt.Sprintf("run 1 of %d: ", all)
	tried, err := versus.SelfTest(ctx, o, cases, func(k versus.Case, out *versus.Outcome) {
		n++
		view.say(fmt.Sprintf("%s: %s after %d pairs, %.0f s", k.Name, out.Judgement.Verdict, out.Pairs, out.Elapsed.Seconds()))
		view.prefix = fmt.Sprintf("run %d of %d: ", n+1, all)
	})
	view.end()
	if n == 0 && err != nil {
		return err
	}
	return errors.Join(showTried(tried, asJSON, c), err, verdictOf(tried))
}

// verdictOf is what a self-test as a whole comes to: a false alarm beyond the stated rate, or something
// without noise that wasn't found, is a gate that can't be relied on here.
func verdictOf(tried []versus.Tried) error {
	var wrong []string
	for _, k := range tried {
		rate, low, _ := k.Rate()
		switch {
		case len(k.Pairs) == 0:
		case !k.Worse() && low > statedFalseAlarms:
			wrong = append(wrong, fmt.Sprintf("%.0f%% of runs without any change were called regressed", 100*rate))
		case k.Slower == 0 && k.Worse() && rate < 1:
			wrong = append(wrong, fmt.Sprintf("%s was missed in %.0f%% of runs", k.Name, 100-100*rate))
		}
	}
	if wrong == nil {
		return nil
	}
	return &exitError{exitInvalid, "self-test: " + strings.Join(wrong, "; ")}
}

// statedFalseAlarms is the chance that a run without any change is called regressed.
const statedFalseAlarms = 0.01

// triedJSON is a row of what `gate --self-test --json` prints.
type triedJSON struct {
	Case      string                  `json:"case"`
	Worse     bool                    `json:"worse"`
	Runs      int                     `json:"runs"`
	Verdicts  map[results.Verdict]int `json:"verdicts"`
	Regressed float64                 `json:"regressed"` // share of the runs
	Low       float64                 `json:"low"`       // of its 95% interval
	High      float64                 `json:"high"`
	Seconds   []float64               `json:"seconds"`
	Measured  []float64               `json:"measured_push_cpu"` // by how much a push's processor time was found to differ
}

func showTried(tried []versus.Tried, asJSON bool, c console) error {
	var page bytes.Buffer
	var rows []triedJSON
	fmt.Fprintf(&page, "%-26s %5s  %-34s  %-24s %-12s %s\n", "planted", "runs", "verdicts", "called regressed (95%)", "median time", "push cpu-ns/op found")
	for _, k := range tried {
		rate, low, high := k.Rate()
		rows = append(rows, triedJSON{k.Name, k.Worse(), len(k.Pairs), k.Verdicts, rate, low, high, k.Seconds, k.Measured})
		if len(k.Seconds) == 0 {
			continue
		}
		found := ""
		if len(k.Measured) > 0 {
			found = fmt.Sprintf("%+.1f%% (median)", 100*middle(k.Measured))
		}
		fmt.Fprintf(&page, "%-26s %5d  %-34s  %-24s %-12s %s\n", k.Name, len(k.Pairs), verdictsText(k.Verdicts),
			fmt.Sprintf("%.0f%% (%.0f%% to %.0f%%)", 100*rate, 100*low, 100*high), fmt.Sprintf("%.0f s", middle(k.Seconds)), found)
	}
	if asJSON {
		page.Reset()
		if err := json.NewEncoder(&page).Encode(map[string]any{"stated_false_alarms": statedFalseAlarms, "cases": rows}); err != nil {
			return err
		}
	}
	_, err := c.out.Write(page.Bytes())
	return err
}

func middle(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

func verdictsText(counts map[results.Verdict]int) string {
	var list []string
	for _, v := range []results.Verdict{results.Regressed, results.Improved, results.Pass, results.Inconclusive, results.Invalid} {
		if n := counts[v]; n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, v))
		}
	}
	return strings.Join(list, ", ")
}
