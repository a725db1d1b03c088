package app

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// movesVariable names the environment variable that says how many changes of each kind
// TestGateOfChangesThatOnlyMoveCode judges. 20 take an hour or two, on a machine without other
// load.
const movesVariable = "FLEETMARK_MOVES"

// A codeChange edits a copy of the source tree.
type codeChange struct {
	name string
	make func(t *testing.T, root string)
}

// codeMoves returns changes of the delivery package that don't change what it does, but make the
// linker place its functions elsewhere.
func codeMoves(n int) (all []codeChange) {
	files := []string{"client.go", "lean.go", "exchange.go", "pool.go", "protocol.go", "answer.go"}
	unused := [][2]string{{"container/ring", "text/scanner"}, {"index/suffixarray", "container/ring"},
		{"text/tabwriter", "archive/tar"}, {"encoding/csv", "expvar"}}
	for i := range n {
		round, file := i/5, files[i%len(files)]
		switch i % 5 {
		case 0:
			all = append(all, codeChange{fmt.Sprintf("function %d of %s at its end", round, file),
				func(t *testing.T, root string) {
					path := filepath.Join(root, "delivery", file)
					text := readFile(t, path)
					at := functionsOf(t, path)
					f := at[(1+round)%(len(at)-1)]
					writeFile(t, path, text[:f.begin]+text[f.end:]+"\n"+text[f.begin:f.end]+"\n")
				}})
		case 1:
			all = append(all, codeChange{fmt.Sprintf("a function and a table of %d bytes that nothing uses", 1000*(round+1)),
				func(t *testing.T, root string) {
					writeFile(t, filepath.Join(root, "delivery", "unused.go"), fmt.Sprintf(`package delivery

// UnusedTable is filled at the start, so that the linker keeps it and what fills it.
var UnusedTable = unused()

func unused() (table [%d]byte) {
	for i := range table {
		table[i] = byte(i * i)
	}
	return table
}
`, 1000*(round+1)))
				}})
		case 2:
			pair := unused[round%len(unused)]
			all = append(all, codeChange{"imports of " + pair[0] + " and " + pair[1] + " that nothing uses",
				func(t *testing.T, root string) {
					writeFile(t, filepath.Join(root, "delivery", "unused.go"),
						fmt.Sprintf("package delivery\n\nimport (\n\t_ %q\n\t_ %q\n)\n", pair[0], pair[1]))
				}})
		case 3:
			all = append(all, codeChange{file + " under another name", func(t *testing.T, root string) {
				path := filepath.Join(root, "delivery", file)
				require.NoError(t, os.Rename(path, filepath.Join(root, "delivery", strconv.Itoa(round)+"moved"+file)))
			}})
		case 4:
			all = append(all, codeChange{fmt.Sprintf("the last function of %s first", file), func(t *testing.T, root string) {
				path := filepath.Join(root, "delivery", file)
				text := readFile(t, path)
				at := functionsOf(t, path)
				first, last := at[0], at[len(at)-1-round%2]
				writeFile(t, path, text[:first.begin]+text[last.begin:last.end]+"\n\n"+text[first.begin:last.begin]+text[last.end:])
			}})
		}
	}
	return all
}

type span struct{ begin, end int }

// functionsOf returns the extent of each function of a file, with its comment.
func functionsOf(t *testing.T, path string) (all []span) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
	require.NoError(t, err)
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		begin := fn.Pos()
		if fn.Doc != nil {
			begin = fn.Doc.Pos()
		}
		all = append(all, span{set.Position(begin).Offset, set.Position(fn.End()).Offset})
	}
	return all
}

func readFile(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func writeFile(t *testing.T, path, text string) {
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

const extraSteps = `package delivery

//go:noinline
func extraSteps(n int) (sum uint64) {
	for i := range n {
		sum = sum*6364136223846793005 + uint64(i)
	}
	return sum
}
`

//go:noinline
func stepsOf(n int) (sum uint64) {
	for i := range n {
		sum = sum*6364136223846793005 + uint64(i)
	}
	return sum
}

// A judged holds what the gate printed.
type judged struct {
	Verdict, Reason string
	Pairs, Layouts  int
	Rows            []struct {
		Scenario, Op, Unit, Note string
		Baseline                 struct{ Median float64 }
	}
}

// TestGateOfChangesThatOnlyMoveCode measures how often `gate --base HEAD` is right about changes
// that only move code, and about the same changes with 5% more processor time in push.
func TestGateOfChangesThatOnlyMoveCode(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(movesVariable))
	if err != nil {
		t.Skip("set " + movesVariable + "=20, and take an hour or two")
	}
	root := filepath.Join(t.TempDir(), "tree")
	git := func(args ...string) {
		out, err := exec.Command("git", args...).CombinedOutput()
		require.NoError(t, err, "git %v: %s", args, out)
	}
	git("clone", "-q", "../../..", root)
	gate := func(name string) (judged, time.Duration) {
		began := time.Now()
		cmd := exec.CommandContext(t.Context(), filepath.Join(built, "fleetmark"), "gate", "--base", "HEAD", "--no-explain",
			"--json", "--no-progress", "--seed", strconv.Itoa(len(name)))
		cmd.Dir = root
		out, err := cmd.Output()
		if failed, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ok && failed.ExitCode() == 2 {
			t.Fatalf("%s: %v", name, err)
		}
		var j judged
		require.NoError(t, json.Unmarshal(out, &j), "%s", out)
		return j, time.Since(began)
	}
	cost := 0.0 // of a push, in nanoseconds of processor time
	for _, slower := range []bool{false, true} {
		verdicts, seconds := map[string]int{}, []float64{}
		for i, change := range codeMoves(n) {
			change.make(t, root)
			name := change.name
			if slower {
				took := testing.Benchmark(func(b *testing.B) {
					if stepsOf(b.N) == 1 {
						b.Log("never")
					}
				})
				one := float64(took.T.Nanoseconds()) / float64(took.N)
				steps := int(0.05 * cost / one)
				name += fmt.Sprintf(", and %d steps of %.1f ns", steps, one)
				writeFile(t, filepath.Join(root, "delivery", "extrasteps.go"), extraSteps)
				path := filepath.Join(root, "delivery", "client.go")
				if _, err := os.Stat(path); err != nil {
					moved, err := filepath.Glob(filepath.Join(root, "delivery", "*movedclient.go"))
					require.NoError(t, err)
					path = moved[0]
				}
				text := readFile(t, path)
				const push = "u *Update, fresh bool) *Error {\n"
				require.Equal(t, 1, strings.Count(text, push))
				writeFile(t, path, strings.Replace(text, push,
					push+fmt.Sprintf("\tif extraSteps(%d) == 1 {\n\t\treturn nil\n\t}\n", steps), 1))
			}
			j, took := gate(name)
			for _, r := range j.Rows {
				if r.Scenario == "gate-push" && r.Unit == "cpu-ns/op" && r.Baseline.Median > 0 {
					cost = cmp.Or(cost, r.Baseline.Median)
				}
			}
			verdicts[j.Verdict]++
			seconds = append(seconds, took.Seconds())
			t.Logf("slower %t, %d: %s: %s (%s); %.0f s, %d pairs, %d layouts", slower, i, name, j.Verdict, j.Reason,
				took.Seconds(), j.Pairs, j.Layouts)
			for _, r := range j.Rows {
				if strings.Contains(r.Note, "layout") {
					t.Logf("    %s %s %s: %s", r.Scenario, r.Op, r.Unit, r.Note)
				}
			}
			git("-C", root, "checkout", "-q", ".")
			git("-C", root, "clean", "-qfd", "delivery")
		}
		slices.Sort(seconds)
		t.Logf("slower %t: %v; %.0f s (%.0f to %.0f)", slower, verdicts, seconds[len(seconds)/2], seconds[0],
			seconds[len(seconds)-1])
		if slower {
			require.GreaterOrEqual(t, verdicts["regressed"], n-n/20)
		} else {
			require.Zero(t, verdicts["regressed"])
			require.LessOrEqual(t, verdicts["inconclusive"], n/10)
		}
	}
}
