package repotest

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// TestLinksInTheDocumentation checks that each relative link of a page names a file of this
// repository, and that its anchor is a heading of that page.
func TestLinksInTheDocumentation(t *testing.T) {
	links, wrong := brokenLinks(t, repository(t))
	require.Greater(t, links, 50)
	for _, w := range wrong {
		t.Error(w)
	}
}

// TestLinksInTheDocumentation_finds checks the test itself with links that lead nowhere.
func TestLinksInTheDocumentation_finds(t *testing.T) {
	root := t.TempDir()
	write := func(name, page string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(page), 0o600))
	}
	write("README.md", "[page](docs/page.md), [a part](docs/page.md#what-it-s-for--a_b), [elsewhere](https://example.com/x#y)\n\n"+
		"| a |\n|---|\n| [in a table](docs/gone.md) |\n\n`[in code](gone.md)`\n\n[reference][r]\n\n[r]: docs/page.md#gone\n")
	write("docs/page.md", "# What it `s` for: & a_b\n\n## Twice\n\n## Twice\n\n[back](../README.md) [here](#twice-1) [not here](#twice-2) ![image](img/gone.png)\n\n"+
		"```\n# no heading\n```\n\n[code](#no-heading) [folder](../docs) [out](../../x.md)\n")
	links, wrong := brokenLinks(t, root)
	require.Equal(t, 11, links)
	require.Equal(t, []string{
		"README.md: docs/gone.md doesn't exist",
		"README.md: docs/page.md#gone: the page has no such heading",
		"docs/page.md: #twice-2: the page has no such heading",
		"docs/page.md: img/gone.png doesn't exist",
		"docs/page.md: #no-heading: the page has no such heading",
		"docs/page.md: ../../x.md leads out of the repository",
	}, wrong)
}

// brokenLinks returns the number of relative links on the pages of a repository, and a line for
// each that leads nowhere.
func brokenLinks(t *testing.T, root string) (links int, wrong []string) {
	anchors := map[string]map[string]bool{}
	for _, page := range pages(t, root) {
		anchors[page] = headingAnchors(t, page)
	}
	for _, page := range pages(t, root) {
		rel, err := filepath.Rel(root, page)
		require.NoError(t, err)
		for _, link := range relativeLinks(t, page) {
			links++
			path, anchor, hasAnchor := strings.Cut(link, "#")
			path, err := url.PathUnescape(path)
			require.NoError(t, err, link)
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), filepath.FromSlash(path))
			}
			_, err = os.Stat(target)
			within, relErr := filepath.Rel(root, target)
			require.NoError(t, relErr)
			switch {
			case !filepath.IsLocal(within):
				wrong = append(wrong, fmt.Sprintf("%s: %s leads out of the repository", filepath.ToSlash(rel), link))
			case err != nil:
				wrong = append(wrong, fmt.Sprintf("%s: %s doesn't exist", filepath.ToSlash(rel), link))
			case hasAnchor && !anchors[target][anchor]:
				wrong = append(wrong, fmt.Sprintf("%s: %s: the page has no such heading", filepath.ToSlash(rel), link))
			}
		}
	}
	return links, wrong
}

// parsePage parses a page as GitHub does.
func parsePage(t *testing.T, page string) (ast.Node, []byte) {
	source, err := os.ReadFile(page)
	require.NoError(t, err)
	return goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source)), source
}

// relativeLinks returns the destinations of a page's links and images that name no host.
func relativeLinks(t *testing.T, page string) (links []string) {
	doc, _ := parsePage(t, page)
	require.NoError(t, ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		destination := ""
		switch n := n.(type) {
		case *ast.Link:
			destination = string(n.Destination)
		case *ast.Image:
			destination = string(n.Destination)
		default:
			return ast.WalkContinue, nil
		}
		if u, err := url.Parse(destination); err != nil || u.Scheme == "" && u.Host == "" {
			links = append(links, destination)
		}
		return ast.WalkContinue, nil
	}))
	return links
}

// headingAnchors returns the anchors that GitHub gives the headings of a page: the text in lower
// case without punctuation, with dashes for spaces, and with a number appended if the same text
// came before.
func headingAnchors(t *testing.T, page string) map[string]bool {
	doc, source := parsePage(t, page)
	anchors := map[string]bool{}
	seen := map[string]int{}
	require.NoError(t, ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		heading, ok := n.(*ast.Heading)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		var b strings.Builder
		for _, r := range strings.ToLower(textOf(heading, source)) {
			switch {
			case r == ' ':
				b.WriteByte('-')
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				b.WriteRune(r)
			}
		}
		anchor := b.String()
		if n := seen[anchor]; n > 0 {
			anchors[fmt.Sprintf("%s-%d", anchor, n)] = true
		} else {
			anchors[anchor] = true
		}
		seen[anchor]++
		return ast.WalkSkipChildren, nil
	}))
	return anchors
}

// textOf returns the text of a node without its markup.
func textOf(n ast.Node, source []byte) string {
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		switch child := child.(type) {
		case *ast.Text:
			b.Write(child.Segment.Value(source))
		case *ast.String:
			b.Write(child.Value)
		default:
			b.WriteString(textOf(child, source))
		}
	}
	return b.String()
}

// pages returns the pages of the documentation: those in the root, and all below docs.
func pages(t *testing.T, root string) []string {
	list, err := filepath.Glob(filepath.Join(root, "*.md"))
	require.NoError(t, err)
	before := len(list)
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" {
			list = append(list, path)
		}
		return err
	}))
	require.Greater(t, len(list), before)
	return list
}
