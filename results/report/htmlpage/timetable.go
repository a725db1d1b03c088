package htmlpage

import (
	"strconv"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/timeline"
)

// tables returns a table of the steps of each side.
func (d *timelineDrawing) tables(title string) (list []foldedTable) {
	for _, s := range d.sides {
		name := "The numbers, step by step"
		if title != "" {
			name += ": " + title
		}
		if len(d.sides) > 1 {
			name += ", " + s.label
		}
		list = append(list, foldedTable{Summary: name, Table: d.table(s, name)})
	}
	return list
}

func (d *timelineDrawing) table(s timeSide, name string) *table {
	some := func(has func(*timeline.Interval) bool) bool {
		for i := range s.steps {
			if has(&s.steps[i]) {
				return true
			}
		}
		return false
	}
	count := func(of func(*timeline.Interval) int64) func(*timeline.Interval) string {
		return func(v *timeline.Interval) string { return plaintext.Thousands(of(v)) }
	}
	times := func(part func(timeline.Times) int64) func(*timeline.Interval) string {
		return func(v *timeline.Interval) string {
			if o, ok := v.Of(s.timeline.Op); ok {
				return results.Duration.Format(float64(part(o.Response)))
			}
			return "–"
		}
	}
	type column struct {
		name string
		text func(*timeline.Interval) string
	}
	columns := []column{{"from", func(v *timeline.Interval) string { return timeline.FormatTime(v.Start()) }}}
	if len(d.axis.numbers) > 1 {
		number := func(v *timeline.Interval) string { return strconv.Itoa(v.Repetition) }
		columns = append(columns, column{"repetition", number})
	}
	if some(func(v *timeline.Interval) bool { return v.Wave > 0 }) {
		columns = append(columns, column{"wave", func(v *timeline.Interval) string { return strconv.Itoa(v.Wave) }})
	}
	if some(func(v *timeline.Interval) bool { return v.Planned > 0 }) {
		columns = append(columns, column{"planned", count(func(v *timeline.Interval) int64 { return v.Planned })})
	}
	columns = append(columns,
		column{"sent", count(func(v *timeline.Interval) int64 { return v.Sent })},
		column{"succeeded", count(func(v *timeline.Interval) int64 { return v.Succeeded })},
		column{"failed", count(func(v *timeline.Interval) int64 { return v.Failed })},
		column{"not sent", count(func(v *timeline.Interval) int64 { return v.NotSent })},
		column{"in flight", count(func(v *timeline.Interval) int64 { return v.InFlight })},
		column{"p50", times(p50)},
		column{"p99", times(p99)},
		column{"max", times(longest)})
	if some(func(v *timeline.Interval) bool { return len(v.Classes) > 0 }) {
		columns = append(columns, column{"failed by class", classWords})
	}
	t := &table{Label: name}
	for i, c := range columns {
		class := "n"
		if i == 0 || c.name == "failed by class" {
			class = ""
		}
		t.Header = append(t.Header, cell{Text: c.name, Class: class})
	}
	for i := range s.steps {
		var row []cell
		for j, c := range columns {
			row = append(row, cell{Text: c.text(&s.steps[i]), Class: t.Header[j].Class, Head: j == 0})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
