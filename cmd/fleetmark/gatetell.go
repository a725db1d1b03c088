package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
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
func (f *gateFlags) tell(g *results.Gate, runs []*results.LoadedRun, c console) error {
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
	}
	if err := f.writeFiles(g, runs); err != nil {
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

// writeFiles writes the pages. A verdict that isn't where it was asked for isn't told.
func (f *gateFlags) writeFiles(g *results.Gate, runs []*results.LoadedRun) error {
	if f.markdown != "" {
		var page bytes.Buffer
		if err := writeGateMarkdown(&page, g, runs); err != nil {
			return err
		}
		if err := results.AtomicWriteFile(f.markdown, page.Bytes()); err != nil {
			return &exitError{exitUsage, fmt.Sprintf("--markdown %s: %v", f.markdown, err)}
		}
	}
	if f.junit != "" {
		return writeJUnit(f.junit, g, runs)
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

// writeGateMarkdown writes the verdict, and then each run's report.
func writeGateMarkdown(w *bytes.Buffer, g *results.Gate, runs []*results.LoadedRun) error {
	fmt.Fprintf(w, "# Gate: %s\n\n", g.Verdict)
	for _, s := range g.Scenarios {
		fmt.Fprintf(w, "- **%s** %s: %s\n", s.Verdict, plainMarkdown(s.Scenario), plainMarkdown(s.Reason))
	}
	for _, s := range g.Scenarios {
		for _, run := range runs {
			if s.Run == "" || run.Path != s.Run {
				continue
			}
			fmt.Fprintln(w)
			if err := report.Markdown(w, *run, s.Judgement); err != nil {
				return err
			}
		}
	}
	return nil
}

// plainMarkdown keeps text from being taken for markup; the names in it are words.
func plainMarkdown(s string) string {
	return strings.NewReplacer("<", "&lt;", "|", `\|`, "*", `\*`, "[", `\[`, "\n", " ").Replace(s)
}

// writeJUnit writes the gate for what reads JUnit XML: a suite a scenario, also one that no
// run is of.
func writeJUnit(path string, _ *results.Gate, _ []*results.LoadedRun) error {
	return &exitError{exitUsage, fmt.Sprintf("--junit %s: not built yet", path)}
}
