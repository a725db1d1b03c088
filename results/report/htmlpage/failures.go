package htmlpage

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
)

// failureFigures draws how many of the kept failures are of each class.
func (b *builder) failureFigures() ([]figure, error) {
	sides := b.sides()
	var classes []string
	counts := make([]map[string]int, len(sides))
	for i, side := range sides {
		counts[i] = make(map[string]int)
		for _, c := range side.FailureClasses() {
			if !slices.Contains(classes, c.Class) {
				classes = append(classes, c.Class)
			}
			counts[i][c.Class] = c.Count
		}
	}
	classes, _ = bounded.Head(classes, b.limits.Figures) // the table below has all
	if len(classes) == 0 {
		return nil, nil
	}
	most := 0
	for _, of := range counts {
		for _, class := range classes {
			most = max(most, of[class])
		}
	}
	p := svgplot.New("kept failures", "")
	p.X.Min, p.X.Max = 0, float64(most)*1.12
	whole := slices.DeleteFunc(svgplot.NiceSteps(0, float64(most), 4), func(v float64) bool { return v != float64(int(v)) })
	p.X.Tick.Marker = svgplot.Ticks(whole, func(v float64) string { return strconv.Itoa(int(v)) })
	p.Y.Min, p.Y.Max = -0.6, float64(len(classes))-0.4
	svgplot.Categories(&p.Y)
	var names plot.ConstantTicks
	var words []string
	for i, class := range classes {
		names = append(names, plot.Tick{Value: float64(len(classes) - 1 - i), Label: plaintext.Clip(class, 18)})
		for j, side := range sides {
			words = append(words, fmt.Sprintf("%s, %s: %d", plaintext.Clip(class, 40), side.Label, counts[j][class]))
		}
	}
	p.Y.Tick.Marker = names
	p.Add(svgplot.PlotterFunc(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		height := 0.7 / float64(len(sides))
		for i, class := range classes {
			for j, side := range sides {
				top := float64(len(classes)-1-i) + 0.35 - height*float64(j)
				drawBar(c, at, counts[j][class], top, height, side.role)
			}
		}
	}))
	height := float64(44 + 14*len(sides)*len(classes) + 8*len(classes))
	image, err := svgplot.Render(p, "failures", "Kept failures by class", strings.Join(words, "; ")+".", height)
	if err != nil {
		return nil, err
	}
	return []figure{{Title: "By class", SVG: image}}, nil
}

// drawBar draws a number as a bar, with the number beside it. The base's bar is an outline, as its
// marks are.
func drawBar(c draw.Canvas, at func(x, y float64) vg.Point, n int, top, height float64, role svgplot.Role) {
	right, bottom := float64(n), top-height*0.86
	corners := []vg.Point{at(0, top), at(right, top), at(right, bottom), at(0, bottom)}
	if role == svgplot.Base {
		c.StrokeLines(svgplot.Thin(role), append(corners, corners[0]))
	} else {
		c.FillPolygon(role.Color(), corners)
	}
	label := at(right, top-height*0.43)
	label.X += vg.Points(4)
	c.FillText(svgplot.LabelStyle(), label, strconv.Itoa(n))
}
