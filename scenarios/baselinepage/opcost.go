package baselinepage

import (
	"context"
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/scenarios/anatomy"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// opcostMeasurement takes single operations apart once, in a process of their own, for the sections that
// show their parts.
type opcostMeasurement struct {
	report *anatomy.Report // nil before it was measured
}

func (o *opcostMeasurement) measure(ctx context.Context, b *Builder) (err error) {
	if o.report != nil {
		return nil
	}
	o.report, err = anatomy.Run(ctx, b.options.OpcostCommand, anatomy.Config{
		Time: b.wants("time"), Allocations: b.wants("allocations"), Streaming: b.wants("streaming"),
		Operations: b.options.Operations, Sizes: streamSizes(),
	}, b.options.Log)
	return err
}

// timing says how long each phase of an operation takes.
type timing struct {
	heading
	fromMeasurement
	parts *opcostMeasurement
}

func (t *timing) measure(ctx context.Context, b *Builder) error { return t.parts.measure(ctx, b) }

func (t *timing) write(w *baseline.SectionWriter, _ content) {
	phases := t.parts.report.Phases
	w.Text("One operation at a time against devices in another process on this machine, its phases by the client's own timeline (Config.Observe): medians of %s operations each, of %d bytes. "+
		"Kept-alive: all to one device over one connection. New: each to a device that the client has not seen, over a connection of its own. Medians of parts need not add up to that of the whole. "+
		"Stamping costs some 0.1 µs a phase; over nethttp a write that an answer overtook counts until the answer.", plaintext.Thousands(phases[0].N), t.parts.report.ArtifactBytes)
	w.Table("lllrrrrrrr", []string{"operation", "transport", "connection", "prepare", "connect", "write", "wait", "read", "whole", "whole p99"}, func() (rows [][]string) {
		for _, p := range phases {
			rows = append(rows, []string{string(p.Op), string(p.Transport), p.Connection(), formatNS(p.Prepare), formatNS(p.Connect), formatNS(p.Write), formatNS(p.Wait), formatNS(p.Read), formatNS(p.Whole), formatNS(p.P99)})
			for _, v := range []struct {
				name string
				ns   int64
			}{{"prepare", p.Prepare}, {"connect", p.Connect}, {"write", p.Write}, {"wait", p.Wait}, {"read", p.Read}, {"whole", p.Whole}} {
				w.Figure(rowName(p.Kind)+" "+v.name+" ns", float64(v.ns))
			}
		}
		return rows
	}())
	p := phases[0]
	if p.Whole > 0 {
		w.Text("So %.0f%% of the median %s over %s on a connection that stays is waiting for the device, and %.0f%% is the client's own: preparing, finding the connection, and reading. The write is the system's.",
			100*float64(p.Wait)/float64(p.Whole), p.Op, p.Transport, 100*float64(p.Prepare+p.Connect+p.Read)/float64(p.Whole))
	}
	w.Command("Measured with", opcostCommand)
}

// opcostCommand measures the sections time, allocations and streaming again.
const opcostCommand = "fleetmark baseline --sections time,allocations,streaming --file NEW.md"

// rowName returns what figures call a row, such as "push lean kept-alive".
func rowName(k anatomy.Kind) string {
	return fmt.Sprintf("%s %s %s", k.Op, k.Transport, k.Connection())
}

// tinyAllocations is the component of what the runtime counted and its profile did not see.
const tinyAllocations = "tiny"

// allocations says which parts of the client allocate, and how much.
type allocations struct {
	heading
	fromMeasurement
	parts *opcostMeasurement
}

func (a *allocations) measure(ctx context.Context, b *Builder) error { return a.parts.measure(ctx, b) }

func (a *allocations) write(w *baseline.SectionWriter, _ content) {
	all := a.parts.report.Allocations
	n := all[0].N
	w.Text("By component, from a profile of every allocation (runtime.MemProfileRate 1) over %s operations each, one at a time, in a process that does nothing else. The whole is the runtime's own count; each row adds up to it, but for rounding. "+
		"An allocation belongs to the innermost function that a component knows. In tiny are objects of under 16 bytes that found room in a block with others, which the runtime counts and its profile does not see. Bytes an operation:", plaintext.Thousands(n))
	header := []string{"operation", "transport", "connection"}
	for _, c := range all[0].Profile.Components {
		header = append(header, c.Name)
	}
	header = append(header, tinyAllocations, "whole")
	align := "lll" + strings.Repeat("r", len(header)-3)
	table := func(unit string, of func(objects, bytes int64) float64, form func(float64) string) {
		var rows [][]string
		for _, a := range all {
			per := func(objects, bytes int64) string { return form(of(objects, bytes) / float64(a.N)) }
			row := []string{string(a.Op), string(a.Transport), a.Connection()}
			for _, c := range a.Profile.Components {
				row = append(row, per(c.Objects, c.Bytes))
				w.Figure(rowName(a.Kind)+" "+c.Name+" "+unit, of(c.Objects, c.Bytes)/float64(a.N))
			}
			objects, bytes := a.Unseen()
			rows = append(rows, append(row, per(objects, bytes), per(a.Objects, a.Bytes)))
			w.Figure(rowName(a.Kind)+" "+unit, of(a.Objects, a.Bytes)/float64(a.N))
		}
		w.Table(align, header, rows)
	}
	table("B/op", func(_, bytes int64) float64 { return float64(bytes) }, formatShort)
	w.Text("Allocations an operation:")
	table("allocs/op", func(objects, _ int64) float64 { return float64(objects) }, formatShort)
	w.Command("Measured with", opcostCommand)
	w.Command("The call sites of a push, from profiles that the command of the whole page takes, are shown by", "fleetmark profile top "+versus.BaselineProfiles+" --kind allocs")
}

// streamSizes returns the sizes of the artifacts of the section streaming, in bytes.
func streamSizes() []int64 { return []int64{1e6, 10e6, 100e6} }

// streaming says whether a larger artifact takes more memory.
type streaming struct {
	heading
	fromMeasurement
	parts *opcostMeasurement
}

func (s *streaming) measure(ctx context.Context, b *Builder) error { return s.parts.measure(ctx, b) }

func (s *streaming) write(w *baseline.SectionWriter, _ content) {
	w.Text("Does a larger artifact take more memory? Files pushed one after another over lean, each once; resident memory is the client's whole process, its peak (VmHWM) right before the push and through it.")
	var rows [][]string
	for _, stream := range s.parts.report.Streams {
		before, peak, growth := "not told here", "not told here", ""
		if stream.Peak > 0 && stream.PeakBefore > 0 {
			before, peak, growth = mebibytes(int64(stream.PeakBefore)), mebibytes(int64(stream.Peak)), mebibytes(int64(stream.Peak)-int64(stream.PeakBefore))
			w.Figure(sizeText(stream.Size)+" peak growth B", float64(stream.Peak)-float64(stream.PeakBefore))
		}
		speed := "–"
		if stream.Nanos > 0 {
			v := float64(stream.Size) / 1e6 / (float64(stream.Nanos) / 1e9)
			speed = results.FormatValue(v, "MB/s")
		}
		w.Figure(sizeText(stream.Size)+" allocated B", float64(stream.Allocated))
		rows = append(rows, []string{sizeText(stream.Size), before, peak, growth, mebibytes(stream.Allocated), speed})
	}
	w.Table("rrrrrr", []string{"artifact", "peak before", "peak through the push", "grew by", "heap it asked for", "speed of the one push"}, rows)
	w.Command("Measured with", opcostCommand)
}
