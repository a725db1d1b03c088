package htmlpage

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
	"github.com/fleetmark/fleetmark/results/timeline"
)

// A rangeLabel is a label of a part of the axis.
type rangeLabel struct {
	from, to    float64
	class, text string
}

// stripRow is the height of a row of labels above the plots, in pixels.
const stripRow = 15

// top draws rows of labels: the numbers of the repetitions, the marks of a timeline, its stalls, and
// the windows in which thresholds were broken. It returns nil if there are none.
func (a *timeAxis) top(t evidence.Timeline) *svgplot.Wide {
	var names, marks, stalls, breaches []rangeLabel
	for _, r := range t.Repetitions {
		if !a.shows(r.Number) {
			continue
		}
		if len(a.numbers) > 1 || r.BrokenOff {
			l := rangeLabel{a.x(r.Number, 0), a.x(r.Number, math.MaxInt64), "name", strconv.Itoa(r.Number)}
			if r.BrokenOff {
				l.text += ", broken off"
			}
			names = append(names, l)
		}
		for _, m := range shownMarks(r) {
			l := rangeLabel{a.x(r.Number, m.Start), a.x(r.Number, m.End), markClass(m.Kind), m.Label}
			switch m.Kind {
			case evidence.MarkStall:
				stalls = append(stalls, l)
			case evidence.MarkBreach:
				breaches = append(breaches, l)
			default:
				marks = append(marks, l)
			}
		}
	}
	w := &svgplot.Wide{}
	for _, row := range [][]rangeLabel{names, marks, breaches, stalls} {
		if len(row) > 0 {
			w.Height += stripRow
			a.drawRow(w, row, w.Height-4)
		}
	}
	if w.Height == 0 {
		return nil
	}
	return w
}

// topTitle draws what the first of the rows above the plots is, for the column to the left of them.
func (a *timeAxis) topTitle(t evidence.Timeline, height float64) *svgplot.Wide {
	w := &svgplot.Wide{Height: height}
	brokenOff := func(r evidence.Repetition) bool { return r.BrokenOff }
	if len(a.numbers) > 1 || slices.ContainsFunc(t.Repetitions, brokenOff) {
		w.Label("tick", 0, stripRow-4, "start", "repetition")
	}
	return w
}

// drawRow draws the labels that have room, which on a phone may be fewer.
func (a *timeAxis) drawRow(w *svgplot.Wide, row []rangeLabel, y float64) {
	width := float64(alonePlot)
	if a.sides > 1 {
		width = besidePlot
	}
	narrow, wide := fit(row, narrowPlot), fit(row, width)
	for i, l := range row {
		if narrow[i] == wide[i] {
			l.draw(w, l.class, y, wide[i])
			continue
		}
		l.draw(w, l.class+" tight", y, narrow[i])
		l.draw(w, l.class+" roomy", y, wide[i])
	}
}

// draw draws the label at the start or the end of its part, as anchor says. It draws nothing if
// anchor is "".
func (l rangeLabel) draw(w *svgplot.Wide, class string, y float64, anchor string) {
	switch anchor {
	case "start":
		w.Label(class, l.from, y, anchor, l.text)
	case "end":
		w.Label(class, l.to, y, anchor, l.text)
	}
}

// fit returns the anchor of each label of a row, so that they don't overlap in a plot that is width
// pixels wide, or "" if the label has no room.
func fit(row []rangeLabel, width float64) []string {
	anchors := make([]string, len(row))
	taken := -math.MaxFloat64
	for i, l := range row {
		length := 5.9*float64(len([]rune(l.text))) + 8
		from, to := l.from/svgplot.WideUnits*width, l.to/svgplot.WideUnits*width
		switch {
		case from >= taken && from+length <= width+8:
			anchors[i], taken = "start", from+length
		case to-length >= max(taken, 0):
			anchors[i], taken = "end", to
		}
	}
	return anchors
}

// shownMarks returns the marks of a repetition, at most maxMarks of them.
func shownMarks(r evidence.Repetition) []evidence.Mark {
	return r.Marks[:min(len(r.Marks), maxMarks)]
}

// hasBreaches reports whether windows in which a threshold was broken are marked.
func (a *timeAxis) hasBreaches(t evidence.Timeline) bool {
	isBreach := func(m evidence.Mark) bool { return m.Kind == evidence.MarkBreach }
	return slices.ContainsFunc(t.Repetitions, func(r evidence.Repetition) bool {
		return a.shows(r.Number) && slices.ContainsFunc(shownMarks(r), isBreach)
	})
}

// markClass returns the class that gives marks of a kind their look.
func markClass(kind evidence.MarkKind) string {
	switch kind {
	case evidence.MarkStall:
		return "stall"
	case evidence.MarkBreach:
		return "breach"
	case evidence.MarkWave:
		return "wave"
	}
	return "part"
}

// draw draws the background of a plot: the lines of the ticks, the borders of the repetitions and
// the marks.
func (a *timeAxis) draw(w *svgplot.Wide, t evidence.Timeline) {
	for _, k := range a.ticks() {
		w.Vertical("grid", k.x)
	}
	for _, r := range t.Repetitions {
		if !a.shows(r.Number) {
			continue
		}
		for i, m := range shownMarks(r) {
			from, to := a.x(r.Number, m.Start), a.x(r.Number, m.End)
			switch {
			case m.Kind == evidence.MarkStall:
				w.Window("stall", from, to)
			case m.Kind == evidence.MarkBreach:
				w.Window("breach", from, to)
			case m.Kind == evidence.MarkLoad && i%2 == 0:
				w.Window("part", from, to)
			}
			if m.Kind == evidence.MarkLoad || m.Kind == evidence.MarkWave && m.Start > 0 {
				w.Vertical("mark", from)
			}
		}
	}
	for _, n := range a.numbers[1:] {
		w.Vertical("border", a.x(n, 0))
	}
}

// markWords describes the marks of a timeline, of at most limit repetitions: "in repetition 1 wave
// 1 from 0s to 3s, wave 2 from 3s to 5s". It returns "" if there are none.
func (a *timeAxis) markWords(t evidence.Timeline, limit int) string {
	var words, names []string // of each repetition that has marks
	for _, r := range t.Repetitions {
		var list []string
		for _, m := range shownMarks(r) {
			if m.Kind != evidence.MarkStall && m.Kind != evidence.MarkBreach { // these have sentences of their own
				from, to := timeline.FormatTime(m.Start), timeline.FormatTime(m.End)
				list = append(list, fmt.Sprintf("%s from %s to %s", m.Label, from, to))
			}
		}
		if len(list) > 0 && a.shows(r.Number) {
			words, names = append(words, strings.Join(list, ", ")), append(names, fmt.Sprintf("in repetition %d ", r.Number))
		}
	}
	switch {
	case len(words) == 0:
		return ""
	case len(t.Repetitions) == 1:
		return words[0]
	case len(words) == len(t.Repetitions) && len(slices.Compact(slices.Clone(words))) == 1:
		return "in each repetition " + words[0]
	}
	for i := range words {
		words[i] = names[i] + words[i]
	}
	words, omitted := bounded.Head(words, limit)
	if omitted > 0 {
		words = append(words, "and so on")
	}
	return strings.Join(words, "; ")
}
