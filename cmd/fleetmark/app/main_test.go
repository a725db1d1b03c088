package app

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/internal/texttable"
)

// built is the directory of the command as users get it, built once for all tests. The test's own
// program wouldn't do, because the command starts itself again as the fleet.
var built string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{"fleet", opcostCommand, cli.NoopClient}, os.Args[1]) { // a run within a test starts the test's program as its child
		Main()
	}
	code := func() int {
		dir, err := os.MkdirTemp("", "fleetmark-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		for name, pkg := range map[string]string{"fleetmark": "..", "benchstat": "golang.org/x/perf/cmd/benchstat"} {
			if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "go build %s: %v\n%s", pkg, err, out)
				return 1
			}
		}
		built = dir
		return m.Run()
	}()
	os.Exit(code)
}

// onceOnly skips a test of the built command under the race detector. That command is built without
// the detector, so the test would take minutes and find nothing new.
func onceOnly(t *testing.T) {
	t.Helper()
	if testenv.Raced {
		t.Skip("the built command is tested without the race detector")
	}
}

// TestScripts runs the sessions in testdata: what users type, and what they see.
func TestScripts(t *testing.T) {
	onceOnly(t)
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	require.NoError(t, err)
	caches := strings.Fields(string(out))
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Condition: func(name string) (bool, error) {
			if name == "everything" {
				return testenv.Everything(), nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", built+string(os.PathListSeparator)+os.Getenv("PATH"))
			e.Setenv("BUILT", filepath.Join(built, "fleetmark"))
			e.Setenv("ROOT", root)
			e.Setenv("MODCACHE", caches[1])
			e.Setenv("GOCACHE", caches[0]) // otherwise every script that builds would compile the standard library
			e.Setenv("GOFLAGS", os.Getenv("GOFLAGS"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lines":    matching,
			"exits":    exits,
			"one-line": oneLine,
			"fits":     fits,
			"encode":   encode,
			"level":    level,
		},
	})
}

// exits implements the script command "exits CODE COMMAND ...", which runs a command that must end
// with the code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG ...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if e, ok := err.(*exec.ExitError); ok {
		code = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit %d, want %s", code, args[0])
	}
}

// oneLine implements the script command "one-line COMMAND ...", which runs a command that must be
// refused with exit code 2, one line on standard error, and nothing on standard output.
func oneLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: one-line COMMAND [ARG ...]")
	}
	exits(ts, false, append([]string{"2"}, args...))
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("standard output: %q", out)
	}
	if said := ts.ReadFile("stderr"); strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "fleetmark: ") {
		ts.Fatalf("want one line on standard error, not %q", said)
	}
}

// level implements the script command "level RUN", which gives every repetition of a run the
// figures of its first. What a small run allocates varies by a third on a busy machine, so a script
// that expects such a run to pass would judge the machine.
func level(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: level RUN")
	}
	name := filepath.Join(args[0], "samples.txt")
	first := map[string]string{}
	lines := strings.Split(ts.ReadFile(name), "\n")
	changed := 0
	for i, line := range lines {
		benchmark, _, _ := strings.Cut(line, " ")
		switch before, ok := first[benchmark]; {
		case !strings.HasPrefix(benchmark, "Benchmark"):
		case ok:
			lines[i] = before
			changed++
		default:
			first[benchmark] = line
		}
	}
	if changed == 0 {
		ts.Fatalf("%s: no benchmark has two samples", name)
	}
	text := strings.Join(lines, "\n")
	ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	run := filepath.Join(args[0], "run.json")
	length := regexp.MustCompile(`"samples.txt": \d+`)
	ts.Check(os.WriteFile(ts.MkAbs(run),
		length.ReplaceAll([]byte(ts.ReadFile(run)), fmt.Appendf(nil, `"samples.txt": %d`, len(text))), 0o644))
}

// matching implements the script command "lines FILE REGEXP N", which wants N lines that match.
func matching(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: lines FILE REGEXP N")
	}
	found := regexp.MustCompile("(?m)"+args[1]).FindAllString(ts.ReadFile(args[0]), -1)
	if n := len(found); fmt.Sprint(n) != args[2] {
		ts.Fatalf("%s: %d lines match %q, want %s", args[0], n, args[1], args[2])
	}
}

// notInTable matches the lines below a table's rows: what was folded or left out, a note, or an
// empty line.
var notInTable = regexp.MustCompile(`^(\d+ [a-z]|left out: |shortened: |\(|no ±|$)`)

// fits implements the script command "fits FILE WIDTH", which wants tables none of whose lines is
// wider, as a terminal shows it. A table begins above a rule, is Markdown's, or has pprof's
// columns; in a file without any of these, every line counts.
func fits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fits FILE WIDTH")
	}
	width, err := strconv.Atoi(args[1])
	ts.Check(err)
	lines := strings.Split(ts.ReadFile(args[0]), "\n")
	isRule := func(i int) bool { return i < len(lines) && strings.HasPrefix(lines[i], "──") }
	isHead := func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "flat ") }
	any := slices.ContainsFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "──") || strings.HasPrefix(l, "|") || isHead(l)
	})
	inside := !any
	checked := 0
	for i, line := range lines {
		if isRule(i+1) || isHead(line) {
			inside = true
		} else if notInTable.MatchString(line) {
			inside = !any
		}
		if !inside && !strings.HasPrefix(line, "|") {
			continue
		}
		checked++
		if n := texttable.Width(line); n > width {
			ts.Fatalf("%s:%d: %d columns, want at most %d: %s", args[0], i+1, n, width, line)
		}
	}
	if checked < 3 {
		ts.Fatalf("%s: no table", args[0])
	}
}

// command prepares the built command in a directory of its own.
func command(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(built, "fleetmark"), args...)
	cmd.Dir = dir
	return cmd, dir
}

// eventually polls a condition until it holds. The time limit is so long that only a hang reaches
// it.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, time.Minute, 5*time.Millisecond, what)
}
