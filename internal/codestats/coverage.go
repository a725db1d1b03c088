package codestats

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/cover"

	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/internal/scratch"
)

// A TestReport is the outcome of `go test` for all packages of a module.
type TestReport struct {
	Passed, Failed, Skipped int      // tests, examples and fuzz targets on their seeds, without subtests
	Subtests                int      // number of passed subtests
	FailedNames             []string // sorted, as package.Test
	Elapsed                 time.Duration

	// Coverage holds the statements of each package, and how many of them its own tests reach. The
	// keys are paths relative to the module.
	Coverage map[string]Coverage
}

// Coverage counts the statements of a package.
type Coverage struct{ Statements, Reached int }

// Fraction returns the share of the statements that were reached, from 0 to 1. It returns 0 if
// there are no statements.
func (c Coverage) Fraction() float64 {
	if c.Statements == 0 {
		return 0
	}
	return float64(c.Reached) / float64(c.Statements)
}

// Command returns the command that [Test] runs, without the options that name its output.
func Command() string { return "go test -cover ./..." }

// Test runs the tests of the module in dir. The report includes failed tests; Test returns an error
// if no test ran, and the context's error if ctx is done first.
func Test(ctx context.Context, dir string) (_ *TestReport, err error) {
	module, err := childproc.Output(ctx, "", "go", "-C", dir, "list", "-m")
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("naming the module: %w: want the go command", err)
	}
	temp, err := scratch.New("", "fleetmark-codestats")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, temp.Close()) }()
	profile := filepath.Join(temp.Path, "cover.out")
	cmd := childproc.Command(ctx, "go", "-C", dir, "test", "-json", "-coverprofile", profile, "./...")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t := &TestReport{}
	readErr := t.read(out, module)
	exitErr := cmd.Wait()
	t.Elapsed = time.Since(begun)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case t.Passed+t.Failed+t.Skipped == 0:
		messages := strings.Join(strings.Fields(errs.String()), " ")
		return nil, errors.Join(fmt.Errorf("no test ran: %s", messages), exitErr, readErr)
	case readErr != nil:
		return nil, readErr
	}
	slices.Sort(t.FailedNames)
	t.Coverage, err = coverage(profile, module)
	return t, err
}

// An event is one line of the output of `go test -json`.
type event struct{ Action, Package, Test string }

// read adds the events in out, the output of `go test -json`.
func (t *TestReport) read(out io.Reader, module string) error {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil { // a failed build prints other lines besides its event
			t.addEvent(e, module)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *TestReport) addEvent(e event, module string) {
	sub := strings.Contains(e.Test, "/")
	switch {
	case e.Action == "fail" && e.Test == "":
		// A package may fail without a failed test: it didn't build, or its process ended.
		ofPackage := func(name string) bool { return strings.HasPrefix(name, testName(module, e.Package, "")) }
		if !slices.ContainsFunc(t.FailedNames, ofPackage) {
			t.Failed++
			t.FailedNames = append(t.FailedNames, relativePath(module, e.Package))
		}
	case e.Test == "":
	case sub && e.Action == "pass":
		t.Subtests++
	case sub:
	case e.Action == "pass":
		t.Passed++
	case e.Action == "skip":
		t.Skipped++
	case e.Action == "fail":
		t.Failed++
		t.FailedNames = append(t.FailedNames, testName(module, e.Package, e.Test))
	}
}

// testName returns the name of a test with its package, such as delivery.TestCancel.
func testName(module, pkg, test string) string {
	if at := relativePath(module, pkg); at != "." {
		return at + "." + test
	}
	return test
}

// relativePath returns the path of a package relative to its module. It returns "." for the
// module's root.
func relativePath(module, pkg string) string {
	if rest, ok := strings.CutPrefix(pkg, module+"/"); ok {
		return rest
	}
	return "."
}

// coverage reads a coverage profile and adds it up by package.
func coverage(profile, module string) (map[string]Coverage, error) {
	files, err := cover.ParseProfiles(profile)
	if err != nil {
		return nil, fmt.Errorf("reading the coverage: %w", err)
	}
	all := map[string]Coverage{}
	for _, f := range files {
		at := relativePath(module, path.Dir(f.FileName))
		c := all[at]
		for _, b := range f.Blocks {
			c.Statements += b.NumStmt
			if b.Count > 0 {
				c.Reached += b.NumStmt
			}
		}
		all[at] = c
	}
	return all, nil
}
