package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/anatomy"
)

func nanos(n int64) string { return results.FormatValue(float64(n), "ns/op") }

// writeTime is the table of an operation's phases.
func writeTime(w *results.SectionWriter, f *findings) {
	phases := f.parts.Phases
	w.Text("One operation at a time against devices in another process on this machine, its phases by the client's own timeline (Config.Observe): medians of %s operations each, of %d bytes. "+
		"Kept-alive: all to one device over one connection. New: each to a device that the client has not seen, over a connection of its own. Medians of parts need not add up to that of the whole. "+
		"Stamping costs some 0.1 µs a phase; over nethttp a write that an answer overtook counts until the answer.", grouped(int64(phases[0].N)), f.parts.ArtifactBytes)
	w.Table("lllrrrrrrr", []string{"operation", "transport", "connection", "prepare", "connect", "write", "wait", "read", "whole", "whole p99"}, func() (rows [][]string) {
		for _, p := range phases {
			rows = append(rows, []string{string(p.Op), string(p.Transport), p.Connection(), nanos(p.Prepare), nanos(p.Connect), nanos(p.Write), nanos(p.Wait), nanos(p.Read), nanos(p.Whole), nanos(p.P99)})
			for _, v := range []struct {
				name string
				ns   int64
			}{{"prepare", p.Prepare}, {"connect", p.Connect}, {"write", p.Write}, {"wait", p.Wait}, {"read", p.Read}, {"whole", p.Whole}} {
				w.Figure(kindName(p.Kind)+" "+v.name+" ns", float64(v.ns))
			}
		}
		return rows
	}())
	p := phases[0]
	if p.Whole > 0 {
		w.Text("So %.0f%% of the median %s over %s on a connection that stays is waiting for the device, and %.0f%% is the client's own: preparing, finding the connection, and reading. The write is the system's.",
			100*float64(p.Wait)/float64(p.Whole), p.Op, p.Transport, 100*float64(p.Prepare+p.Connect+p.Read)/float64(p.Whole))
	}
	w.Command("Measured with", partsCommand)
}

// partsCommand measures again what a process of its own measured: time, allocations and streaming.
const partsCommand = "fleetmark baseline --sections time,allocations,streaming --file NEW.md"

// kindName is how figures call a row: "push lean kept-alive".
func kindName(k anatomy.Kind) string {
	return fmt.Sprintf("%s %s %s", k.Op, k.Transport, k.Connection())
}

// unseenComponent is what the runtime counted and its profile did not see.
const unseenComponent = "tiny"

// writeAllocations are the tables of components and of call sites.
func writeAllocations(w *results.SectionWriter, f *findings) {
	all := f.parts.Allocations
	n := all[0].N
	w.Text("By component, from a profile of every allocation (runtime.MemProfileRate 1) over %s operations each, one at a time, in a process that does nothing else. The whole is the runtime's own count; each row adds up to it, but for rounding. "+
		"An allocation belongs to the innermost function that a component knows. In tiny are objects of under 16 bytes that found room in a block with others, which the runtime counts and its profile does not see. Bytes an operation:", grouped(int64(n)))
	header := []string{"operation", "transport", "connection"}
	for _, c := range all[0].Profile.Components {
		header = append(header, c.Name)
	}
	header = append(header, unseenComponent, "whole")
	align := "lll" + strings.Repeat("r", len(header)-3)
	table := func(unit string, of func(objects, bytes int64) float64, form func(float64) string) {
		var rows [][]string
		for _, a := range all {
			per := func(objects, bytes int64) string { return form(of(objects, bytes) / float64(a.N)) }
			row := []string{string(a.Op), string(a.Transport), a.Connection()}
			for _, c := range a.Profile.Components {
				row = append(row, per(c.Objects, c.Bytes))
				w.Figure(kindName(a.Kind)+" "+c.Name+" "+unit, of(c.Objects, c.Bytes)/float64(a.N))
			}
			objects, bytes := a.Unseen()
			rows = append(rows, append(row, per(objects, bytes), per(a.Objects, a.Bytes)))
			w.Figure(kindName(a.Kind)+" "+unit, of(a.Objects, a.Bytes)/float64(a.N))
		}
		w.Table(align, header, rows)
	}
	table("B/op", func(_, bytes int64) float64 { return float64(bytes) }, fewDigits)
	w.Text("Allocations an operation:")
	table("allocs/op", func(objects, _ int64) float64 { return float64(objects) }, fewDigits)
	w.Command("Measured with", partsCommand)
	w.Command("The call sites of a push, from profiles that the command of the whole page takes, are shown by", "fleetmark profile top "+baselineProfiles+" --kind allocs")
}

// fewDigits shows a figure with one digit after the point, and a smaller one with two that
// say something, so that only what is nothing is 0.
func fewDigits(v float64) string {
	switch {
	case v == 0:
		return "0"
	case math.Abs(v) < 0.1:
		return strconv.FormatFloat(v, 'g', 2, 64)
	case v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// streamSizes are the artifacts of the section of streaming, in bytes.
func streamSizes() []int64 { return []int64{1e6, 10e6, 100e6} }

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// writeStreaming is the table of what larger artifacts take.
func writeStreaming(w *results.SectionWriter, f *findings) {
	w.Text("Does a larger artifact take more memory? Files pushed one after another over lean, each once; resident memory is the client's whole process, its peak (VmHWM) right before the push and through it.")
	var rows [][]string
	for _, s := range f.parts.Streams {
		before, peak, growth := "not told here", "not told here", ""
		if s.Peak > 0 && s.PeakBefore > 0 {
			before, peak, growth = mebibytes(int64(s.PeakBefore)), mebibytes(int64(s.Peak)), mebibytes(int64(s.Peak)-int64(s.PeakBefore))
			w.Figure(sizeText(s.Size)+" peak growth B", float64(s.Peak)-float64(s.PeakBefore))
		}
		speed := "–"
		if s.Nanos > 0 {
			v := float64(s.Size) / 1e6 / (float64(s.Nanos) / 1e9)
			speed = results.FormatValue(v, "MB/s")
		}
		w.Figure(sizeText(s.Size)+" allocated B", float64(s.Allocated))
		rows = append(rows, []string{sizeText(s.Size), before, peak, growth, mebibytes(s.Allocated), speed})
	}
	w.Table("rrrrrr", []string{"artifact", "peak before", "peak through the push", "grew by", "heap it asked for", "speed of the one push"}, rows)
	w.Command("Measured with", partsCommand)
}
