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

// sourceMeasurement counts the code of the checkout that the command is run in, and runs its tests.
type sourceMeasurement struct {
	stats  *codestats.Stats
	names  map[string]codestats.TestNames
	tested *codestats.TestReport // nil if the tests weren't run
	err    error                 // why the code couldn't be counted
}

// count counts the code, once.
func (s *sourceMeasurement) count(ctx context.Context) error {
	if s.stats != nil || s.err != nil {
		return s.err
	}
	root, ok := checkoutRoot()
	if !ok {
		s.err = &skippedError{"it was not run in a checkout of its own source"}
		return s.err
	}
	stats, err := codestats.Count(ctx, root)
	if err != nil && ctx.Err() == nil {
		err = &skippedError{err.Error()}
	}
	s.stats, s.err = stats, err
	return err
}

// code says how much there is of each language, and of each package.
type code struct {
	heading
	fromMeasurement
	source *sourceMeasurement
}

func (s *code) measure(ctx context.Context, _ *Builder) error { return s.source.count(ctx) }

// tests says how the tests went, and what they reach.
type tests struct {
	heading
	fromMeasurement
	source *sourceMeasurement
}

func (s *tests) measure(ctx context.Context, b *Builder) error {
	if err := s.source.count(ctx); err != nil {
		return err
	}
	root, _ := checkoutRoot()
	var err error
	if s.source.names, err = codestats.Names(root); err != nil {
		return err
	}
	b.options.Log("all tests, with coverage")
	limited, cancel := context.WithTimeout(ctx, b.options.TestLimit)
	defer cancel()
	tested, err := codestats.Test(limited, root)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return &skippedError{fmt.Sprintf("the tests did not come to their end within %v", b.options.TestLimit)}
	case err != nil:
		return &skippedError{err.Error()}
	}
	s.source.tested = tested
	return nil
}

func (s *code) write(w *baseline.SectionWriter, _ content) {
	stats := s.source.stats
	var languages []string
	for _, l := range stats.Languages {
		languages = append(languages, fmt.Sprintf("%s %s in %s", l.Name, plaintext.Thousands(l.Code), countOf(l.Files, "file")))
	}
	total := stats.Total()
	w.Command(fmt.Sprintf("Lines of code in the files that git knows, without blank lines and lines of comments: %s. All lines: %s in %s, and %s without text. Counted with", strings.Join(languages, ", "),
		plaintext.Thousands(total.All()), countOf(total.Files, "file"), countOf(stats.Binary, "file")), "fleetmark baseline --sections code,tests --file NEW.md")
	w.Figure("lines", float64(total.All()))
	if s.source.tested == nil { // else the section tests does
		s.source.writePackages(w)
	}
}

func (s *tests) write(w *baseline.SectionWriter, _ content) {
	t := s.source.tested
	w.Command(fmt.Sprintf("%s tests, examples and fuzz targets (on their seeds) passed, with %s subtests; %s failed, %s skipped themselves; in %s, by",
		plaintext.Thousands(t.Passed), plaintext.Thousands(t.Subtests), plaintext.Thousands(t.Failed), plaintext.Thousands(t.Skipped), t.Elapsed.Round(time.Second)), codestats.Command())
	if len(t.FailedNames) > 0 {
		w.Text("What failed: %s.", strings.Join(t.FailedNames, ", "))
	}
	w.Text("Reached is the share of a package's statements that its own tests execute. What only a session of the command executes is not seen in it.")
	w.Figure("failed", float64(t.Failed))
	w.Figure("passed", float64(t.Passed))
	s.source.writePackages(w)
}

// writePackages writes the table of packages: their code, and, if tests were run, their tests.
func (s *sourceMeasurement) writePackages(w *baseline.SectionWriter) {
	header, align := []string{"package", "code", "code of tests", "tests to code"}, "lrrr"
	if s.tested != nil {
		header, align = append(header, "tests", "examples", "fuzz targets", "benchmarks", "reached"), align+"rrrrr"
	}
	var rows [][]string
	var code, tests codestats.Lines
	var reached codestats.Coverage
	totals := map[string]int{}
	for _, p := range s.stats.Packages {
		code, tests = code.Add(p.Code), tests.Add(p.Tests)
		row := codeCells(p.Path, p.Code, p.Tests)
		if s.tested != nil {
			for _, kind := range codestats.TestKinds() {
				n := len(s.names[p.Path][kind])
				totals[kind] += n
				row = append(row, plaintext.Thousands(n))
			}
			c, ok := s.tested.Coverage[p.Path]
			if ok && c.Statements > 0 {
				reached.Statements, reached.Reached = reached.Statements+c.Statements, reached.Reached+c.Reached
				w.Figure("coverage "+p.Path, c.Fraction())
				row = append(row, plaintext.Percent(c.Fraction()))
			}
		}
		rows = append(rows, row)
	}
	row := codeCells("all", code, tests)
	if s.tested != nil {
		for _, kind := range codestats.TestKinds() {
			row = append(row, plaintext.Thousands(totals[kind]))
		}
		row = append(row, plaintext.Percent(reached.Fraction()))
	}
	w.Table(align, header, append(rows, row))
}

// codeCells returns the cells of a package's lines of code, and those of its tests.
func codeCells(name string, code, tests codestats.Lines) []string {
	ratio := ""
	if code.Code > 0 {
		ratio = strconv.FormatFloat(float64(tests.Code)/float64(code.Code), 'f', 1, 64)
	}
	return []string{name, plaintext.Thousands(code.Code), plaintext.Thousands(tests.Code), ratio}
}

// countOf is a number with its noun, such as "1 file" or "652 files".
func countOf(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return plaintext.Thousands(n) + " " + noun
}
