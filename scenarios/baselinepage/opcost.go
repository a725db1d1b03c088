package baselinepage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
	"github.com/fleetmark/fleetmark/scenarios/opcost"
)

// opcostMeasurement measures what single operations cost, once and in a process of its own, for all
// sections that show it.
type opcostMeasurement struct {
	report *opcost.Report // nil before the measurement
}

// try finds out whether the program drives the client that single operations are measured of.
func (o *opcostMeasurement) try(_ context.Context, b *Builder) error {
	if client := b.content.subject.Client; client != "" {
		return &skippedError{"it looks into the client of package delivery, and this program drives " + client}
	}
	return nil
}

func (o *opcostMeasurement) measure(ctx context.Context, b *Builder) (err error) {
	if o.report != nil {
		return nil
	}
	o.report, err = opcost.Run(ctx, b.options.OpcostCommand, opcost.Config{
		Time: b.isSelected(timeName), Allocations: b.isSelected(allocationsName), Streaming: b.isSelected(streamingName),
		Operations: b.options.Operations, Sizes: []int64{1e6, 10e6, 100e6},
		Components: opcost.DeliveryComponents(),
	}, b.options.Log)
	return err
}

// opcostCommand is the command with which a reader can repeat an opcostMeasurement.
const opcostCommand = "fleetmark baseline --sections time,allocations,streaming --file NEW.md"

// rowCells returns the first cells of the row of a variant of an operation.
func rowCells(v opcost.Variant) []string {
	return []string{string(v.Op), string(v.Transport), v.Connection()}
}

// rowName returns the name of a row in figures, such as "push lean kept-alive".
func rowName(v opcost.Variant) string { return strings.Join(rowCells(v), " ") }

// writeTime writes how long each phase of an operation takes.
func (o *opcostMeasurement) writeTime(w *baseline.SectionWriter, _ content) {
	phases := o.report.Phases
	w.Text("One operation at a time against devices in another process on this machine, its phases by the "+
		"client's own timeline (Config.Observe): medians of %s operations each, of %d bytes. "+
		"Kept-alive: all to one device over one connection. New: each to a device that the client has not seen, "+
		"over a connection of its own. Medians of parts need not add up to that of the whole. "+
		"Stamping costs some 0.1 µs a phase; over nethttp a write that an answer overtook counts until the answer.",
		plaintext.Thousands(phases[0].N), o.report.ArtifactBytes)
	phaseNames := []string{"prepare", "connect", "write", "wait", "read", "whole"}
	var rows [][]string
	for _, p := range phases {
		row := rowCells(p.Variant)
		for i, ns := range []int64{p.Prepare, p.Connect, p.Write, p.Wait, p.Read, p.Whole} {
			row = append(row, formatNS(ns))
			w.Figure(rowName(p.Variant)+" "+phaseNames[i]+" ns", float64(ns))
		}
		rows = append(rows, append(row, formatNS(p.P99)))
	}
	header := slices.Concat([]string{"operation", "transport", "connection"}, phaseNames, []string{"whole p99"})
	w.Table("lllrrrrrrr", header, rows)
	if p := phases[0]; p.Whole > 0 {
		w.Text("So %.0f%% of the median %s over %s on a connection that stays is waiting for the device, and "+
			"%.0f%% is the client's own: preparing, finding the connection, and reading. The write is the system's.",
			100*float64(p.Wait)/float64(p.Whole), p.Op, p.Transport,
			100*float64(p.Prepare+p.Connect+p.Read)/float64(p.Whole))
	}
	w.Command("Measured with", opcostCommand)
}

// tinyAllocations is the component for what the runtime counted but its profile lacks.
const tinyAllocations = "tiny"

// writeAllocations writes which parts of the client allocate, and how much.
func (o *opcostMeasurement) writeAllocations(w *baseline.SectionWriter, _ content) {
	w.Text("By component, from a profile of every allocation (runtime.MemProfileRate 1) over %s operations each, "+
		"one at a time, in a process that does nothing else. The whole is the runtime's own count; each row adds "+
		"up to it, but for rounding. An allocation belongs to the innermost function that a component knows. "+
		"In tiny are objects of under 16 bytes that found room in a block with others, which the runtime counts "+
		"and its profile does not see. "+
		"Bytes an operation:", plaintext.Thousands(o.report.Allocations[0].N))
	o.writeComponents(w, results.UnitBytes, func(_, bytes int64) int64 { return bytes })
	w.Text("Allocations an operation:")
	o.writeComponents(w, results.UnitAllocations, func(objects, _ int64) int64 { return objects })
	w.Command("Measured with", opcostCommand)
	w.Command("The call sites of a push, from profiles that the command of the whole page takes, are shown by",
		"fleetmark profile top "+abtest.BaselineProfiles+" --kind allocs")
}

// writeComponents writes a table of the components of each operation. of selects objects or bytes.
func (o *opcostMeasurement) writeComponents(
	w *baseline.SectionWriter, unit string, of func(objects, bytes int64) int64,
) {
	all := o.report.Allocations
	header := []string{"operation", "transport", "connection"}
	for _, c := range all[0].Profile.Components {
		header = append(header, c.Name)
	}
	header = append(header, tinyAllocations, "whole")
	var rows [][]string
	for _, op := range all {
		perOperation := func(objects, bytes int64) float64 { return float64(of(objects, bytes)) / float64(op.N) }
		row := rowCells(op.Variant)
		for _, c := range op.Profile.Components {
			v := perOperation(c.Objects, c.Bytes)
			row = append(row, formatShort(v))
			w.Figure(rowName(op.Variant)+" "+c.Name+" "+unit, v)
		}
		whole := perOperation(op.Objects, op.Bytes)
		w.Figure(rowName(op.Variant)+" "+unit, whole)
		rows = append(rows, append(row, formatShort(perOperation(op.Unprofiled())), formatShort(whole)))
	}
	w.Table("lll"+strings.Repeat("r", len(header)-3), header, rows)
}

// writeStreaming writes whether a larger artifact takes more memory.
func (o *opcostMeasurement) writeStreaming(w *baseline.SectionWriter, _ content) {
	w.Text("Does a larger artifact take more memory? Files pushed one after another over lean, each once; " +
		"resident memory is the client's whole process, its peak (VmHWM) right before the push and through it.")
	var rows [][]string
	for _, push := range o.report.PushMemory {
		size := megabytes(push.Size)
		before, peak, growth := "not told here", "not told here", ""
		if push.Peak > 0 && push.PeakBefore > 0 {
			grown := int64(push.Peak) - int64(push.PeakBefore)
			before, peak, growth = mebibytes(int64(push.PeakBefore)), mebibytes(int64(push.Peak)), mebibytes(grown)
			w.Figure(size+" peak growth B", float64(grown))
		}
		speed := "–"
		if push.Nanos > 0 {
			speed = results.BytesPerSecond.Format(float64(push.Size) / 1e6 / (float64(push.Nanos) / 1e9))
		}
		w.Figure(size+" allocated B", float64(push.Allocated))
		rows = append(rows, []string{size, before, peak, growth, mebibytes(push.Allocated), speed})
	}
	w.Table("rrrrrr", []string{
		"artifact", "peak before", "peak through the push", "grew by", "heap it asked for", "speed of the one push",
	}, rows)
	w.Command("Measured with", opcostCommand)
}

// overhead measures what a CPU profile adds to the cost of a push.
type overhead struct {
	ratios []abtest.Overhead // processor time first
}

// overheadBudget is how long the overhead is measured.
const overheadBudget = 40 * time.Second

func (o *overhead) measure(ctx context.Context, b *Builder) (err error) {
	b.options.Log("what profiling costs")
	o.ratios, err = abtest.MeasureOverhead(ctx, abtest.Options{
		FleetCommand: b.options.FleetCommand, Budget: overheadBudget, Seed: 1, Stderr: b.options.Stderr,
	})
	if unmeasured, ok := errors.AsType[*abtest.OverheadError](err); ok {
		why := unmeasured.Error()
		if unmeasured.Judgement != nil {
			why += ": " + report.Sentence(unmeasured.Judgement)
		}
		return &skippedError{why}
	}
	return err
}

func (o *overhead) write(w *baseline.SectionWriter, _ content) {
	w.Text("Pushes with a CPU profile at 100 Hz and without one, by turns of a block of 40 ms, in pairs. Timed " +
		"repetitions are never profiled; this is what profiled ones are slower by.")
	var rows [][]string
	for _, r := range o.ratios {
		estimate, low, high := r.Percent()
		rows = append(rows, []string{r.Unit, fmt.Sprintf("%+.1f%%", estimate),
			fmt.Sprintf("%+.1f%% to %+.1f%%", low, high), fmt.Sprint(r.Pairs)})
		w.Figure("push "+r.Unit+" percent more", estimate)
	}
	w.Table("lrrr", []string{"metric", "with a profile", "interval", "pairs of blocks"}, rows)
	w.Command("Measured with", fmt.Sprintf("fleetmark profile overhead --budget %v", overheadBudget))
}
