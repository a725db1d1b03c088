package report

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"image/color"
	"math"
	"strings"

	"golang.org/x/image/font"
	"gonum.org/v1/plot"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// plotWidth is that of every plot, in points that a phone shows about one to one: so a label
// is as large as the text around it there, and larger elsewhere.
const plotWidth = 340

// An ink is a colour by its role. A page has two schemes, so a plot is drawn in colours that
// stand for roles, and [svg] puts the page's variables in their place.
type ink uint8

const (
	inkText ink = iota + 1
	inkGrid
	inkBase
	inkNow
	inkBad
)

func (i ink) color() color.Color { return color.RGBA{R: 0xA0, G: uint8(i), B: 0x5C, A: 0xFF} }

// variables replaces each role's colour by the variable that the page's style sheet sets.
func variables() *strings.Replacer {
	names := map[ink]string{inkText: "--ink-2", inkGrid: "--grid", inkBase: "--base", inkNow: "--now", inkBad: "--bad"}
	var pairs []string
	for i, name := range names {
		hex := fmt.Sprintf("#A0%02X5C", uint8(i))
		for _, property := range []string{"fill:", "stroke:"} {
			pairs = append(pairs, property+hex, property+"var("+name+")")
		}
	}
	return strings.NewReplacer(pairs...)
}

// face is the font by whose widths labels are laid out. The page's style sheet sets them a
// tenth smaller, since where it finds no such font another may be as much wider.
func face() plotfont.Font {
	return plotfont.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(11.5), Weight: font.WeightNormal}
}

// labelStyle is that of a label to the right of a point.
func labelStyle() text.Style {
	return text.Style{Color: inkText.color(), Font: face(), XAlign: draw.XLeft, YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
}

// newPlot is a plot without a title, which the page writes, and without a background.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle = draw.LineStyle{Color: inkGrid.color(), Width: vg.Points(1)}
		a.Tick.LineStyle = draw.LineStyle{Color: inkGrid.color(), Width: vg.Points(1)}
		a.Tick.Length = vg.Points(4)
		a.Tick.Label.Color, a.Tick.Label.Font = inkText.color(), face()
		a.Label.TextStyle.Color, a.Label.TextStyle.Font = inkText.color(), face()
		a.Label.Padding = vg.Points(3)
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	return p
}

// A drawing is what a custom plotter does: it is given the canvas and a mapping onto it.
type drawing func(c draw.Canvas, at func(x, y float64) vg.Point)

// Plot makes a drawing a plot.Plotter.
func (d drawing) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	d(c, func(a, b float64) vg.Point { return vg.Point{X: x(a), Y: y(b)} })
}

// svg draws the plot as an element of the page: no colour, font or size of its own, and a
// title and a description for who can't see it.
func svg(p *plot.Plot, id, title, description string, height float64) (template.HTML, error) {
	canvas := vgsvg.New(plotWidth, vg.Length(height))
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
	// A label's element lies below the title's, and its text is what a mouse would be told.
	head := fmt.Sprintf(`<svg class="plot" role="img" aria-labelledby="%[1]s-t %[1]s-d" viewBox="0 0 %[2]d %.[3]f"><title id="%[1]s-t">%[4]s</title><desc id="%[1]s-d">%[5]s</desc>`,
		id, plotWidth, height, html.EscapeString(title), html.EscapeString(description))
	return template.HTML(head + body), nil
}

// withoutFonts takes the font's description out of each label, so that the page's holds.
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

func solid(i ink) draw.LineStyle { return draw.LineStyle{Color: i.color(), Width: vg.Points(1.75)} }

func thin(i ink) draw.LineStyle { return draw.LineStyle{Color: i.color(), Width: vg.Points(1)} }

func dashed(i ink) draw.LineStyle {
	l := solid(i)
	l.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
	return l
}

// glyph is a side's mark: a ring for the base, a filled triangle for now, so that no colour
// is needed to tell them apart.
func glyph(i ink, radius float64) draw.GlyphStyle {
	g := draw.GlyphStyle{Color: i.color(), Radius: vg.Points(radius), Shape: ring{}}
	if i == inkNow || i == inkBad {
		g.Shape = draw.PyramidGlyph{}
	}
	return g
}

// A ring is a circle that is heavier than gonum's, which a light page would lose.
type ring struct{}

func (ring) DrawGlyph(c *draw.Canvas, g draw.GlyphStyle, at vg.Point) {
	c.SetLineStyle(draw.LineStyle{Color: g.Color, Width: vg.Points(1.4)})
	var path vg.Path
	path.Move(vg.Point{X: at.X + g.Radius, Y: at.Y})
	path.Arc(at, g.Radius, 0, 2*math.Pi)
	path.Close()
	c.Stroke(path)
}

// line is a side's line: dashed for the base.
func line(i ink) draw.LineStyle {
	if i == inkBase {
		return dashed(i)
	}
	return solid(i)
}

// ticksAt are ticks with the values in words.
func ticksAt(values []float64, label func(float64) string) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	previous := ""
	for _, v := range values {
		words := label(v)
		if words == previous { // too close for the digits that are shown
			continue
		}
		previous = words
		ticks = append(ticks, plot.Tick{Value: v, Label: words})
	}
	return ticks
}

// niceSteps are about n round values between low and high, and three where there is room.
func niceSteps(low, high float64, n int) []float64 {
	values := roundSteps(low, high, n)
	if len(values) < 3 {
		values = roundSteps(low, high, 2*n)
	}
	return values
}

func roundSteps(low, high float64, n int) (values []float64) {
	raw := (high - low) / float64(n)
	if !(raw > 0) || !finite(raw) {
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

// logSteps are 1, 2 and 5 of each power of ten between low and high, or fewer where those
// are many.
func logSteps(low, high float64) (values []float64) {
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
