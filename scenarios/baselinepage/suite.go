package baselinepage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios"
)

// integrationName is the suite that the section of that name shows, and largePayloadName the scenario of
// it that has a section of its own.
const (
	integrationName  = "integration"
	largePayloadName = "large-payload"
)

// suiteMeasurement runs the scenarios of the suite integration once, for the sections that show them.
type suiteMeasurement struct {
	done  bool
	rows  []report.SuiteRow
	large *Run
}

// measure runs the suite, or only the scenario large-payload if nothing else of it is wanted.
func (s *suiteMeasurement) measure(ctx context.Context, b *Builder) error {
	if s.done {
		return nil
	}
	members := []string{largePayloadName}
	if b.wants(integrationName) {
		var err error
		if _, members, err = scenarios.Members(integrationName); err != nil {
			return err
		}
	}
	for _, name := range members {
		spec, err := scenarios.Find(name)
		if err != nil {
			return err
		}
		run, err := b.options.Run(ctx, spec, "fleetmark run "+name)
		if err != nil {
			return err
		}
		s.rows = append(s.rows, run.Row)
		if name == largePayloadName {
			s.large = run
		}
	}
	if s.large == nil && b.wants(largePayloadName) {
		return errors.New("the suite " + integrationName + " has no scenario " + largePayloadName)
	}
	s.done = true
	return nil
}

// integration says whether everything that an updater must do works, end to end.
type integration struct {
	heading
	fromMeasurement
	suite *suiteMeasurement
}

func (s *integration) measure(ctx context.Context, b *Builder) error { return s.suite.measure(ctx, b) }

func (s *integration) write(w *baseline.SectionWriter, _ content) {
	w.Text("Does everything that an updater must do work, end to end? The checks of the suite integration, against simulated devices whose ledger was asked:")
	var rows [][]string
	passed := 0
	var all time.Duration
	for _, r := range s.suite.rows {
		rows = append(rows, []string{r.Test, r.Result, r.Duration.Round(10 * time.Millisecond).String(), r.Notes})
		all += r.Duration
		if r.Passed {
			passed++
		}
	}
	w.Table("llrl", []string{"test", "result", "duration", "notes"}, rows)
	w.Command(fmt.Sprintf("%d of %d passed in %s, by", passed, len(s.suite.rows), all.Round(100*time.Millisecond)), "fleetmark run integration")
	w.Figure("passed", float64(passed))
	w.Figure("failed", float64(len(s.suite.rows)-passed))
}

// largePayload says how fast a large artifact is delivered, and what memory that takes.
type largePayload struct {
	heading
	fromMeasurement
	suite *suiteMeasurement
}

func (s *largePayload) measure(ctx context.Context, b *Builder) error { return s.suite.measure(ctx, b) }

func (s *largePayload) write(w *baseline.SectionWriter, _ content) {
	w.Text("How fast is a large artifact delivered, and does it take memory? 10 MB from a file to one device over a kept-alive connection, pushed, hashed by the device, and verified.")
	values := results.Medians(s.suite.large.Records)["deliver"]
	var row []string
	units := []string{"MB/s", "p50-ns/op", "p99-ns/op", "cpu-ns/op", "B/op", "allocs/op", "peak-rss-B"}
	for _, unit := range units {
		v, ok := values[unit]
		if !ok {
			row = append(row, "")
			continue
		}
		row = append(row, results.FormatValue(v, unit))
		w.Figure(unit, v)
	}
	w.Table("rrrrrrr", []string{"throughput", "p50", "p99", "cpu/op", "B/op", "allocs/op", "peak memory"}, [][]string{row})
	w.Command(fmt.Sprintf("Medians of %d repetitions of a second. Peak memory is the whole of the driver's process. Measured with", s.suite.large.Run.Repetitions), "fleetmark run "+largePayloadName)
}
