package svgplot

import (
	"math"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// paths returns the paths of a drawing that is 100 pixels high.
func paths(draw func(w *Wide)) (list []string) {
	w := &Wide{Height: 100}
	draw(w)
	for _, m := range regexp.MustCompile(` d="([^"]*)"`).FindAllStringSubmatch(string(w.Decoration()), -1) {
		list = append(list, m[1])
	}
	return list
}

func TestWideSteps(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		steps []Step
		want  []string
	}{
		"none":        {nil, nil},
		"no value":    {[]Step{{0, 10, nan}}, nil},
		"one":         {[]Step{{0, 10, 5}}, []string{"M0 5H10"}},
		"up and down": {[]Step{{0, 10, 5}, {10, 20, 2.25}, {20, 30, 2.25}, {30, 40, 7}}, []string{"M0 5H10V2.2H20H30V7H40"}},
		"a gap":       {[]Step{{0, 10, 5}, {10, 20, nan}, {20, 30, 5}}, []string{"M0 5H10M20 5H30"}},
		"a break":     {[]Step{{0, 10, 5}, {12, 20, 5}}, []string{"M0 5H10M12 5H20"}},
		"outside":     {[]Step{{0, 10, -5}, {10, 20, math.Inf(1)}}, []string{"M0 0H10V100H20"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, paths(func(w *Wide) { w.Steps("x", c.steps) }))
		})
	}
}

func TestWideBand(t *testing.T) {
	nan := math.NaN()
	upper := []Step{{0, 10, 5}, {10, 20, 6}, {20, 30, nan}, {30, 40, 7}, {45, 50, 8}}
	lower := []Step{{0, 10, 50}, {10, 20, 60}, {20, 30, nan}, {30, 40, 70}, {45, 50, 80}}
	require.Equal(t, []string{"M0 50V5H10V6H20V60H10V50H0z" + "M30 70V7H40V70H30z" + "M45 80V8H50V80H45z"},
		paths(func(w *Wide) { w.Band("x", upper, lower) }))
	require.Empty(t, paths(func(w *Wide) { w.Band("x", nil, nil) }))
}

func TestWideEscapesText(t *testing.T) {
	w := &Wide{Height: 10}
	w.Tooltip(0, 10, "<a>&")
	w.Label("x", math.NaN(), 5, "start", "<b>")
	page := string(w.Plot("id", "<t>", "<d>"))
	for _, want := range []string{"<title>&lt;a&gt;&amp;</title>", ">&lt;b&gt;</text>", ">&lt;t&gt;</title>",
		">&lt;d&gt;</desc>",
		`x="0%"`, `role="img" aria-labelledby="id-t id-d"`} {
		require.Contains(t, page, want)
	}
}
