// Package svgplot draws plots as SVG elements that take their colors and fonts from the page around
// them.
//
// Its input is a gonum plot, with axes and plotters made by this package; its output is one svg
// element with a title and a description. A page may have a light and a dark scheme, so a plot is
// drawn in [Role]s, and its colors are the page's style variables --ink-2, --grid, --base, --now
// and --bad.
//
// Such a plot grows with the page, and its text does too. A [Wide] is drawn without gonum: it fills
// the width of the page, at a fixed height, and its text keeps its size.
//
// The package doesn't know what the plots show.
package svgplot

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"image/color"
	"math"
	"slices"
	"strings"

	"golang.org/x/image/font"
	"gonum.org/v1/plot"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// width is the width of every plot, in points. On a phone, where a point is about a pixel, labels
// are as large as the text around them. On wider screens they are larger.
const width = 340

// A Role is the meaning of a line, a mark or a text. It decides the color.
type Role uint8

// The roles.
const (
	Text Role = iota + 1
	Grid
	Base // the base of the comparison
	Now  // the side that is judged
	Bad  // a regression
)

// Color returns a placeholder for the color of the role, which [Render] replaces.
func (r Role) Color() color.Color { return color.RGBA{R: 0xA0, G: uint8(r), B: 0x5C, A: 0xFF} }

// variables returns a replacer of the placeholders by variables of the page's style sheet.
func variables() *strings.Replacer {
	names := map[Role]string{Text: "--ink-2", Grid: "--grid", Base: "--base", Now: "--now", Bad: "--bad"}
	var pairs []string
	for r, name := range names {
		hex := fmt.Sprintf("#A0%02X5C", uint8(r))
		for _, property := range []string{"fill:", "stroke:"} {
			pairs = append(pairs, property+hex, property+"var("+name+")")
		}
	}
	return strings.NewReplacer(pairs...)
}

// labelFont returns the font by whose widths labels are laid out. The page's style sheet makes
// labels a tenth smaller, because a browser without this font may use one that is a tenth wider.
func labelFont() plotfont.Font {
	return plotfont.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(11.5), Weight: font.WeightNormal}
}

// LabelStyle returns the style of a label to the right of a point.
func LabelStyle() text.Style {
	return text.Style{
		Color: Text.Color(), Font: labelFont(), XAlign: draw.XLeft, YAlign: draw.YCenter,
		Handler: plot.DefaultTextHandler,
	}
}

// New returns a plot with the given names of its axes. It has no title, which the page writes, and
// no background.
func New(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle = draw.LineStyle{Color: Grid.Color(), Width: vg.Points(1)}
		a.Tick.LineStyle = draw.LineStyle{Color: Grid.Color(), Width: vg.Points(1)}
		a.Tick.Length = vg.Points(4)
		a.Tick.Label.Color, a.Tick.Label.Font = Text.Color(), labelFont()
		a.Label.TextStyle.Color, a.Label.TextStyle.Font = Text.Color(), labelFont()
		a.Label.Padding = vg.Points(3)
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	return p
}

// A PlotterFunc draws on a canvas. at maps values to points of the canvas.
type PlotterFunc func(c draw.Canvas, at func(x, y float64) vg.Point)

// Plot calls f; it makes a PlotterFunc a [plot.Plotter].
func (f PlotterFunc) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	f(c, func(a, b float64) vg.Point { return vg.Point{X: x(a), Y: y(b)} })
}

// Render draws a plot of the given height, in points, as an element of a page. The id must be
// unique in the page. The title and the description are for readers who can't see the drawing.
func Render(p *plot.Plot, id, title, description string, height float64) (template.HTML, error) {
	canvas := vgsvg.New(width, vg.Length(height))
	p.Draw(draw.New(canvas))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw %s: %w", title, err)
	}
	_, body, found := strings.Cut(b.String(), "<g")
	if !found {
		return "", fmt.Errorf("draw %s: the drawing has no content", title)
	}
	body = withoutFonts(variables().Replace("<g" + body))
	// Browsers show the title as the tooltip of everything in the drawing.
	head := fmt.Sprintf(`<svg class="plot" role="img" aria-labelledby="%[1]s-t %[1]s-d" viewBox="0 0 %[2]d %.[3]f">`+
		`<title id="%[1]s-t">%[4]s</title><desc id="%[1]s-d">%[5]s</desc>`,
		id, width, height, html.EscapeString(title), html.EscapeString(description))
	return template.HTML(head + body), nil
}

// withoutFonts returns a drawing without the font of each label, so that the page's font applies.
func withoutFonts(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "font-family:")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if i := strings.Index(rest, "fill:"); i >= 0 && !strings.ContainsAny(rest[:i], "<>") {
			rest = rest[i:]
		}
		s = rest
	}
}

// Solid returns the style of a solid line.
func Solid(r Role) draw.LineStyle { return draw.LineStyle{Color: r.Color(), Width: vg.Points(1.75)} }

// Thin returns the style of a fine line, such as one of the grid.
func Thin(r Role) draw.LineStyle { return draw.LineStyle{Color: r.Color(), Width: vg.Points(1)} }

// Line returns the style of a side's line. It is dashed for the base, so that the sides can be told
// apart without color.
func Line(r Role) draw.LineStyle {
	l := Solid(r)
	if r == Base {
		l.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
	}
	return l
}

// Mark returns a side's mark: a ring for the base and a filled triangle for now.
func Mark(r Role, radius float64) draw.GlyphStyle {
	g := draw.GlyphStyle{Color: r.Color(), Radius: vg.Points(radius), Shape: ring{}}
	if r == Now || r == Bad {
		g.Shape = draw.PyramidGlyph{}
	}
	return g
}

// A ring is a circle. Its line is heavier than that of gonum's ring, which is hard to see on a
// light page.
type ring struct{}

// DrawGlyph draws the circle.
func (ring) DrawGlyph(c *draw.Canvas, g draw.GlyphStyle, at vg.Point) {
	c.SetLineStyle(draw.LineStyle{Color: g.Color, Width: vg.Points(1.4)})
	var path vg.Path
	path.Move(vg.Point{X: at.X + g.Radius, Y: at.Y})
	path.Arc(at, g.Radius, 0, 2*math.Pi)
	path.Close()
	c.Stroke(path)
}

// A Span is the smallest interval that holds the values it was given.
type Span struct{ Low, High float64 }

// NewSpan returns a span of these values, as [Span.Include] adds them.
func NewSpan(values ...float64) Span {
	s := Span{math.Inf(1), math.Inf(-1)}
	s.Include(values...)
	return s
}

// Include widens the span to hold the values. It ignores infinities and NaN.
func (s *Span) Include(values ...float64) {
	for _, v := range values {
		if IsFinite(v) {
			s.Low, s.High = min(s.Low, v), max(s.High, v)
		}
	}
}

// Padded returns the span with a margin on both sides, given as a share of its length. A span of a
// single value gets a margin too. The result has no negative values if the span has none.
func (s Span) Padded(share float64) Span {
	margin := (s.High - s.Low) * share
	if margin == 0 {
		margin = math.Abs(s.High) * 0.05
	}
	if margin == 0 {
		margin = 1
	}
	low := s.Low - margin
	if s.Low >= 0 {
		low = max(low, 0)
	}
	return Span{low, s.High + margin}
}

// Drawable reports whether the span can be mapped onto a canvas: it isn't empty, and floating-point
// arithmetic on its ends doesn't overflow.
func (s Span) Drawable() bool {
	return s.Low <= s.High && math.Abs(s.Low) < 1e300 && math.Abs(s.High) < 1e300
}

// IsFinite reports whether x is neither an infinity nor NaN.
func IsFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// TickLabel returns a value as format formats it, without trailing zeros: "1ms" for "1.00ms".
func TickLabel(v float64, format func(float64) string) string {
	if v == 0 {
		return "0"
	}
	text := format(v)
	rest := strings.TrimLeft(text, "-+0123456789.")
	digits := strings.TrimSuffix(text, rest)
	if strings.Contains(digits, ".") && !strings.HasPrefix(rest, "e") {
		digits = strings.TrimRight(strings.TrimRight(digits, "0"), ".")
	}
	return digits + rest
}

// Linear gives axis a the range s, with about n ticks, which format labels. Ticks are at round
// numbers; if binary is set, they are round in the power of 1024 that the labels use.
func Linear(a *plot.Axis, s Span, n int, binary bool, format func(float64) string) {
	scale := 1.0
	for binary && s.High/scale >= 1024 {
		scale *= 1024
	}
	values := NiceSteps(s.Low/scale, s.High/scale, n)
	for i := range values {
		values[i] *= scale
	}
	a.Min, a.Max = s.Low, s.High
	a.Tick.Marker = Ticks(values, func(v float64) string { return TickLabel(v, format) })
}

// Logarithmic gives axis a the range s, which must be above zero, on a logarithmic scale.
func Logarithmic(a *plot.Axis, s Span, label func(float64) string) {
	a.Min, a.Max, a.Scale = s.Low, s.High, plot.LogScale{}
	steps := LogSteps(s.Low, s.High)
	if len(steps) < 3 {
		steps = NiceSteps(s.Low, s.High, 4)
	}
	a.Tick.Marker = Ticks(slices.DeleteFunc(steps, func(v float64) bool { return v <= 0 }), label)
}

// Categories makes a the axis of names of rows, the first at the top, without a line and at a
// distance from the data. margin is the room above the first row and below the last.
func Categories(a *plot.Axis, margin float64, names []string) {
	a.LineStyle.Width, a.Tick.LineStyle.Width, a.Tick.Length, a.Padding = 0, 0, 0, vg.Points(8)
	last := float64(len(names) - 1)
	a.Min, a.Max = -margin, last+margin
	var ticks plot.ConstantTicks
	for i, name := range names {
		ticks = append(ticks, plot.Tick{Value: last - float64(i), Label: name})
	}
	a.Tick.Marker = ticks
}

// Ticks returns ticks at values, with their labels. It leaves out a tick whose label is the same as
// the label before it.
func Ticks(values []float64, label func(float64) string) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	previous := ""
	for _, v := range values {
		text := label(v)
		if text == previous {
			continue
		}
		previous = text
		ticks = append(ticks, plot.Tick{Value: v, Label: text})
	}
	return ticks
}

// NiceSteps returns about n round values between low and high, and at least three if possible.
func NiceSteps(low, high float64, n int) []float64 {
	values := roundSteps(low, high, n)
	if len(values) < 3 {
		values = roundSteps(low, high, 2*n)
	}
	return values
}

func roundSteps(low, high float64, n int) (values []float64) {
	raw := (high - low) / float64(n)
	if !(raw > 0) || !IsFinite(raw) {
		return []float64{low}
	}
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, by := range []float64{1, 2, 5, 10} {
		if step*by >= raw {
			step *= by
			break
		}
	}
	for i := math.Ceil(low/step - 1e-9); i*step <= high*(1+1e-12)+step*1e-9 && len(values) <= 2*n+2; i++ {
		values = append(values, i*step)
	}
	return values
}

// LogSteps returns 1, 2 and 5 times the powers of ten between low and high, or only the powers if
// there are many.
func LogSteps(low, high float64) (values []float64) {
	multiples := []float64{1, 2, 5}
	if high/low > 300 {
		multiples = []float64{1}
	}
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, m := range multiples {
			if v := m * math.Pow(10, e); v >= low*(1-1e-9) && v <= high*(1+1e-9) {
				values = append(values, v)
			}
		}
	}
	return values
}
