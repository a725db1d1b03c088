package census

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/cover"

	"github.com/fleetmark/fleetmark/internal/childproc"
)

// Tested is what `go test` says of a module.
type Tested struct {
	Passed, Failed, Skipped int      // tests, examples and fuzz targets on their seeds; no subtests
	Subtests                int      // that passed
	FailedNames             []string // package.Test, sorted
	Elapsed                 time.Duration

	// Coverage is by package, as paths below the module: of its statements, those that
	// its own tests reach.
	Coverage map[string]Coverage
}

// Coverage counts statements.
type Coverage struct{ Statements, Reached int }

// Fraction is from 0 to 1; of nothing it is 0.
func (c Coverage) Fraction() float64 {
	if c.Statements == 0 {
		return 0
	}
	return float64(c.Reached) / float64(c.Statements)
}

// Command is what Test runs, but for the place of the profile.
func Command() string { return "go test -cover ./..." }

// Test runs the tests of the module in dir. Tests that fail are an outcome; that none
// could be run is an error. It ends with ctx.
func Test(ctx context.Context, dir string) (_ *Tested, err error) {
	module, err := exec.CommandContext(ctx, "go", "-C", dir, "list", "-m").Output()
	if err != nil {
		return nil, errors.Join(ctx.Err(), fmt.Errorf("naming the module: %w: want the go command", err))
	}
	temp, err := os.MkdirTemp("", "fleetmark-census-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	profile := filepath.Join(temp, "cover.out")
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
	t := &Tested{}
	read := t.read(out, strings.TrimSpace(string(module)))
	ended := cmd.Wait()
	t.Elapsed = time.Since(begun)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case t.Passed+t.Failed+t.Skipped == 0:
		return nil, errors.Join(fmt.Errorf("no test ran: %s", strings.Join(strings.Fields(errs.String()), " ")), ended, read)
	case read != nil:
		return nil, read
	}
	slices.Sort(t.FailedNames)
	t.Coverage, err = covered(profile, strings.TrimSpace(string(module)))
	return t, err
}

// event is a line of test2json.
type event struct{ Action, Package, Test string }

func (t *Tested) read(out io.Reader, module string) error {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil { // what is no event, a failed build says elsewhere
			t.take(e, module)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *Tested) take(e event, module string) {
	sub := strings.Contains(e.Test, "/")
	switch {
	case e.Action == "fail" && e.Test == "":
		// A package that failed without a test that did: it didn't build, or died.
		if !slices.ContainsFunc(t.FailedNames, func(n string) bool { return strings.HasPrefix(n, testName(module, e.Package, "")) }) {
			t.Failed++
			t.FailedNames = append(t.FailedNames, below(module, e.Package))
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

// testName is such as delivery.TestCancel.
func testName(module, pkg, test string) string {
	if at := below(module, pkg); at != "." {
		return at + "." + test
	}
	return test
}

func below(module, pkg string) string {
	if rest, ok := strings.CutPrefix(pkg, module+"/"); ok {
		return rest
	}
	return "."
}

// covered sums a profile up by package.
func covered(profile, module string) (map[string]Coverage, error) {
	files, err := cover.ParseProfiles(profile)
	if err != nil {
		return nil, fmt.Errorf("reading the coverage: %w", err)
	}
	all := map[string]Coverage{}
	for _, f := range files {
		at := below(module, path.Dir(f.FileName))
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
