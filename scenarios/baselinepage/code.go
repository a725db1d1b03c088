package baselinepage

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/codestats"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// sourceMeasurement counts the code of the current checkout once, for all sections that show it.
type sourceMeasurement struct {
	root   string
	stats  *codestats.Stats
	err    error                 // why the code couldn't be counted
	tested *codestats.TestReport // nil if the tests weren't run
	names  map[string]codestats.TestNames
}

func (s *sourceMeasurement) measure(ctx context.Context, b *Builder) error {
	if s.stats != nil || s.err != nil {
		return s.err
	}
	var ok bool
	if s.root, ok = ownSource(b.content.project); !ok {
		s.err = &skippedError{"it was not run in a checkout of its own source"}
		return s.err
	}
	if s.stats, s.err = codestats.Count(ctx, s.root); s.err != nil && ctx.Err() == nil {
		s.err = &skippedError{s.err.Error()}
	}
	return s.err
}

// writeCode writes how much code there is in each language and in each package.
func (s *sourceMeasurement) writeCode(w *baseline.SectionWriter, _ content) {
	var languages []string
	for _, l := range s.stats.Languages {
		languages = append(languages, l.Name+" "+plaintext.Thousands(l.Code)+" in "+filesText(l.Files))
	}
	total := s.stats.Total()
	text := fmt.Sprintf("Lines of code in the files that git knows, without blank lines and lines of comments: %s. "+
		"All lines: %s in %s, and %s without text. Counted with",
		strings.Join(languages, ", "), plaintext.Thousands(total.All()),
		filesText(total.Files), filesText(s.stats.Binary))
	w.Command(text, "fleetmark baseline --sections code,tests --file NEW.md")
	w.Figure("lines", float64(total.All()))
	if s.tested == nil { // otherwise the section tests has this table
		s.writePackages(w)
	}
}

// test runs the tests.
func (s *sourceMeasurement) test(ctx context.Context, b *Builder) error {
	if err := s.measure(ctx, b); err != nil {
		return err
	}
	var err error
	if s.names, err = codestats.Names(s.root); err != nil {
		return err
	}
	b.options.Log("all tests, with coverage")
	limited, cancel := context.WithTimeout(ctx, b.options.TestLimit)
	defer cancel()
	tested, err := codestats.Test(limited, s.root)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return &skippedError{fmt.Sprintf("the tests did not come to their end within %v", b.options.TestLimit)}
	case err != nil:
		return &skippedError{err.Error()}
	}
	s.tested = tested
	return nil
}

// writeTests writes how the tests ended, and which share of the statements they reach.
func (s *sourceMeasurement) writeTests(w *baseline.SectionWriter, _ content) {
	t := s.tested
	text := fmt.Sprintf("%s tests, examples and fuzz targets (on their seeds) passed, with %s subtests; "+
		"%s failed, %s skipped themselves; in %s, by",
		plaintext.Thousands(t.Passed), plaintext.Thousands(t.Subtests), plaintext.Thousands(t.Failed),
		plaintext.Thousands(t.Skipped), t.Elapsed.Round(time.Second))
	w.Command(text, codestats.Command())
	if len(t.FailedNames) > 0 {
		w.Text("What failed: %s.", strings.Join(t.FailedNames, ", "))
	}
	w.Text("Reached is the share of a package's statements that its own tests execute. What only a session of " +
		"the command executes is not seen in it.")
	w.Figure("failed", float64(t.Failed))
	w.Figure("passed", float64(t.Passed))
	s.writePackages(w)
}

// writePackages writes the table of packages with their code and, if tests were run, their tests.
func (s *sourceMeasurement) writePackages(w *baseline.SectionWriter) {
	header, align := []string{"package", "code", "code of tests", "tests to code"}, "lrrr"
	if s.tested != nil {
		header, align = append(header, "tests", "examples", "fuzz targets", "benchmarks", "reached"), align+"rrrrr"
	}
	var rows [][]string
	var code, tests codestats.Lines
	var reached codestats.Coverage
	totals := map[string]int{} // number of tests, by kind
	for _, p := range s.stats.Packages {
		code, tests = code.Add(p.Code), tests.Add(p.Tests)
		row := codeCells(p.Path, p.Code, p.Tests)
		if s.tested != nil {
			counts := map[string]int{}
			for kind, names := range s.names[p.Path] {
				counts[kind] = len(names)
				totals[kind] += len(names)
			}
			c := s.tested.Coverage[p.Path]
			reached.Statements, reached.Reached = reached.Statements+c.Statements, reached.Reached+c.Reached
			if c.Statements > 0 {
				w.Figure("coverage "+p.Path, c.Fraction())
			}
			row = append(row, testCells(counts, c)...)
		}
		rows = append(rows, row)
	}
	row := codeCells("all", code, tests)
	if s.tested != nil {
		row = append(row, testCells(totals, reached)...)
	}
	w.Table(align, header, append(rows, row))
}

// codeCells returns the cells with the amounts of code and of test code.
func codeCells(name string, code, tests codestats.Lines) []string {
	ratio := ""
	if code.Code > 0 {
		ratio = strconv.FormatFloat(float64(tests.Code)/float64(code.Code), 'f', 1, 64)
	}
	return []string{name, plaintext.Thousands(code.Code), plaintext.Thousands(tests.Code), ratio}
}

// testCells returns the cells with the number of tests of each kind and the coverage.
func testCells(counts map[string]int, c codestats.Coverage) []string {
	var cells []string
	for _, kind := range codestats.TestKinds() {
		cells = append(cells, plaintext.Thousands(counts[kind]))
	}
	if c.Statements > 0 {
		cells = append(cells, plaintext.Percent(c.Fraction()))
	}
	return cells
}

// filesText returns a number of files, such as "1 file" or "1,652 files".
func filesText(n int) string {
	if n == 1 {
		return "1 file"
	}
	return plaintext.Thousands(n) + " files"
}
