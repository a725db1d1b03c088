package baselinepage

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/batch"
)

// suiteMeasurement runs the scenarios of the suite integration once, for the sections that show
// them.
type suiteMeasurement struct {
	rows  batch.Suite
	large *batch.Result // the result of the scenario large-payload
}

// measure runs the suite, or only the scenario large-payload if no other section needs the rest.
func (s *suiteMeasurement) measure(ctx context.Context, b *Builder) error {
	if s.rows != nil {
		return nil
	}
	name := largePayloadName
	if b.isSelected(integrationName) {
		name = integrationName
	}
	_, members, err := scenarios.ExpandSuite(name)
	if err != nil {
		return err
	}
	for _, spec := range members {
		run, err := b.options.Run(ctx, spec, b.content.subject.command("run", spec.Name))
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

// writeIntegration writes whether everything that an updater must do works, end to end.
func (s *suiteMeasurement) writeIntegration(w *baseline.SectionWriter, _ content) {
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

// writeLargePayload writes how fast a large artifact is delivered, and how much memory that takes.
func (s *suiteMeasurement) writeLargePayload(w *baseline.SectionWriter, _ content) {
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

// operations measures what each operation costs under load: in the scenarios that runs are compared
// with, and in throughput with the other operations.
type operations struct {
	extra []extraRun
}

// An extraRun is the scenario throughput with another operation.
type extraRun struct {
	label, command string
	operation      string
	records        []results.Record // nil before it is run
}

// extraRepetitions is how often an extra run repeats: enough for a median.
const extraRepetitions = 3

func (s Subject) extraRuns() (runs []extraRun) {
	for _, op := range []string{"verify", "deliver"} {
		command := s.command("run", throughputName, "--set", "load.operation="+op, "--repeat", strconv.Itoa(extraRepetitions))
		runs = append(runs, extraRun{label: "throughput of " + op, command: command, operation: op})
	}
	return runs
}

func (o *operations) measure(ctx context.Context, b *Builder) error {
	for _, e := range b.content.subject.extraRuns() {
		spec, err := scenarios.Find(throughputName)
		if err != nil {
			return err
		}
		if err := spec.Set("load.operation=" + e.operation); err != nil {
			return err
		}
		spec.Repetitions, spec.Profiled = extraRepetitions, 0
		run, err := b.runUsable(ctx, spec, e.command)
		if err != nil {
			return err
		}
		e.records = run.Records
		o.extra = append(o.extra, e)
	}
	return nil
}

func (o *operations) write(w *baseline.SectionWriter, c content) {
	named := map[string]bool{throughputName: len(o.extra) > 0}
	for _, s := range c.page.Scenarios {
		named[s.Name] = true
	}
	text := "Medians over the repetitions. "
	if named[throughputName] {
		text += "In throughput 64 workers push to, or ask, one device over connections that stay, 1 KiB each. "
	}
	if named[rolloutName] {
		text += "In rollout each of 5,000 devices gets 64 KiB over a connection of its own, once. "
	}
	w.Text("%s", text+"Bytes, allocations and processor time are those of the driver's process; of the push and the "+
		"verification within a delivery only the times are known.")
	units := []string{
		results.UnitRate, results.UnitP50, results.UnitP99, results.UnitBytes, results.UnitAllocations, results.UnitCPU,
		results.UnitPeakMemory,
	}
	var rows [][]string
	add := func(label string, records []results.Record) {
		medians := results.Medians(records)
		for _, op := range []string{"push", "verify", "deliver"} {
			values, ok := medians[op]
			if !ok {
				continue
			}
			n := 0
			for _, r := range records {
				if r.Op == op {
					n++
				}
			}
			row := append([]string{op, label}, figureCells(w, label+" "+op+" ", values, units)...)
			rows = append(rows, append(row, strconv.Itoa(n)))
		}
	}
	for _, s := range c.page.Scenarios {
		add(s.Name, s.Records)
	}
	var commands []string
	for _, r := range o.extra {
		add(r.label, r.records)
		commands = append(commands, r.command)
	}
	header := []string{"operation", "under", "ops/s", "p50", "p99", "B/op", "allocs/op", "cpu/op", "peak memory", "n"}
	w.Table("ll"+strings.Repeat("r", len(header)-2), header, rows)
	if len(commands) > 0 {
		w.Text("The scenarios that later runs are compared with are below, with every metric. The others were measured with")
		w.Commands(commands...)
	}
}
