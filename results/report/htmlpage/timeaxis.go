package htmlpage

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/results/evidence"
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
		length := a.length[n] + 0.05*step.Seconds() // a load may end a little early
		if len(a.numbers) > 1 {
			length = a.length[n] - 0.4*step.Seconds() // keep away from the first tick of the next repetition
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
