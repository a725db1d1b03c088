package app

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios"
)

// suite collects what became of a suite's scenarios, for one table instead of one each.
type suite struct {
	name string
	rows report.Suite
}

// expand puts a suite's scenarios in the place of its name.
func expand(names []string) (all []string, of *suite, err error) {
	for _, name := range names {
		suiteName, members, err := scenarios.Members(name)
		if err != nil {
			return nil, nil, err
		}
		if suiteName != "" {
			if of != nil || len(names) > 1 {
				return nil, nil, cli.Usagef("%s is a suite: run it alone", name)
			}
			of = &suite{name: suiteName}
		}
		all = append(all, members...)
	}
	return all, of, nil
}

// add adds a scenario that came to its end.
func (s *suite) add(m *measured) { s.rows = append(s.rows, m.suiteRow()) }

// suiteRow returns the run's row in the table of a suite.
func (m *measured) suiteRow() report.SuiteRow {
	result := "passed"
	switch v := m.judgement.Verdict; v {
	case results.Regressed:
		result = "failed"
	case results.Inconclusive, results.Invalid:
		result = string(v)
	}
	return report.SuiteRow{
		Test: m.Run.Scenario, Result: result, Passed: result == "passed",
		Duration: m.Run.Finished.Sub(m.Run.Started), Notes: m.note(),
	}
}

// note is what a line has room for: why it failed, or what was measured.
func (m *measured) note() string {
	run := m.Run
	switch summary := results.ThresholdSummary(run.Thresholds); {
	case len(run.Invalid) > 0:
		return run.Invalid[0]
	case summary != "":
		return summary
	case len(results.UndecidedThresholds(run.Thresholds)) > 0:
		return results.UndecidedSummary(run.Thresholds)
	case m.judgement.Compared == results.Regressed || m.judgement.Compared == results.Inconclusive:
		return report.ComparedSentence(m.judgement)
	}
	c := run.Counts
	parts := []string{fmt.Sprintf("%s of %s devices updated", plaintext.Thousands(c.Updated), plaintext.Thousands(c.Devices))}
	if c.Failed > 0 {
		parts = append(parts, plaintext.Thousands(c.Failed)+" failed")
	}
	medians := results.Medians(m.Records)
	for _, op := range []string{"deliver", "push", "verify"} {
		of, ok := medians[op]
		if _, whole := of[results.UnitRate]; !ok || !whole {
			continue
		}
		for _, shown := range []struct{ unit, name string }{{results.UnitP50, "p50 "}, {results.UnitThroughput, ""}, {results.UnitRetries, "retries a device "}, {results.UnitFailedP99, "failures within "}} {
			v, ok := of[shown.unit]
			if ok && (v != 0 || shown.unit == results.UnitP50) {
				parts = append(parts, shown.name+results.FormatValue(v, shown.unit))
			}
		}
		break
	}
	return strings.Join(parts, ", ")
}

// show prints the table.
func (s *suite) show(c cli.Console) error {
	var page bytes.Buffer
	if err := s.rows.Write(&page, cli.TableStyle(c.Out)); err != nil {
		return err
	}
	passed, took := s.rows.Totals()
	fmt.Fprintf(&page, "\n%s: %d of %d passed in %s\n", s.name, passed, len(s.rows), took.Round(100*time.Millisecond))
	_, err := c.Out.Write(page.Bytes())
	return err
}
