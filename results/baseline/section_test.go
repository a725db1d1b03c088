package baseline

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSectionWriter(t *testing.T) {
	w := NewSection("time", "Where the time goes")
	w.Text("%d operations of net.(*Dialer), a|b.", 3)
	w.Table("lr", []string{"op", "ns"}, [][]string{{"push|", "`a|*b`"}, {"verify"}})
	w.Commands("fleetmark run", "fleetmark baseline")
	w.Command("All of *it* with", "fleetmark run '`'")
	w.Command("Measured with", "go test "+strings.Repeat("x", 100))
	w.Figure("push ns", 1.5)
	s, err := w.Section()
	require.NoError(t, err)
	require.Equal(t, Section{Name: "time", Title: "Where the time goes", Figures: map[string]float64{"push ns": 1.5},
		Body: `3 operations of net.(\*Dialer), a\|b.

| op     |      ns |
|:-------|--------:|
| push\| | ` + "`a\\|*b`" + ` |
| verify |         |

` + "```sh\n  fleetmark run\n  fleetmark baseline\n```\n\nAll of \\*it\\* with ``fleetmark run '`'``.\n\nMeasured with\n`go test " + strings.Repeat("x", 100) + "`."}, s)
}

// TestWrap checks that no line of a paragraph begins with a word that makes it anything but text.
func TestWrap(t *testing.T) {
	for _, word := range []string{"Benchmark", "Unit", "key:", "-", "#", "1.", "10", "+", "=", ">"} {
		for pad := range 130 {
			text := wrap("T" + strings.Repeat("x", pad) + " " + strings.Repeat("filler ", 15) + word + " and so on " +
				strings.Repeat("until ", 30))
			for line := range strings.SplitSeq(text, "\n") {
				require.Truef(t, strings.HasPrefix(line, "T") || mayStartLine(strings.Fields(line)[0]), "%q", line)
			}
		}
	}
	require.Equal(t, "one two", wrap(" one\n two "))
}

func TestWrite_refusesSections(t *testing.T) {
	for name, s := range map[string]Section{
		"no name":           {Title: "A"},
		"a name with a >":   {Name: "a -->", Title: "A"},
		"no title":          {Name: "a"},
		"two titles":        {Name: "a", Title: "A\nB"},
		"a heading":         {Name: "a", Title: "A", Body: "text\n## B"},
		"samples":           {Name: "a", Title: "A", Body: "```text\n```"},
		"facts":             {Name: "a", Title: "A", Body: "```json\n```"},
		"a benchmark":       {Name: "a", Title: "A", Body: "BenchmarkX 1 1 ns/op"},
		"configuration":     {Name: "a", Title: "A", Body: "goos: linux"},
		"a mark":            {Name: "a", Title: "A", Body: markSectionsEnd},
		"an empty line":     {Name: "a", Title: "A", Body: "text\n"},
		"a carriage return": {Name: "a", Title: "A", Body: "a\rb"},
		"no number":         {Name: "a", Title: "A", Figures: map[string]float64{"x": math.NaN()}},
	} {
		b := testPage()
		b.Sections = []Section{s}
		require.ErrorContains(t, Write(&strings.Builder{}, b), "want", name)
	}
	b := testPage()
	b.Sections = []Section{{Name: "a", Title: "A"}, {Name: "a", Title: "B"}}
	require.ErrorContains(t, Write(&strings.Builder{}, b), "given twice")
	_, err := (&SectionWriter{section: Section{Name: "Not a name"}}).Section()
	require.Error(t, err)
}

// TestParse_sectionsThatDoNotFitTheFacts checks that a page is refused if its parts contradict each
// other, even if the digest is right.
func TestParse_sectionsThatDoNotFitTheFacts(t *testing.T) {
	b := testPage()
	b.Sections = testSections()
	text := pageText(t, b)
	for _, c := range []struct{ from, to, want string }{
		{"<!-- fleetmark:section left-out -->\n", "", `has no end of the section "time"`},
		{"<!-- fleetmark:section time -->\n", "", `lacks the section "time"`},
		{"<!-- fleetmark:sections:end -->\n", "", `has no end of the section "empty"`},
		{"## Where the time goes\n", "## Elsewhere\n", `the section "time" lacks its title`},
		{"Of 3 operations.", "Of 4 operations.", "edited by hand"},
		{`"push wait ns":1200`, `"push wait ns":100`, "edited by hand"},
	} {
		require.Contains(t, text, c.from)
		_, err := readText(t, strings.Replace(text, c.from, c.to, 1))
		require.ErrorContains(t, err, c.want)
	}
}
