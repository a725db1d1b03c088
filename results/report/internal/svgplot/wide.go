package svgplot

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// WideUnits is the width of a [Wide] in the units of its horizontal positions.
const WideUnits = 1000

// A Wide is a drawing that fills the width of the element that it is in, so that several of them
// below each other share a horizontal axis. Horizontal positions are from 0 to [WideUnits],
// vertical ones in pixels from the top to Height. Classes of the page's style sheet give colors,
// line widths and dashes. Methods draw above what was drawn before.
type Wide struct {
	Height float64 // in pixels

	shapes, labels strings.Builder
}

// A Step is one value of a function that is constant from one horizontal position to another. Y is
// NaN where the function has no value.
type Step struct{ From, To, Y float64 }

// Steps draws a function as a line. It has gaps where the function has no value, or where a step
// doesn't begin at the end of the one before.
func (w *Wide) Steps(class string, steps []Step) {
	var path strings.Builder
	var before Step
	joined := false
	for _, s := range steps {
		if math.IsNaN(s.Y) {
			joined = false
			continue
		}
		switch {
		case !joined || math.Abs(before.To-s.From) > 0.01:
			path.WriteString("M" + coordinate(s.From) + " " + coordinate(w.inside(s.Y)))
		case coordinate(before.Y) != coordinate(s.Y):
			path.WriteString("V" + coordinate(w.inside(s.Y)))
		}
		path.WriteString("H" + coordinate(s.To))
		before, joined = s, true
	}
	w.path(class, path.String())
}

// Band fills the area between two functions with the same steps, where both have values.
func (w *Wide) Band(class string, upper, lower []Step) {
	var path strings.Builder
	for i := 0; i < len(upper); i++ {
		first := i
		for i < len(upper) && !math.IsNaN(upper[i].Y) && !math.IsNaN(lower[i].Y) &&
			(i == first || math.Abs(upper[i-1].To-upper[i].From) <= 0.01) {
			i++
		}
		if i == first {
			continue
		}
		path.WriteString("M" + coordinate(upper[first].From) + " " + coordinate(w.inside(lower[first].Y)))
		for _, s := range upper[first:i] {
			path.WriteString("V" + coordinate(w.inside(s.Y)) + "H" + coordinate(s.To))
		}
		for j := i - 1; j >= first; j-- {
			path.WriteString("V" + coordinate(w.inside(lower[j].Y)) + "H" + coordinate(lower[j].From))
		}
		path.WriteString("z")
		i-- // it ended the area, but may begin the next
	}
	w.path(class, path.String())
}

// Window fills the whole height between two horizontal positions.
func (w *Wide) Window(class string, from, to float64) { w.path(class, w.window(from, to)) }

// Bar fills a rectangle between two horizontal and two vertical positions.
func (w *Wide) Bar(class string, from, to, top, bottom float64) {
	w.path(class, "M"+coordinate(from)+" "+coordinate(w.inside(top))+"H"+coordinate(to)+
		"V"+coordinate(w.inside(bottom))+"H"+coordinate(from)+"z")
}

// Vertical draws a line over the whole height.
func (w *Wide) Vertical(class string, x float64) {
	w.path(class, "M"+coordinate(x)+" 0V"+coordinate(w.Height))
}

// Horizontal draws a line over the whole width.
func (w *Wide) Horizontal(class string, y float64) {
	w.path(class, "M0 "+coordinate(w.inside(y))+"H"+strconv.Itoa(WideUnits))
}

// Tooltip makes browsers show text while the pointer is between two horizontal positions.
func (w *Wide) Tooltip(from, to float64, text string) {
	fmt.Fprintf(&w.shapes, `<path class="hit" d="%s"><title>%s</title></path>`,
		w.window(from, to), html.EscapeString(text))
}

// Label writes text at a position: at its left, its middle or its right, where anchor is "start",
// "middle" or "end".
func (w *Wide) Label(class string, x, y float64, anchor, text string) {
	fmt.Fprintf(&w.labels, `<text class="%s" x="%s%%" y="%s" text-anchor="%s">%s</text>`,
		class, coordinate(x*100/WideUnits), coordinate(w.inside(y)), anchor, html.EscapeString(text))
}

// Anchor returns the anchor at which a label at x stays within the drawing.
func Anchor(x float64) string {
	switch {
	case x < 0.2*WideUnits:
		return "start"
	case x > 0.8*WideUnits:
		return "end"
	}
	return "middle"
}

func (w *Wide) window(from, to float64) string {
	return "M" + coordinate(from) + " 0H" + coordinate(to) + "V" + coordinate(w.Height) + "H" + coordinate(from) + "z"
}

func (w *Wide) path(class, d string) {
	if d != "" {
		fmt.Fprintf(&w.shapes, `<path class="%s" d="%s"/>`, class, d)
	}
}

// inside returns a vertical position that is inside the drawing.
func (w *Wide) inside(y float64) float64 { return min(max(y, 0), w.Height) }

// coordinate formats a position in tenths.
func coordinate(x float64) string {
	if !IsFinite(x) {
		x = 0
	}
	return strings.TrimSuffix(strconv.FormatFloat(min(max(x, -1e5), 1e5), 'f', 1, 64), ".0")
}

// Plot returns the drawing as an element of a page. The id must be unique in the page. The title
// and the description are for readers who can't see the drawing.
func (w *Wide) Plot(id, title, description string) template.HTML {
	head := fmt.Sprintf(`<svg class="wide" role="img" aria-labelledby="%[1]s-t %[1]s-d" width="100%%" height="%[2]s">`+
		`<title id="%[1]s-t">%[3]s</title><desc id="%[1]s-d">%[4]s</desc>`,
		id, coordinate(w.Height), html.EscapeString(title), html.EscapeString(description))
	return w.element(head)
}

// Decoration returns the drawing as an element that only repeats what the page says elsewhere.
func (w *Wide) Decoration() template.HTML {
	return w.element(fmt.Sprintf(`<svg class="wide" aria-hidden="true" width="100%%" height="%s">`, coordinate(w.Height)))
}

func (w *Wide) element(head string) template.HTML {
	shapes := ""
	if w.shapes.Len() > 0 { // only they are stretched to the width
		shapes = fmt.Sprintf(
			`<svg viewBox="0 0 %d %[2]s" preserveAspectRatio="none" width="100%%" height="%[2]s">%[3]s</svg>`,
			WideUnits, coordinate(w.Height), w.shapes.String())
	}
	return template.HTML(head + shapes + w.labels.String() + `</svg>`)
}
