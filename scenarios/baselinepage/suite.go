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
	"github.com/fleetmark/fleetmark/scenarios/batch"
)

// suiteMeasurement runs the scenarios of the suite integration once, for the sections that show
// them. Those embed it.
type suiteMeasurement struct {
	fromMeasurement
	rows  report.Suite
	large *batch.Result // of the scenario large-payload
}

// measure runs the suite, or only the scenario large-payload if nothing else of it is wanted.
func (s *suiteMeasurement) measure(ctx context.Context, b *Builder) error {
	if s.rows != nil {
		return nil
	}
	name := largePayloadName
	if b.isSelected(integrationName) {
		name = integrationName
	}
	_, members, err := scenarios.Members(name)
	if err != nil {
		return err
	}
	for _, spec := range members {
		run, err := b.options.Run(ctx, spec, "fleetmark run "+spec.Name)
		if err != nil {
			return err
		}
		s.rows = append(s.rows, run.SuiteRow())
		if spec.Name == largePayloadName {
			s.large = run
		}
	}
	if s.large == nil && b.isSelected(largePayloadName) {
		return errors.New("the suite " + integrationName + " has no scenario " + largePayloadName)
	}
	return nil
}

// integration says whether everything that an updater must do works, end to end.
type integration struct {
	heading
	*suiteMeasurement
}

func (s *integration) write(w *baseline.SectionWriter, _ content) {
	w.Text("Does everything that an updater must do work, end to end? The checks of the suite integration, " +
		"against simulated devices whose ledger was asked:")
	table := s.rows.Table()
	w.Table(table.Align, table.Header, table.Rows)
	passed, took := s.rows.Totals()
	w.Command(fmt.Sprintf("%d of %d passed in %s, by", passed, len(s.rows), took.Round(100*time.Millisecond)),
		"fleetmark run integration")
	w.Figure("passed", float64(passed))
	w.Figure("failed", float64(len(s.rows)-passed))
}

// largePayload says how fast a large artifact is delivered, and what memory that takes.
type largePayload struct {
	heading
	*suiteMeasurement
}

func (s *largePayload) write(w *baseline.SectionWriter, _ content) {
	w.Text("How fast is a large artifact delivered, and does it take memory? 10 MB from a file to one device " +
		"over a kept-alive connection, pushed, hashed by the device, and verified.")
	row := figureCells(w, "", results.Medians(s.large.Records)["deliver"], []string{
		results.UnitThroughput, results.UnitP50, results.UnitP99, results.UnitCPU, results.UnitBytes,
		results.UnitAllocations, results.UnitPeakMemory,
	})
	w.Table("rrrrrrr", []string{"throughput", "p50", "p99", "cpu/op", "B/op", "allocs/op", "peak memory"},
		[][]string{row})
	text := fmt.Sprintf("Medians of %d repetitions of a second. Peak memory is the whole of the driver's process. "+
		"Measured with", s.large.Run.Repetitions)
	w.Command(text, "fleetmark run "+largePayloadName)
}
