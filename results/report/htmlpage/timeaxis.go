package htmlpage

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
	"github.com/fleetmark/fleetmark/results/timeline"
)

// Bounds on what a time axis shows.
const (
	firstRepetitions = 28 // of a run with more than these
	lastRepetitions  = 12 // and these
	maxMarks         = 24 // of a repetition
)

// Widths at which labels must not overlap, in pixels: the least width of a plot on a phone, on a
// wider screen beside another, and on a wider screen alone.
const (
	narrowPlot = 270
	besidePlot = 340
	alonePlot  = 450
)

// A timeAxis is the horizontal axis of plots over time. Repetitions follow one another on it, each
// as long as it was on the slower side.
type timeAxis struct {
	sides   int   // that are drawn beside each other
	numbers []int // of the repetitions
	omitted int   // repetitions that it leaves out
	offset  map[int]float64
	length  map[int]float64 // of a repetition, in seconds
	total   float64
}

// newTimeAxis returns an axis for the repetitions of both sides.
func newTimeAxis(timelines []evidence.Timeline) *timeAxis {
	a := &timeAxis{sides: len(timelines), offset: make(map[int]float64), length: make(map[int]float64)}
	for _, t := range timelines {
		for _, r := range t.Repetitions {
			if !slices.Contains(a.numbers, r.Number) {
				a.numbers = append(a.numbers, r.Number)
			}
			end := r.Intervals[len(r.Intervals)-1].End().Seconds()
			a.length[r.Number] = max(a.length[r.Number], end, 1e-6)
		}
	}
	slices.Sort(a.numbers)
	if n := len(a.numbers) - firstRepetitions - lastRepetitions; n > 0 {
		a.omitted = n
		a.numbers = slices.Delete(a.numbers, firstRepetitions, firstRepetitions+n)
	}
	for _, n := range a.numbers {
		a.total += a.length[n]
	}
	gap := a.total * min(0.012, 0.15/float64(len(a.numbers)))
	at := 0.0
	for _, n := range a.numbers {
		a.offset[n] = at
		at += a.length[n] + gap
	}
	a.total = at - gap
	return a
}

// shows reports whether the axis has a repetition.
func (a *timeAxis) shows(repetition int) bool { return slices.Contains(a.numbers, repetition) }

// x returns the position of a time in a repetition.
func (a *timeAxis) x(repetition int, t time.Duration) float64 {
	return (a.offset[repetition] + min(t.Seconds(), a.length[repetition])) / a.total * svgplot.WideUnits
}

// span returns the positions of an interval.
func (a *timeAxis) span(v *timeline.Interval) (from, to float64) {
	return a.x(v.Repetition, v.Start()), a.x(v.Repetition, v.End())
}

// tickSteps returns distances of ticks that read well.
func tickSteps() []time.Duration {
	steps := []time.Duration{}
	for _, unit := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second} {
		steps = append(steps, unit, 2*unit, 5*unit)
	}
	for _, unit := range []time.Duration{time.Second, time.Minute} {
		steps = append(steps, 10*unit, 20*unit, 30*unit, 60*unit, 2*60*unit, 5*60*unit)
	}
	return append(steps, 6*time.Hour, 12*time.Hour, 24*time.Hour, 72*time.Hour, 240*time.Hour)
}

// A tick is a labeled position of the axis. Wide ticks are left out where there is little room.
type tick struct {
	x     float64
	label string
	wide  bool
}

// ticks returns the ticks of the axis. It returns nil if the repetitions are so many that none has
// room for a second tick.
func (a *timeAxis) ticks() (list []tick) {
	step := time.Duration(0)
	for _, step = range tickSteps() {
		if a.total/step.Seconds() <= 12 {
			break
		}
	}
	second := false // some repetition has a second tick
	for _, n := range a.numbers {
		length := a.length[n]
		if len(a.numbers) > 1 {
			length -= 0.4 * step.Seconds() // keep away from the first tick of the next repetition
		}
		for i := 0; i < 64; i++ {
			t := time.Duration(i) * step
			if i > 0 && t.Seconds() > length {
				break
			}
			second = second || i > 0
			list = append(list, tick{a.x(n, t), timeline.FormatTime(t), i%2 != 0})
		}
	}
	if !second {
		return nil
	}
	if len(list) <= 7 {
		for i := range list {
			list[i].wide = false
		}
	}
	return list
}

// title says what the axis shows.
func (a *timeAxis) title() string {
	if len(a.numbers) == 1 {
		return "time since the load began"
	}
	if a.ticks() != nil {
		return "time since the load of each repetition began"
	}
	low, high := math.Inf(1), 0.0
	for _, n := range a.numbers {
		low, high = min(low, a.length[n]), max(high, a.length[n])
	}
	from, to := timeline.FormatTime(seconds(low)), timeline.FormatTime(seconds(high))
	if from == to {
		return "repetitions, of " + to + " each"
	}
	return fmt.Sprintf("repetitions, of %s to %s each", from, to)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// bottom draws the labels of the ticks.
func (a *timeAxis) bottom() *svgplot.Wide {
	w := &svgplot.Wide{Height: 18}
	for _, t := range a.ticks() {
		class := "tick"
		if t.wide {
			class += " roomy"
		}
		anchor := "middle"
		if t.x < 20 {
			anchor = "start"
		} else if t.x > svgplot.WideUnits-20 {
			anchor = "end"
		}
		w.Label(class, t.x, 13, anchor, t.label)
	}
	return w
}

// A rangeLabel is a label of a part of the axis.
type rangeLabel struct {
	from, to    float64
	class, text string
}

// stripRow is the height of a row of labels above the plots, in pixels.
const stripRow = 15

// top draws rows of labels: the numbers of the repetitions, the marks of a timeline, and its stalls.
// It returns nil if there are none.
func (a *timeAxis) top(t evidence.Timeline) *svgplot.Wide {
	var names, marks, stalls []rangeLabel
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
			if m.Kind == evidence.MarkStall {
				stalls = append(stalls, l)
			} else {
				marks = append(marks, l)
			}
		}
	}
	w := &svgplot.Wide{}
	for _, row := range [][]rangeLabel{names, marks, stalls} {
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
func (a *timeAxis) topTitle(height float64) *svgplot.Wide {
	w := &svgplot.Wide{Height: height}
	if len(a.numbers) > 1 {
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
		for _, v := range []struct {
			anchor string
			class  string
		}{{narrow[i], " tight"}, {wide[i], " roomy"}} {
			class := l.class + v.class
			if narrow[i] == wide[i] {
				class = l.class
			}
			switch v.anchor {
			case "start":
				w.Label(class, l.from, y, v.anchor, l.text)
			case "end":
				w.Label(class, l.to, y, v.anchor, l.text)
			}
			if narrow[i] == wide[i] {
				break
			}
		}
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

// shownMarks returns the marks of a repetition, at most maxMarks of them, stalls last.
func shownMarks(r evidence.Repetition) []evidence.Mark {
	return r.Marks[:min(len(r.Marks), maxMarks)]
}

// markClass returns the class that gives marks of a kind their look.
func markClass(kind evidence.MarkKind) string {
	switch kind {
	case evidence.MarkStall:
		return "stall"
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

// markWords describes the marks of a timeline, of at most limit repetitions: "in repetition 1 wave 1
// from 0s to 3s, wave 2 from 3s to 5s". It returns "" if there are none.
func (a *timeAxis) markWords(t evidence.Timeline, limit int) string {
	var words, names []string // of each repetition that has marks
	for _, r := range t.Repetitions {
		var list []string
		for _, m := range shownMarks(r) {
			if m.Kind != evidence.MarkStall { // these have sentences
				list = append(list, fmt.Sprintf("%s from %s to %s", m.Label, timeline.FormatTime(m.Start), timeline.FormatTime(m.End)))
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
