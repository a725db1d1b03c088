package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// suite collects what became of a suite's scenarios, for one table instead of one each.
type suite struct {
	name string
	rows []results.SuiteRow
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
				return nil, nil, &exitError{exitUsage, fmt.Sprintf("%s is a suite: run it alone", name)}
			}
			of = &suite{name: suiteName}
		}
		all = append(all, members...)
	}
	return all, of, nil
}

// add takes a scenario that came to its end.
func (s *suite) add(m *measured, code int) {
	result := map[int]string{exitPass: "passed", exitRegressed: "failed", exitInconclusive: "inconclusive", exitInvalid: "invalid"}[code]
	s.rows = append(s.rows, results.SuiteRow{
		Test: m.Run.Scenario, Result: result, Passed: code == exitPass,
		Duration: m.Run.Finished.Sub(m.Run.Started), Notes: m.note(),
	})
}

// note is what a line has room for: why it failed, or what was measured.
func (m *measured) note() string {
	run := m.Run
	switch summary := results.ThresholdSummary(run.Thresholds); {
	case len(run.Invalid) > 0:
		return run.Invalid[0]
	case summary != "":
		return summary
	case m.judgement.Verdict == results.Regressed || m.judgement.Verdict == results.Inconclusive:
		return m.judgement.Reason
	}
	c := run.Counts
	parts := []string{fmt.Sprintf("%s of %s devices updated", grouped(int64(c.Updated)), grouped(int64(c.Devices)))}
	if c.Failed > 0 {
		parts = append(parts, grouped(int64(c.Failed))+" failed")
	}
	medians := results.Medians(m.Records)
	for _, op := range []string{"deliver", "push", "verify"} {
		of, ok := medians[op]
		if _, whole := of["ops/s"]; !ok || !whole {
			continue
		}
		for _, shown := range []struct{ unit, name string }{{"p50-ns/op", "p50 "}, {"MB/s", ""}, {"retries/device", "retries a device "}, {"failed-p99-ns/op", "failures within "}} {
			v, ok := of[shown.unit]
			if ok && (v != 0 || shown.unit == "p50-ns/op") {
				parts = append(parts, shown.name+results.FormatValue(v, shown.unit))
			}
		}
		break
	}
	return strings.Join(parts, ", ")
}

// show prints the table.
func (s *suite) show(c console) error {
	var page bytes.Buffer
	passed := 0
	var all time.Duration
	for _, r := range s.rows {
		all += r.Duration
		if r.Passed {
			passed++
		}
	}
	if err := results.WriteSuite(&page, s.rows, tableOptions(c.out)); err != nil {
		return err
	}
	fmt.Fprintf(&page, "\n%s: %d of %d passed in %s\n", s.name, passed, len(s.rows), all.Round(100*time.Millisecond))
	_, err := c.out.Write(page.Bytes())
	return err
}
