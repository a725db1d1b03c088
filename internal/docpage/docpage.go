// Package docpage keeps the parts of documentation pages that are made from code up to date. A test
// beside the code makes the text of a part and calls [Check], which compares it with the page, or
// writes it if the variable FLEETMARK_UPDATE_GOLDEN is set.
//
// A part stands between two comments of the page, with blank lines around it:
//
//	<!-- begin NAME: written by TEST -->
//	<!-- end NAME -->
//
// The text outside the parts is written by hand. [Source] makes tables from declarations and their
// comments. The package is imported by tests only.
package docpage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Update names the variable that makes [Check] write the part instead of comparing it.
const Update = "FLEETMARK_UPDATE_GOLDEN"

// Check requires that a part of a page, such as reference/metrics.md, equals text. Tests of two
// packages must not write parts of the same page at the same time.
func Check(t testing.TB, page, part, text string) {
	t.Helper()
	root, err := moduleRoot()
	require.NoError(t, err)
	file := filepath.Join(root, "docs", filepath.FromSlash(page))
	read, err := os.ReadFile(file)
	require.NoError(t, err)
	old := strings.ReplaceAll(string(read), "\r\n", "\n")
	updated, err := replacePart(old, part, "written by "+t.Name(), text)
	require.NoError(t, err, page)
	if os.Getenv(Update) != "" && updated != old {
		require.NoError(t, os.WriteFile(file, []byte(updated), 0o644))
		return
	}
	if updated != old {
		t.Errorf("docs/%s is stale: run this test with %s=1. %s", page, Update, firstDifference(old, updated))
	}
}

// firstDifference describes the first line that differs between two texts.
func firstDifference(old, updated string) string {
	was, is := strings.Split(old, "\n"), strings.Split(updated, "\n")
	i := 0
	for i < len(was) && i < len(is) && was[i] == is[i] {
		i++
	}
	line := func(lines []string) string {
		if i < len(lines) {
			return strconv.Quote(lines[i])
		}
		return "the end"
	}
	return fmt.Sprintf("Line %d is %s, and must be %s", i+1, line(was), line(is))
}

// replacePart returns the page with the text of a part replaced.
func replacePart(page, part, author, text string) (string, error) {
	begin, end := "<!-- begin "+part+":", "<!-- end "+part+" -->\n"
	before, rest, ok := strings.Cut(page, begin)
	if !ok {
		return "", fmt.Errorf("the page has no %s … -->", begin)
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return "", fmt.Errorf("the page has no %s", end)
	}
	return before + begin + " " + author + " -->\n\n" + strings.TrimSpace(text) + "\n\n" + end + after, nil
}

// moduleRoot returns the directory of the go.mod above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
}

// Table returns a Markdown table. The cells are Markdown already.
func Table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(head)
	b.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	for _, row := range rows {
		line(row)
	}
	return b.String()
}
