package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
)

// WaveTable returns the waves of a rollout, in the repetition that got least far. It returns nil if
// the load isn't a rollout.
func (r *Result) WaveTable() *Table {
	if r.Run == nil {
		return nil
	}
	worst, repetition := results.WorstRollout(r.Run.Rollouts)
	if len(worst.Waves) == 0 {
		return nil
	}
	t := &Table{Label: waveLabel("Waves", repetition, len(r.Run.Rollouts))}
	t.Columns = []Column{
		{Name: "wave", Kind: Name},
		{Name: "share", Kind: Number, Fold: texttable.Fold{Rank: 2}},
		{Name: "size", Kind: Number, Fold: texttable.Fold{Rank: 3}},
		{Name: "reached", Kind: Number, Fold: texttable.Fold{Rank: 1}},
		{Name: "updated", Kind: Number},
		{Name: "failed", Kind: Number},
		{Name: "soak", Kind: Number, Fold: texttable.Fold{Rank: 4}},
		{Name: "what came of it", Kind: Prose, Fold: texttable.Fold{Cut: 1, End: true}},
	}
	for _, w := range worst.Waves {
		soak := "–"
		if w.SoakNS > 0 {
			soak = formatNS(float64(w.SoakNS))
		}
		row := []Cell{{Text: strconv.Itoa(w.Number)}, {Text: results.Share.Format(w.Share)}}
		for _, n := range []int{w.Size, w.Reached, w.Updated, w.Failed} {
			row = append(row, Cell{Text: plaintext.Thousands(int64(n))})
		}
		t.Rows = append(t.Rows, append(row, Cell{Text: soak}, Cell{Text: cmp.Or(w.Why, "–")}))
	}
	return t
}

// WaveTimeTable returns when the waves of a rollout began and ended, and the times of their
// deliveries, in the repetition that got least far. It returns nil if the load isn't a rollout, or if
// the run is so old that it has no times.
func (r *Result) WaveTimeTable() *Table {
	if r.Run == nil {
		return nil
	}
	worst, repetition := results.WorstRollout(r.Run.Rollouts)
	if !slices.ContainsFunc(worst.Waves, func(w results.Wave) bool { return w.BeganNS > 0 || w.EndedNS > 0 }) {
		return nil
	}
	t := &Table{Label: waveLabel("Times of the waves", repetition, len(r.Run.Rollouts))}
	t.Columns = []Column{{Name: "wave", Kind: Name}}
	for _, c := range []struct {
		name string
		rank int
	}{
		{"began", 3}, {"took", 2}, {"soak", 5}, {"succeeded", 0}, {"failed", 0}, {"p50", 1}, {"p99", 0}, {"max", 4},
	} {
		t.Columns = append(t.Columns, Column{Name: c.name, Kind: Number, Fold: texttable.Fold{Rank: c.rank}})
	}
	for _, w := range worst.Waves {
		time := func(ns int64, known bool) Cell {
			if !known {
				return Cell{Text: "–"}
			}
			return Cell{Text: formatNS(float64(ns))}
		}
		row := []Cell{
			{Text: strconv.Itoa(w.Number)}, {Text: formatNS(float64(w.BeganNS))}, time(w.EndedNS-w.BeganNS, w.EndedNS > 0),
			time(w.SoakNS, w.SoakNS > 0), {Text: plaintext.Thousands(w.Succeeded)}, {Text: plaintext.Thousands(int64(w.Failed))},
		}
		for _, v := range []struct {
			unit string
			ns   int64
		}{{results.UnitP50, w.P50NS}, {results.UnitP99, w.P99NS}, {results.UnitMax, w.MaxNS}} {
			c := time(v.ns, w.Succeeded > 0)
			if w.Succeeded > 0 && w.Succeeded < results.WantedOperations(v.unit) {
				c.Text += fewMark(w.Succeeded)
				t.Notes = []string{fewLegend}
			}
			row = append(row, c)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// WaveLead explains [Result.WaveTimeTable].
const WaveLead = "When a wave began, after the load's start, and how long it took until its last delivery ended, " +
	"with the response times of its deliveries."

// waveLabel returns the label of a table of the waves of one repetition.
func waveLabel(what string, repetition, of int) string {
	if of > 1 {
		return what + ofRepetitions(repetition, of)
	}
	return fmt.Sprintf("%s of repetition %d", what, repetition)
}
