package report_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/ci"
	"github.com/fleetmark/fleetmark/results/report/htmlpage"
)

func htmlPageOf(t testing.TB, s *report.Input) string {
	t.Helper()
	return htmlOf(t, documentOf(s))
}

func htmlOf(t testing.TB, d *report.Document) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, htmlpage.Write(&b, d, "gate"))
	require.LessOrEqual(t, b.Len(), htmlpage.MaxSize)
	return b.String()
}

// TestHTMLIsWellFormedAndInert walks each kind of page as a browser parses it.
func TestHTMLIsWellFormedAndInert(t *testing.T) {
	allowed := map[string]bool{}
	for _, name := range strings.Fields(`html head meta title style body main header p h1 h2 h3 div span ul ol li dl dt dd nav a section figure figcaption details summary
		table thead tbody tr th td pre code strong footer svg g path text circle desc`) {
		allowed[name] = true
	}
	for name, s := range inputs() {
		t.Run(name, func(t *testing.T) {
			page := htmlPageOf(t, s)
			requireBalanced(t, page)
			require.NotContains(t, page, "\x00")
			require.NotContains(t, page, "\u202e")
			root, err := html.Parse(strings.NewReader(page))
			require.NoError(t, err)
			ids := map[string]bool{}
			var plots []*html.Node
			for n := range root.Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				require.True(t, allowed[n.Data], "an element <%s>", n.Data)
				for _, a := range n.Attr {
					require.False(t, strings.HasPrefix(a.Key, "on"), "%s=%q", a.Key, a.Val)
					switch a.Key {
					case "href":
						require.True(t, strings.HasPrefix(a.Val, "#"), a.Val)
					case "src", "srcset", "xlink:href", "action", "data":
						t.Errorf("%s=%q", a.Key, a.Val)
					case "style":
						require.Regexp(t, `^[a-z0-9:;.,()\- ]*$`, a.Val, "colors by role alone")
					case "id":
						require.False(t, ids[a.Val], "id %q twice", a.Val)
						ids[a.Val] = true
					}
				}
				if n.Data == "svg" && attribute(n, "role") == "img" {
					plots = append(plots, n)
				}
			}
			for _, plot := range plots {
				require.Equal(t, "title", plot.FirstChild.Data)
				for id := range strings.FieldsSeq(attribute(plot, "aria-labelledby")) {
					require.True(t, ids[id], id)
				}
				require.NotEmpty(t, plot.FirstChild.FirstChild.Data)
				require.NotEmpty(t, plot.FirstChild.NextSibling.FirstChild.Data, "a description")
			}
			require.NotRegexp(t, `(?i)url\(|@import|#A0[0-9A-F]{2}5C|NaN|[+-]Inf`, withoutText(page))
		})
	}
}

// withoutText returns the markup of a page, without texts, which may hold names from users.
func withoutText(page string) string {
	return strings.Join(regexp.MustCompile(`<[^>]*>`).FindAllString(page, -1), "")
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// requireBalanced checks that every element has its own end tag. A browser would accept missing
// ones.
func requireBalanced(t testing.TB, page string) {
	t.Helper()
	void := map[string]bool{"meta": true}
	var open []string
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			require.Empty(t, open)
			return
		case html.StartTagToken:
			if name, _ := z.TagName(); !void[string(name)] {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			require.NotEmpty(t, open, "</%s>", name)
			require.Equal(t, open[len(open)-1], string(name))
			open = open[:len(open)-1]
		}
	}
}

func TestHTMLSays(t *testing.T) {
	for name, c := range map[string]struct {
		s    *report.Input
		want []string
		lack []string
	}{
		"a gate": {gateInput(), []string{
			`<p class="word">regressed</p><p class="reason">push p99-ns/op went from 1.32ms to 1.43ms (&#43;8.0%), and 1 other metric.</p>`,
			"this branch (revision 0badcafe, 12 repetitions) is held against main (revision 5d3d764, 12 repetitions).",
			"What stands out", "Ratio of neighboring measurements", "×1.080 (1.064 to 1.098)", "Samples of push p99-ns/op",
			"push ops/s by repetition",
			"main: 12 samples, median 1.32ms", "fleetmark gate --base main", "an idle machine was waited for",
			"Only some percentiles are known",
		}, []string{"What became of the devices", "Can the numbers be trusted", "The scenario</h2>"}},
		"whole": {wholeInput(), []string{
			`<p class="word">threshold failed</p>`, "✗ failed: not measured", "✓ held", "Kept failures by class",
			"integrity, now: 20", "push device: it said &lt;no&gt;",
			"Response time by percentile: push", "name: rollout", "In the reference benchmark", "the limit was found at 900/s",
			"fleetmark run rollout --seed 7",
		}, []string{"Ratios</h2>"}},
		"a run alone": {runInput(testRun(), nil),
			[]string{`<p class="word">no verdict</p>`, "no baseline to hold the run against"},
			[]string{"What stands out", ">verdict<", `class="key"`}},
	} {
		t.Run(name, func(t *testing.T) {
			page := htmlPageOf(t, c.s)
			require.Equal(t, page, htmlPageOf(t, c.s), "the same bytes again")
			for _, want := range c.want {
				require.Contains(t, page, want)
			}
			for _, lack := range c.lack {
				require.NotContains(t, page, lack)
			}
		})
	}
}

func TestHTMLIsBounded(t *testing.T) {
	testenv.SlowRaced(t)
	for name, s := range map[string]*report.Input{"many rows": hostileInput(1000, 100),
		"long names": hostileInput(30, 100_000)} {
		t.Run(name, func(t *testing.T) {
			page := htmlPageOf(t, s)
			require.Contains(t, page, "…", "it says what it cut")
			require.True(t, name != "many rows" || strings.Contains(page, "600 rows left out"))
			require.NotContains(t, page, "<script")
		})
	}
}

// TestSVGFollowsTheScheme checks that plots have no colors of their own, and that the style sheet
// defines every color that they name in both schemes.
func TestSVGFollowsTheScheme(t *testing.T) {
	page := htmlPageOf(t, gateInput())
	style, err := os.ReadFile("htmlpage/page.css")
	require.NoError(t, err)
	light, dark, found := strings.Cut(string(style), "@media (prefers-color-scheme: dark)")
	require.True(t, found)
	used := regexp.MustCompile(`(?:fill|stroke):([^;"]+)`)
	for _, svg := range regexp.MustCompile(`(?s)<svg class="plot".*?</svg>`).FindAllString(page, -1) {
		require.NotContains(t, svg, "font-family")
		for _, m := range used.FindAllStringSubmatch(svg, -1) {
			if m[1] == "none" {
				continue
			}
			role := strings.TrimSuffix(strings.TrimPrefix(m[1], "var("), ")")
			require.Contains(t, light, role+":")
			require.Contains(t, dark, role+":")
		}
	}
}

// TestTimelineFollowsTheScheme checks that the style sheet has every class of the plots over time, and
// that these have no colors of their own.
func TestTimelineFollowsTheScheme(t *testing.T) {
	style, err := os.ReadFile("htmlpage/page.css")
	require.NoError(t, err)
	side := withTimeline(t, testRun(), `{"load":{"model":"spike","spike":{"rate":"9/s","at":"1s","for":"1s"}}}`, stalled(),
		intervalsOf(2, closedLoad(16, 2*second, 20*time.Millisecond, 40), second/10, false))
	_, section, _ := strings.Cut(htmlPageOf(t, timedInput(side, &side)), `<section id="when">`)
	section, _, _ = strings.Cut(section, "</section>")
	classes := regexp.MustCompile(`<(?:path|text)[^>]* ?class="([^"]*)"`).FindAllStringSubmatch(section, -1)
	require.Greater(t, len(classes), 100)
	for _, m := range classes {
		for class := range strings.FieldsSeq(m[1]) {
			if class != "tick" && class != "wave" { // as all text
				require.Contains(t, string(style), "."+class)
			}
		}
	}
	require.NotRegexp(t, `(?:fill|stroke|style|color)[=:]`, withoutText(section))
}

func BenchmarkHTML(b *testing.B) {
	s := wholeInput()
	for b.Loop() {
		var page bytes.Buffer
		if err := htmlpage.Write(&page, documentOf(s), "gate"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestEveryKindRendersInEveryForm(t *testing.T) {
	for name, s := range inputs() {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, report.Markdown(&b, documentOf(s)))
			require.NoError(t, report.Comment(&b, documentOf(s)))
			require.NoError(t, ci.JUnit(&b, documentOf(s)))
			require.NoError(t, ci.Annotations(&b, documentOf(s)))
			require.NoError(t, report.JSON(&b, documentOf(s)))
		})
	}
}

// FuzzHTML writes pages with arbitrary names, reasons and values.
func FuzzHTML(f *testing.F) {
	f.Add("rollout", "went from 1 to 2", 1.5)
	f.Add(evil, evil, 1e300)
	f.Fuzz(func(t *testing.T, name, reason string, value float64) {
		s := gateInput()
		s.Scenario, s.Base.Label, s.Judgement.Reasons = name, name, []judge.Reason{{Code: judge.GoTestFailed, Text: reason}}
		s.Now.Records[3].Values[0].Value = value
		s.Judgement.Rows[1].Ratio.High = value
		requireBalanced(t, htmlPageOf(t, s))
	})
}

// TestHTMLDrawsAnyNumber checks that every value gives a plot of finite size and coordinates.
func TestHTMLDrawsAnyNumber(t *testing.T) {
	testenv.SlowRaced(t)
	for _, v := range []float64{0, -1, 5e-324, 1e-300, 1e-9, 1e17, 123456789012345678, 1e300, -1e300, 1e308, -1e308,
		math.MaxFloat64, -math.MaxFloat64, nan(), math.Inf(1), math.Inf(-1)} {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			s := gateInput()
			for i := range s.Now.Records {
				for j := range s.Now.Records[i].Values {
					s.Now.Records[i].Values[j].Value = v
				}
			}
			s.Judgement.Rows[1].Ratio.High, s.Judgement.Rows[2].Ratio.Low = v, v
			page := htmlPageOf(t, s)
			requireBalanced(t, page)
			require.NotRegexp(t, `NaN|Inf`, withoutText(page))
			require.Less(t, len(page), 500_000)
		})
	}
}
