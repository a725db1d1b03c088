package gobench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
)

// placed is a benchmark that reports EXTRA more nanoseconds if its functions lie in the order of
// the source, as the linker places them by default.
const placed = `import (
	"reflect"
	"testing"
	"time"
)

//go:noinline
func one() int { return 1 }

//go:noinline
func two() int { return 2 }

//go:noinline
func three() int { return 3 }

//go:noinline
func four() int { return 4 }

//go:noinline
func five() int { return 5 }

func inOrder() bool {
	last := uintptr(0)
	for _, f := range []func() int{one, two, three, four, five} {
		at := reflect.ValueOf(f).Pointer()
		if f() == 0 || at < last {
			return false
		}
		last = at
	}
	return true
}

func BenchmarkPlaced(b *testing.B) {
	for b.Loop() {
	}
	cost := 1000 + float64(time.Now().UnixNano()%10)
	if CONDITION {
		cost += 100
	}
	b.ReportMetric(cost, "ns/op")
}
`

// TestLayouts checks that a time is no regression if it is longer only in the linker's default
// order of functions, and that it is one if it is longer in any order. Linking in another order
// needs no compiler.
func TestLayouts(t *testing.T) {
	testenv.Slow(t)
	skipIfRaced(t)
	base := test(strings.ReplaceAll(placed, "CONDITION", "inOrder() && false"))
	for name, row := range map[string]struct {
		condition string
		budget    time.Duration
		verdict   results.Verdict
		layouts   int
		note      string
	}{
		"in one order": {"inOrder()", time.Hour, results.Pass, 6,
			`^\+\d+\.\d% in this layout; [-+]0\.\d% \(.*\) over 6 layouts: where the code lies in memory, not what it does$`},
		"in any order": {"true", time.Hour, results.Regressed, 6,
			`^\+\d+\.\d% in this layout; \+(9|10)\.\d% \(.*\) over 6 layouts$`},
		"in one order, not doubted": {"inOrder()", 0, results.Regressed, 0, `^$`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t, map[string]string{"m_test.go": base})
			r.write(map[string]string{"m_test.go": test(strings.ReplaceAll(placed, "CONDITION", row.condition))})
			o := r.options()
			o.Budget, o.LayoutBudget = time.Minute, row.budget
			tools := filepath.Join(t.TempDir(), "tools")
			trace := "case \"$2\" in -V*) ;; *) echo \"${1##*/}\" >>'" + tools + "' ;; esac\nexec \"$@\""
			t.Setenv("GOFLAGS", "-toolexec="+script(t, "trace", trace))
			out, err := Compare(t.Context(), o)
			require.NoError(t, err)
			require.NoError(t, out.Relinking)
			require.Equal(t, row.verdict, out.Judgement.Verdict, "%s\n%+v", report.Sentence(out.Judgement), out.Judgement.Rows)
			require.Equal(t, row.layouts, out.Layouts)
			require.Regexp(t, row.note, report.Note(find(t, out, "Placed-2", results.UnitMean)))
			require.Equal(t, results.Pass, find(t, out, "Placed-2", "allocs/op").Verdict)
			ran, err := os.ReadFile(tools)
			require.NoError(t, err)
			lines := strings.Fields(string(ran))
			for _, tool := range lines[len(lines)-2*row.layouts:] {
				require.Equal(t, "link", tool, "%v", lines)
			}
		})
	}
}

// script makes an executable shell script with a given name, and returns its path.
func script(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700))
	return path
}

// TestLayouts_notLinked checks that the verdict of the first layout stands if no other can be
// linked.
func TestLayouts_notLinked(t *testing.T) {
	skipIfRaced(t)
	r := newRepository(t, map[string]string{"m_test.go": test(strings.ReplaceAll(placed, "CONDITION", "false"))})
	r.write(map[string]string{"m_test.go": test(strings.ReplaceAll(placed, "CONDITION", "true"))})
	path := os.Getenv("PATH")
	fails := script(t, "go", "case \"$*\" in *randlayout=3*) echo 'no such layout' >&2; exit 2 ;; esac\n"+
		"PATH='"+path+"'\nexport PATH\nexec go \"$@\"")
	t.Setenv("PATH", filepath.Dir(fails)+string(os.PathListSeparator)+path)
	o := r.options()
	o.Budget, o.LayoutBudget = time.Minute, time.Hour
	out, err := Compare(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Regressed, out.Judgement.Verdict, report.Sentence(out.Judgement))
	require.Regexp(t, `^(base|now) \(.*\): the tests of example.com/m can't be linked with their functions in another order: `, out.Relinking.Error())
	require.ErrorContains(t, out.Relinking, "no such layout")
	require.Zero(t, out.Layouts)
	require.Equal(t, results.Regressed, find(t, out, "Placed-2", results.UnitMean).Verdict)
}

// TestLayouts_fails checks a benchmark that fails in a later layout: its time stays open, and the
// note says where it failed.
func TestLayouts_fails(t *testing.T) {
	skipIfRaced(t)
	const failing = `func() bool { if !inOrder() { b.Fatal("out of order") }; return COST }()`
	for side, row := range map[string]struct{ base, now string }{
		"base": {strings.ReplaceAll(failing, "COST", "false"), "true"},
		"now":  {"false", strings.ReplaceAll(failing, "COST", "true")},
	} {
		t.Run(side, func(t *testing.T) {
			r := newRepository(t, map[string]string{"m_test.go": test(strings.ReplaceAll(placed, "CONDITION", row.base))})
			r.write(map[string]string{"m_test.go": test(strings.ReplaceAll(placed, "CONDITION", row.now))})
			o := r.options()
			o.Budget, o.LayoutBudget = time.Minute, time.Hour
			out, err := Compare(t.Context(), o)
			require.NoError(t, err)
			require.NoError(t, out.Relinking)
			require.Equal(t, results.Inconclusive, out.Judgement.Verdict, report.Sentence(out.Judgement))
			time := find(t, out, "Placed-2", results.UnitMean)
			require.Equal(t, results.Inconclusive, time.Verdict)
			require.Regexp(t, `^with its functions in another order, `+side+` failed: m_test.go:\d+: out of order`,
				report.Note(time))
			require.Equal(t, results.Pass, find(t, out, "Placed-2", "allocs/op").Verdict)
		})
	}
}
