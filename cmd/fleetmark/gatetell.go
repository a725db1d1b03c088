package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/fleetmark/fleetmark/results"
)

// gateJSON is the object that `gate --baseline --json` prints, a contract with scripts.
type gateJSON struct {
	results.Gate
	ExitCode int    `json:"exit_code"`
	Portable bool   `json:"portable"` // only portable metrics were asked for
	Baseline string `json:"baseline"`
}

// tell shows what the gate came to, writes the files, and gives the exit code as an
// error, whose text is the one line that a log needs.
func (f *gateFlags) tell(g *results.Gate, base *results.Baseline, runs []*results.LoadedRun, c console) error {
	code := codeOfVerdict(g.Verdict, true)
	var page bytes.Buffer
	if f.json {
		line, err := json.Marshal(gateJSON{Gate: *g, ExitCode: code, Portable: f.portable, Baseline: f.baseline})
		if err != nil {
			return err
		}
		page.Write(append(line, '\n'))
	} else {
		if err := writeGateText(&page, g, tableOptions(c.out)); err != nil {
			return err
		}
		if g.Verdict == results.Regressed && base.Revision != "" {
			fmt.Fprintf(&page, "\nwhich function it is: fleetmark gate --base %.12s\n", base.Revision)
		}
	}
	if err := f.writeReports(subjectsOf(g, base, runs), c); err != nil {
		return err
	}
	if _, err := c.out.Write(page.Bytes()); err != nil {
		return err
	}
	if code != exitPass {
		return &exitError{code, fmt.Sprintf("%s: %s", g.Verdict, g.Reason)}
	}
	return nil
}

// writeGateText writes a table a scenario, and a line a scenario where there are several.
func writeGateText(w *bytes.Buffer, g *results.Gate, o results.TableOptions) error {
	for _, s := range g.Scenarios {
		if s.Run == "" {
			fmt.Fprintf(w, "scenario %s\n\n%s: %s\n\n", s.Scenario, s.Verdict, s.Reason)
			continue
		}
		fmt.Fprintf(w, "scenario %s, run %s\n\n", s.Scenario, s.Run)
		if len(s.Thresholds) > 0 {
			if err := results.WriteThresholds(w, s.Thresholds, o); err != nil {
				return err
			}
			fmt.Fprintln(w)
		}
		if err := s.Judgement.WriteTable(w, o); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "gate: %s", g.Verdict)
	if len(g.Scenarios) > 1 {
		fmt.Fprintf(w, ": %s", g.Reason)
	}
	fmt.Fprintln(w)
	return nil
}
