package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// failureFigures draw how many of the kept failures were of each class, base and now.
func (s *Subject) failureFigures(l limits) ([]figure, error) {
	sides := s.drawnSides()
	var classes []string
	counts := make([]map[string]int, len(sides))
	most := 0
	for i, side := range sides {
		counts[i] = make(map[string]int)
		for _, c := range failuresByClass(side.Failures) {
			if !slices.Contains(classes, c.class) {
				classes = append(classes, c.class)
			}
			counts[i][c.class] = c.n
		}
	}
	classes, _ = first(classes, l.figures) // the table has them all
	if len(classes) == 0 {
		return nil, nil
	}
	for _, of := range counts {
		for _, class := range classes {
			most = max(most, of[class])
		}
	}
	p := newPlot("kept failures", "")
	p.X.Min, p.X.Max = 0, float64(most)*1.12
	whole := slices.DeleteFunc(niceSteps(0, float64(most), 4), func(v float64) bool { return v != float64(int(v)) })
	p.X.Tick.Marker = ticksAt(whole, func(v float64) string { return strconv.Itoa(int(v)) })
	p.Y.Min, p.Y.Max = -0.6, float64(len(classes))-0.4
	namesOf(&p.Y)
	var names plot.ConstantTicks
	var words []string
	for i, class := range classes {
		names = append(names, plot.Tick{Value: float64(len(classes) - 1 - i), Label: clip(class, 18)})
		for j, side := range sides {
			words = append(words, fmt.Sprintf("%s, %s: %d", clip(class, 40), side.label, counts[j][class]))
		}
	}
	p.Y.Tick.Marker = names
	p.Add(drawing(func(c draw.Canvas, at func(x, y float64) vg.Point) {
		height := 0.7 / float64(len(sides))
		for i, class := range classes {
			for j, side := range sides {
				n := counts[j][class]
				top := float64(len(classes)-1-i) + 0.35 - height*float64(j)
				corners := []vg.Point{at(0, top), at(float64(n), top), at(float64(n), top-height*0.86), at(0, top-height*0.86)}
				if side.ink == inkBase { // an outline, as its marks are
					c.StrokeLines(thin(side.ink), append(corners, corners[0]))
				} else {
					c.FillPolygon(side.ink.color(), corners)
				}
				label := at(float64(n), top-height*0.43)
				label.X += vg.Points(4)
				c.FillText(labelStyle(), label, strconv.Itoa(n))
			}
		}
	}))
	image, err := svg(p, "failures", "Kept failures by class", strings.Join(words, "; ")+".", float64(44+14*len(sides)*len(classes)+8*len(classes)))
	if err != nil {
		return nil, err
	}
	return []figure{{Title: "By class", SVG: image}}, nil
}
