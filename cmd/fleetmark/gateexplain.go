package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// A cause is why a metric regressed, and where the profiles and the pages are that show it.
type cause struct {
	scenario string
	kind     profiles.Kind
	dir      string
	flame    string // empty: noFlame says why
	noFlame  error
	*profiles.Explanation
}

// A question is what a regression leaves open: where in a scenario the time, or the memory, went.
type question struct {
	spec   scenarios.Spec
	kind   profiles.Kind
	sample string // the number to explain; empty: the kind's own choice

	longer float64 // of waits: ns that an operation takes longer, where known
}

// questions are at most one a kind: the first regressed row's scenario, for the others would be told the
// same. What costs more requests costs more time, too.
func questions(j *results.Judgement, specs []scenarios.Spec) []question {
	var list []question
	ask := func(scenario string, q question) {
		at := slices.IndexFunc(specs, func(s scenarios.Spec) bool { return s.Name == scenario })
		if at < 0 || slices.ContainsFunc(list, func(o question) bool { return o.kind == q.kind }) {
			return
		}
		q.spec = specs[at]
		list = append(list, q)
	}
	for _, row := range j.Rows {
		if row.Verdict != results.Regressed {
			continue
		}
		switch u, _ := results.LookupUnit(row.Unit); {
		case row.Unit == "allocs/op":
			ask(row.Scenario, question{kind: profiles.Allocs, sample: "alloc_objects"})
		case u.Class == results.ClassAllocation:
			ask(row.Scenario, question{kind: profiles.Allocs})
		case u.Class == results.ClassMemory:
			// No profile of a push says what stays.
		case u.Class == results.ClassRate && slices.ContainsFunc(j.Rows, func(r results.JudgedRow) bool {
			return r.Scenario == row.Scenario && r.Op == row.Op && r.Unit == "ns/op" && r.Verdict == results.Regressed
		}):
			// The time says the same, and more.
		case u.Class == results.ClassTime:
			waits, works := waitsOrWorks(j, row)
			if waits { // first: it is the larger part
				q := question{kind: profiles.Block}
				if row.Unit == "ns/op" && row.Baseline != nil && row.Ratio != nil {
					q.longer = row.Baseline.Median * (row.Ratio.Estimate - 1)
				}
				ask(row.Scenario, q)
			}
			if works {
				ask(row.Scenario, question{kind: profiles.CPU})
			}
		default:
			ask(row.Scenario, question{kind: profiles.CPU})
		}
	}
	return list
}

// waitsOrWorks says what a time that regressed may be made of. Where the processor's is known to be what it was, no
// function works more. Then, and where the time grew by over a tenth beyond the processor's, somebody waits:
// for a lock, or for another goroutine.
func waitsOrWorks(j *results.Judgement, row results.JudgedRow) (waits, works bool) {
	const beyond = 1.1
	at := slices.IndexFunc(j.Rows, func(r results.JudgedRow) bool {
		return r.Scenario == row.Scenario && r.Op == row.Op && r.Unit == "cpu-ns/op"
	})
	if at < 0 || row.Ratio == nil || j.Rows[at].Ratio == nil {
		return false, true
	}
	processor := j.Rows[at]
	if processor.Verdict == results.Pass || processor.Verdict == results.Improved {
		return true, false
	}
	return row.Ratio.Estimate > beyond*processor.Ratio.Estimate, true
}

// explain profiles both sides by turns, and says which functions made the difference. It leaves a
// directory with the profiles, the flame graphs and what it says. A question that can't be answered is an error
// beside the causes that others found.
func (t turns) explain(ctx context.Context, o versus.Options, j *results.Judgement, out string, view *gateView) (causes []cause, unable error) {
	dir := filepath.Join(out, time.Now().UTC().Format("20060102T150405Z")+"-gate-explained")
	for _, q := range questions(j, o.Specs) {
		c, err := q.answer(ctx, o, filepath.Join(dir, string(q.kind)), view)
		if ctx.Err() != nil {
			return causes, errors.Join(unable, errors.New("interrupted"))
		}
		if err != nil {
			unable = errors.Join(unable, fmt.Errorf("%s of %s: %w", q.kind, q.spec.Name, err))
		}
		if c.Explanation != nil { // it is known also where its files can't be written
			causes = append(causes, c)
		}
	}
	return causes, unable
}

// answer takes the profiles, and explains them.
func (q question) answer(ctx context.Context, o versus.Options, dir string, view *gateView) (cause, error) {
	told := time.Now()
	view.say(fmt.Sprintf("profiling %s for %s, both sides by turns", q.spec.Name, q.kind))
	c := cause{scenario: q.spec.Name, kind: q.kind, dir: dir}
	var within []string
	if q.kind == profiles.Block { // else it is mostly the harness, which waits for the next thing to do
		within = deliveryFunctions()
	}
	e, err := versus.Explain(ctx, versus.ExplainOptions{
		Sides: o.Sides, Spec: q.spec, FleetCommand: o.FleetCommand, Dir: dir, Kind: q.kind, SampleIndex: q.sample, Own: ownFunctions(), Within: within, Seed: o.Seed,
		Stderr: o.Stderr, Plant: o.Plant,
		Progress: func(done, of int) {
			if time.Since(told) >= gateLineEvery || done == of {
				told = time.Now()
				view.say(fmt.Sprintf("%d of %d pairs of profiles", done, of))
			}
		},
	})
	if q.kind == profiles.Block && errors.Is(err, profiles.ErrNothingWithin) {
		return c, errors.New("nobody waits for anybody in the delivery package: a sleep, or an answer that comes late, is in no profile")
	}
	if err != nil {
		return c, err
	}
	c.Explanation = e.Explanation
	if waits := e.Total.Delta; waits < q.longer/2 { // else it is said by the numbers
		e.Notes = append(e.Notes, fmt.Sprintf("an operation takes %s longer, of which these waits are %.0f%%: the rest is work, its turn at a processor, a sleep or a device's late answer, and the last two are in no profile",
			results.FormatValue(q.longer, "ns/op"), 100*max(0, waits)/q.longer))
	}
	return c, c.write(ctx, e.BaseFiles, e.NowFiles, profiles.FlameOptions{
		Title:       fmt.Sprintf("%s of %s: now, less base", c.kind, c.scenario),
		Note:        "Of a million operations of either side: 1s is a microsecond an operation, 1MB a byte. Red is more, green less.",
		SampleIndex: q.sample, Within: within,
	})
}

// write puts what is known beside the profiles.
func (c *cause) write(ctx context.Context, base, now []string, o profiles.FlameOptions) error {
	var text, page bytes.Buffer
	if err := c.WriteText(&text); err != nil {
		return err
	}
	data, err := json.MarshalIndent(c.Explanation, "", "  ")
	if err != nil {
		return err
	}
	err = errors.Join(
		results.AtomicWriteFile(filepath.Join(c.dir, "explain.txt"), text.Bytes()),
		results.AtomicWriteFile(filepath.Join(c.dir, "explain.json"), append(data, '\n')))
	if err != nil {
		return err
	}
	if c.noFlame = profiles.Flame(ctx, &page, base, now, o); c.noFlame != nil {
		// pprof's pages want a home directory, which a container may lack. The cause is known without them.
		return ctx.Err()
	}
	c.flame = filepath.Join(c.dir, "flame.html")
	return results.AtomicWriteFile(c.flame, page.Bytes())
}

// text is what is printed below a verdict.
func (c *cause) text() (string, error) {
	var t strings.Builder
	fmt.Fprintf(&t, "\nwhy (%s, profiles of kind %s):\n", c.scenario, c.kind)
	if err := c.WriteText(&t); err != nil {
		return "", err
	}
	if c.noFlame != nil {
		fmt.Fprintf(&t, "no flame graph of the difference: %v\n", c.noFlame)
	} else {
		fmt.Fprintf(&t, "flame graph of the difference: %s\n", c.flame)
	}
	return t.String(), nil
}

// writeCauses writes what is known of a regression's causes below its verdict.
func writeCauses(w *bytes.Buffer, causes []cause, unable error) error {
	for _, k := range causes {
		text, err := k.text()
		if err != nil {
			return err
		}
		w.WriteString(text)
	}
	if unable != nil {
		fmt.Fprintf(w, "\nthe cause could not be looked for: %v\n", unable)
	}
	return nil
}

// addCauses puts them into a report.
func addCauses(s *report.Subject, causes []cause, unable error) {
	for _, k := range causes {
		s.Causes = append(s.Causes, report.Cause{Scenario: k.scenario, Kind: string(k.kind), Explanation: k.Explanation})
		s.Notes = append(s.Notes, fmt.Sprintf("profiles of kind %s and their flame graph: %s", k.kind, k.dir))
	}
	if unable != nil {
		s.Notes = append(s.Notes, fmt.Sprintf("the cause could not be looked for: %v", unable))
	}
}

// causeJSON is a cause in the object that a gate prints, a contract with scripts.
type causeJSON struct {
	Scenario string `json:"scenario"`
	Kind     string `json:"kind"`
	Dir      string `json:"dir"`                   // with the profiles
	Flame    string `json:"flame,omitempty"`       // the page of their difference
	NoFlame  string `json:"flame_error,omitempty"` // why there is none
	*profiles.Explanation
}

func causesJSON(causes []cause) (all []causeJSON) {
	for _, k := range causes {
		j := causeJSON{Scenario: k.scenario, Kind: string(k.kind), Dir: k.dir, Flame: k.flame, Explanation: k.Explanation}
		if k.noFlame != nil {
			j.NoFlame = k.noFlame.Error()
		}
		all = append(all, j)
	}
	return all
}
