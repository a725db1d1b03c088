package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/census"
	"github.com/fleetmark/fleetmark/results"
)

func count(n int) string { return grouped(int64(n)) }

// writeCode is the tables of files and lines.
func writeCode(w *results.SectionWriter, f *findings) {
	w.Text("Of the files that git knows, each line is one of blank, comment and code: code where anything is on it that is no comment. Go is read by its own scanner; elsewhere a comment is a line that begins as one.")
	row := func(name string, l census.Lines) []string {
		return []string{name, count(l.Files), count(l.All()), count(l.Blank), count(l.Comment), count(l.Code)}
	}
	header := []string{"language", "files", "lines", "blank", "comment", "code"}
	var rows [][]string
	for _, l := range f.census.Languages {
		rows = append(rows, row(l.Name, l.Lines))
	}
	w.Table("lrrrrr", header, append(rows, row("all", f.census.Total())))
	if f.census.Binary > 0 {
		w.Text("And %d that hold no text.", f.census.Binary)
	}
	w.Figure("lines", float64(f.census.Total().All()))

	w.Heading("By package")
	rows = nil
	var code, tests census.Lines
	packageRow := func(name string, code, tests census.Lines) []string {
		ratio := ""
		if code.Code > 0 {
			ratio = strconv.FormatFloat(float64(tests.Code)/float64(code.Code), 'f', 1, 64)
		}
		return []string{name, count(code.Files), count(code.Blank), count(code.Comment), count(code.Code), count(tests.Files), count(tests.Code), ratio}
	}
	for _, p := range f.census.Packages {
		rows = append(rows, packageRow(p.Path, p.Code, p.Tests))
		code, tests = code.Add(p.Code), tests.Add(p.Tests)
	}
	w.Table("lrrrrrrr", []string{"package", "files", "blank", "comment", "code", "test files", "code of tests", "tests to code"}, append(rows, packageRow("all", code, tests)))
}

// writeTests is the table of tests and what they reach.
func writeTests(w *results.SectionWriter, f *findings) {
	t := f.tested
	w.Text("%s tests, examples and fuzz targets (on their seeds) passed, with %s subtests; %s failed, %s skipped themselves; in %s, by", count(t.Passed), count(t.Subtests), count(t.Failed), count(t.Skipped), t.Elapsed.Round(time.Second))
	w.Commands(census.Command())
	if len(t.FailedNames) > 0 {
		w.Text("What failed: %s.", strings.Join(t.FailedNames, ", "))
	}
	w.Text("Coverage is of a package's statements by its own tests alone. What only a session of the command reaches, as of cmd/fleetmark, is not seen in it.")
	w.Figure("failed", float64(t.Failed))
	w.Figure("passed", float64(t.Passed))
	var rows [][]string
	var all census.Coverage
	totals := map[string]int{}
	for _, p := range f.census.Packages {
		row := []string{p.Path}
		for _, kind := range census.TestKinds() {
			n := len(f.names[p.Path][kind])
			totals[kind] += n
			row = append(row, count(n))
		}
		c, ok := t.Coverage[p.Path]
		if !ok || c.Statements == 0 {
			rows = append(rows, append(row, "–", "–"))
			continue
		}
		all.Statements, all.Reached = all.Statements+c.Statements, all.Reached+c.Reached
		w.Figure("coverage "+p.Path, c.Fraction())
		rows = append(rows, append(row, count(c.Statements), percent(c)))
	}
	row := []string{"all"}
	for _, kind := range census.TestKinds() {
		row = append(row, count(totals[kind]))
	}
	rows = append(rows, append(row, count(all.Statements), percent(all)))
	w.Table("lrrrrrr", []string{"package", "tests", "examples", "fuzz targets", "benchmarks", "statements", "reached"}, rows)
}

func percent(c census.Coverage) string { return fmt.Sprintf("%.1f%%", 100*c.Fraction()) }

// measuredRoom is the package whose digest a page keeps: what is measured.
const measuredRoom = "delivery"

// sourceDigest names what a room's code does: that of its files that are built.
func sourceDigest(root, room string) (string, error) {
	files, err := filepath.Glob(filepath.Join(root, room, "*.go"))
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, file := range files { // sorted
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", filepath.Base(file), len(text))
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
