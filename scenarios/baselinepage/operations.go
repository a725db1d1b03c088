package baselinepage

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/scenarios"
)

// operations says what each operation costs under load: in the scenarios that runs are compared
// with, and in throughput with the other operations.
type operations struct {
	heading
	fromMeasurement
	extra []extraRun
}

// An extraRun is the scenario throughput with another operation.
type extraRun struct {
	label, command string
	operation      scenarios.Operation
	records        []results.Record // once it was run
}

// extraRepetitions is how often an extra run repeats: enough for a median.
const extraRepetitions = 3

func extraRuns() (runs []extraRun) {
	for _, op := range []scenarios.Operation{scenarios.Verify, scenarios.Deliver} {
		command := fmt.Sprintf("fleetmark run throughput --set load.operation=%s --repeat %d", op, extraRepetitions)
		runs = append(runs, extraRun{label: "throughput of " + string(op), command: command, operation: op})
	}
	return runs
}

func (o *operations) measure(ctx context.Context, b *Builder) error {
	for _, e := range extraRuns() {
		spec, err := scenarios.Find("throughput")
		if err != nil {
			return err
		}
		spec.Load.Operation, spec.Repetitions, spec.Profiled = e.operation, extraRepetitions, 0
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
	w.Text("Medians over the repetitions. In throughput 64 workers push to, or ask, one device over connections " +
		"that stay, 1 KiB each; in rollout each of 5,000 devices gets 64 KiB over a connection of its own, once. " +
		"Bytes, allocations and processor time are those of the driver's process; of the push and the " +
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
		w.Text("The scenarios rollout and throughput are below, with every metric. The others were measured with")
		w.Commands(commands...)
	}
}
