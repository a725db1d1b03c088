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

// countOf is a number with its noun, such as "1 file" or "652 files".
func countOf(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return count(n) + " " + noun
}

// writeCode says how much there is of each language, and of each package unless the section of tests
// does.
func writeCode(w *results.SectionWriter, f *findings) {
	var languages []string
	for _, l := range f.census.Languages {
		languages = append(languages, fmt.Sprintf("%s %s in %s", l.Name, count(l.Code), countOf(l.Files, "file")))
	}
	total := f.census.Total()
	w.Command(fmt.Sprintf("Lines of code in the files that git knows, without blank lines and lines of comments: %s. All lines: %s in %s, and %s without text. Counted with", strings.Join(languages, ", "),
		count(total.All()), countOf(total.Files, "file"), countOf(f.census.Binary, "file")), "fleetmark baseline --sections code,tests --file NEW.md")
	w.Figure("lines", float64(total.All()))
	if f.tested == nil {
		writePackages(w, f)
	}
}

// writeTests says how the tests went, and what they reach.
func writeTests(w *results.SectionWriter, f *findings) {
	t := f.tested
	w.Command(fmt.Sprintf("%s tests, examples and fuzz targets (on their seeds) passed, with %s subtests; %s failed, %s skipped themselves; in %s, by",
		count(t.Passed), count(t.Subtests), count(t.Failed), count(t.Skipped), t.Elapsed.Round(time.Second)), census.Command())
	if len(t.FailedNames) > 0 {
		w.Text("What failed: %s.", strings.Join(t.FailedNames, ", "))
	}
	w.Text("Reached is the share of a package's statements that its own tests execute. What only a session of the command executes is not seen in it.")
	w.Figure("failed", float64(t.Failed))
	w.Figure("passed", float64(t.Passed))
	writePackages(w, f)
}

// writePackages is the table of packages: their code, and where they ran, their tests.
func writePackages(w *results.SectionWriter, f *findings) {
	header, align := []string{"package", "code", "code of tests", "tests to code"}, "lrrr"
	if f.tested != nil {
		header, align = append(header, "tests", "examples", "fuzz targets", "benchmarks", "reached"), align+"rrrrr"
	}
	var rows [][]string
	var code, tests census.Lines
	var reached census.Coverage
	totals := map[string]int{}
	for _, p := range f.census.Packages {
		code, tests = code.Add(p.Code), tests.Add(p.Tests)
		row := codeCells(p.Path, p.Code, p.Tests)
		if f.tested != nil {
			for _, kind := range census.TestKinds() {
				n := len(f.names[p.Path][kind])
				totals[kind] += n
				row = append(row, count(n))
			}
			c, ok := f.tested.Coverage[p.Path]
			if ok && c.Statements > 0 {
				reached.Statements, reached.Reached = reached.Statements+c.Statements, reached.Reached+c.Reached
				w.Figure("coverage "+p.Path, c.Fraction())
				row = append(row, percent(c))
			}
		}
		rows = append(rows, row)
	}
	row := codeCells("all", code, tests)
	if f.tested != nil {
		for _, kind := range census.TestKinds() {
			row = append(row, count(totals[kind]))
		}
		row = append(row, percent(reached))
	}
	w.Table(align, header, append(rows, row))
}

// codeCells are a package's lines of code, and those of its tests.
func codeCells(name string, code, tests census.Lines) []string {
	ratio := ""
	if code.Code > 0 {
		ratio = strconv.FormatFloat(float64(tests.Code)/float64(code.Code), 'f', 1, 64)
	}
	return []string{name, count(code.Code), count(tests.Code), ratio}
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
