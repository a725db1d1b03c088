package report_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
)

// rendered parses Markdown as GitHub does, with raw HTML and links, and returns the HTML.
func rendered(t testing.TB, text string) *nethtml.Node {
	t.Helper()
	var b bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	require.NoError(t, md.Convert([]byte(text), &b))
	requireBalanced(t, strings.ReplaceAll(strings.ReplaceAll(b.String(), "<hr>", ""), "<br>", ""))
	root, err := nethtml.Parse(strings.NewReader(b.String()))
	require.NoError(t, err)
	return root
}

// requireEscaped checks that only the renderer's own text became markup, and that none of its markup
// was left as text.
func requireEscaped(t testing.TB, root *nethtml.Node, wantText string) {
	t.Helper()
	allowed := map[string]bool{}
	for _, name := range strings.Fields("html head body p strong table thead tbody tr th td details summary ul li pre code hr h1 h2") {
		allowed[name] = true
	}
	for n := range root.Descendants() {
		switch n.Type {
		case nethtml.ElementNode:
			require.True(t, allowed[n.Data], "an element <%s>", n.Data)
		case nethtml.CommentNode:
			t.Errorf("a comment: %s", n.Data)
		case nethtml.TextNode:
			if inside(n, "code") || inside(n, "td") || strings.Contains(n.Data, "Benchmark") {
				continue // may hold words of the input, which may look like markup
			}
			for _, stray := range []string{"</", "**", "|:-", ":--", "```"} {
				require.NotContains(t, n.Data, stray)
			}
		}
	}
	require.Contains(t, textOf(root), wantText)
}

func inside(n *nethtml.Node, name string) bool {
	for p := range n.Ancestors() {
		if p.Data == name {
			return true
		}
	}
	return false
}

func textOf(n *nethtml.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == nethtml.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func comment1(t testing.TB, inputs ...*report.Input) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Comment(&b, documentOf(inputs...)))
	require.LessOrEqual(t, bounded.Characters(b.Bytes()), report.MaxComment)
	return b.String()
}

func TestCommentEscapesInput(t *testing.T) {
	for name, s := range inputs() {
		t.Run(name, func(t *testing.T) {
			requireEscaped(t, rendered(t, comment1(t, s)), documentOf(s).Results[0].Headline.Word)
		})
	}
}

func TestCommentSaysTheVerdictFirst(t *testing.T) {
	for want, s := range map[string]*report.Input{
		"❌ **throughput: regressed**: push p99-ns/op went from 1.32ms to 1.43ms (+8.0%), and 1 other metric.\n":                                           gateInput(),
		"✅ **rollout: pass**: 1 metric judged, none beyond its tolerance":                                                                                 runInput(testRun(), judgement(testRun())),
		"➖ **rollout: no verdict**: no baseline to hold the run against.\n":                                                                               runInput(testRun(), nil),
		"❌ **rollout: threshold failed**: 2 of 3 thresholds failed: failed/device == 0 (5%), p99-ns/op \\< 1s (not measured); against the baseline: pass": wholeInput(),
	} {
		require.True(t, strings.HasPrefix(comment1(t, s), want), comment1(t, s))
	}
}

// TestCommentOfManyShowsTheWorstFirst checks the one comment about several scenarios.
func TestCommentOfManyShowsTheWorstFirst(t *testing.T) {
	testenv.SlowRaced(t)
	text := comment1(t, runInput(testRun(), judgement(testRun())), gateInput())
	require.True(t, strings.HasPrefix(text, "❌ **throughput: regressed**"), text)
	require.Contains(t, text, "\n---\n\n✅ **rollout: pass**")
	requireEscaped(t, rendered(t, text), "regressed")
	many := make([]*report.Input, 1000)
	for i := range many {
		many[i] = gateInput()
	}
	require.Contains(t, comment1(t, many...), "900 scenarios more, none of them worse.")
}

func TestCommentFolds(t *testing.T) {
	root := rendered(t, comment1(t, wholeInput()))
	var summaries []string
	tables := 0
	for n := range root.Descendants() {
		switch n.Data {
		case "summary":
			summaries = append(summaries, textOf(n))
		case "table":
			tables++
		}
	}
	require.Equal(t, []string{"3 thresholds, 2 failed", "9 metrics, 9 of them judged", "What became of the devices",
		"Warnings and notes", "Where it was measured, and how to reproduce"}, summaries)
	require.Equal(t, 3, tables)
}

func TestCommentIsBounded(t *testing.T) {
	testenv.SlowRaced(t)
	for _, c := range []struct{ rows, length int }{{2000, 0}, {200, 1000}, {10, 100_000}, {1, 500_000}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			s := hostileInput(c.rows, c.length)
			s.Now.Records = nil
			text := comment1(t, s)
			line, _, _ := strings.Cut(text, "\n")
			require.Contains(t, line, "**: ")
			requireEscaped(t, rendered(t, text), "regressed")
			four := make([]*report.Input, 4)
			for i := range four {
				four[i] = s
			}
			requireEscaped(t, rendered(t, comment1(t, four...)), "regressed")
		})
	}
}

func TestMarkdownEscapesInput(t *testing.T) {
	for name, s := range inputs() {
		t.Run(name, func(t *testing.T) {
			if name == "hostile" {
				t.Skip("the page links as GitHub's linkifier does; see TestMarkdownHoldsNoResults")
			}
			var b bytes.Buffer
			require.NoError(t, report.Markdown(&b, documentOf(s)))
			requireEscaped(t, rendered(t, b.String()), "")
		})
	}
}

// FuzzComment writes comments with arbitrary names, reasons and notes.
func FuzzComment(f *testing.F) {
	f.Add("rollout", "went from 1 to 2", "a note", 3)
	f.Add(evil, evil, evil, 30)
	f.Add("\\", "`", "|", 1)
	f.Fuzz(func(t *testing.T, name, reason, note string, rows int) {
		s := gateInput()
		s.Scenario, s.Judgement.Reasons = name, []judge.Reason{{Code: judge.GoTestFailed, Text: reason}}
		for i := range max(0, min(rows, 100)) {
			r := s.Judgement.Rows[i%9]
			r.Op, r.Unit.Name, r.Reason.Code = name, note+fmt.Sprint(i), judge.Code(note)
			s.Judgement.Rows = append(s.Judgement.Rows, r)
		}
		root := rendered(t, comment1(t, s))
		for n := range root.Descendants() {
			if n.Type == nethtml.ElementNode {
				require.NotContains(t, []string{"a", "img", "script", "em", "del", "br", "h1", "blockquote"}, n.Data)
			}
		}
	})
}
