package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// operationRuns are repetitions for the table of operations that no later run is held
// against.
type operationRuns struct {
	what, command string
	records       []results.Record
}

// writeOperations is the table of what each operation costs.
func writeOperations(w *results.SectionWriter, f *findings) {
	w.Text("Medians over the repetitions. In throughput 64 workers push to, or ask, one device over connections that stay, 1 KiB each; in " +
		"rollout each of 5,000 devices gets 64 KiB over a connection of its own, once. Bytes, allocations and processor time are those of the " +
		"driver's process; of the push and the verification within a delivery only the times are known.")
	header := []string{"operation", "under", "ops/s", "p50", "p99", "B/op", "allocs/op", "cpu/op", "peak memory", "n"}
	var rows [][]string
	units := []string{"ops/s", "p50-ns/op", "p99-ns/op", "B/op", "allocs/op", "cpu-ns/op", "peak-rss-B"}
	add := func(what string, records []results.Record) {
		medians := results.Medians(records)
		for _, op := range []string{"push", "verify", "deliver"} {
			values, ok := medians[op]
			if !ok {
				continue
			}
			row := []string{op, what}
			for _, unit := range units {
				cell := ""
				if v, ok := values[unit]; ok {
					cell = results.FormatValue(v, unit)
					w.Figure(what+" "+op+" "+unit, v)
				}
				row = append(row, cell)
			}
			n := 0
			for _, r := range records {
				if r.Op == op {
					n++
				}
			}
			rows = append(rows, append(row, strconv.Itoa(n)))
		}
	}
	for _, s := range f.page.Scenarios {
		add(s.Name, s.Records)
	}
	for _, r := range f.extra {
		add(r.what, r.records)
	}
	w.Table("llrrrrrrrr", header, rows)
	if len(f.extra) > 0 {
		w.Text("The scenarios rollout and throughput are below, with every metric. The others were measured with")
		var commands []string
		for _, r := range f.extra {
			commands = append(commands, r.command)
		}
		w.Commands(commands...)
	}
}

// writeIntegration is the table of the suite.
func writeIntegration(w *results.SectionWriter, f *findings) {
	w.Text("Does everything that an updater must do work, end to end? The checks of the suite integration, against simulated devices whose ledger was asked:")
	var rows [][]string
	passed := 0
	var all time.Duration
	for _, r := range f.suite {
		rows = append(rows, []string{r.Test, r.Result, r.Duration.Round(10 * time.Millisecond).String(), r.Notes})
		all += r.Duration
		if r.Passed {
			passed++
		}
	}
	w.Table("llrl", []string{"test", "result", "duration", "notes"}, rows)
	w.Command(fmt.Sprintf("%d of %d passed in %s, by", passed, len(f.suite), all.Round(100*time.Millisecond)), "fleetmark run integration")
	w.Figure("passed", float64(passed))
	w.Figure("failed", float64(len(f.suite)-passed))
}

// largePayload is the suite's scenario that the section of that name is about.
const largePayload = "large-payload"

func writeLarge(w *results.SectionWriter, f *findings) {
	w.Text("How fast is a large artifact delivered, and does it take memory? 10 MB from a file to one device over a kept-alive connection, pushed, hashed by the device, and verified.")
	values := results.Medians(f.large.Records)["deliver"]
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
	w.Command(fmt.Sprintf("Medians of %d repetitions of a second. Peak memory is the whole of the driver's process. Measured with", f.large.Run.Repetitions), "fleetmark run "+largePayload)
}

// sizeText is such as 10 MB.
func sizeText(bytes int64) string {
	return fmt.Sprintf("%s MB", strconv.FormatFloat(float64(bytes)/1e6, 'f', -1, 64))
}
