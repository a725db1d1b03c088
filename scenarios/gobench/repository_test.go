package gobench

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results/judge"
)

// A repository is a Go module in a git repository of its own, made for a test.
type repository struct {
	t   *testing.T
	dir string
}

// newRepository commits files, to which it adds a go.mod if they have none.
func newRepository(t *testing.T, files map[string]string) *repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	// The test must not depend on the settings of the user who runs it.
	for _, name := range []string{"GOFLAGS", "GOWORK"} {
		t.Setenv(name, "")
	}
	t.Setenv("GOPROXY", "off") // the modules need no others
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	r := &repository{t, dir}
	if _, ok := files["go.mod"]; !ok {
		r.write(map[string]string{"go.mod": "module example.com/m\n\ngo 1.24\n"})
	}
	r.git("init", "-q")
	r.commit(files)
	return r
}

func (r *repository) write(files map[string]string) {
	r.t.Helper()
	for name, text := range files {
		path := filepath.Join(r.dir, name)
		require.NoError(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(r.t, os.WriteFile(path, []byte(text), 0o644))
	}
}

func (r *repository) commit(files map[string]string) {
	r.t.Helper()
	r.write(files)
	r.git("add", "-A")
	r.git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "change")
}

func (r *repository) git(args ...string) {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	require.NoError(r.t, err, "git %s: %s", strings.Join(args, " "), out)
}

// options returns options that compare the working tree with the last commit in one round.
func (r *repository) options() Options {
	return Options{Dir: r.dir, Base: "HEAD", Bench: ".", Procs: []int{2}, Budget: time.Nanosecond,
		Block: 2 * time.Millisecond, Limit: 10 * time.Second,
		Scratch: r.t.TempDir(), Out: filepath.Join(r.t.TempDir(), "out")}
}

// find returns the row of a benchmark's metric.
func find(t *testing.T, out *Outcome, op, unit string) judge.Row {
	t.Helper()
	for _, row := range out.Judgement.Rows {
		if row.Op == op && row.Unit.Name == unit {
			return row
		}
	}
	require.Failf(t, "no such row", "%s %s in %+v", op, unit, out.Judgement.Rows)
	return judge.Row{}
}

// test returns a test file of package m.
func test(body string) string { return "package m\n\n" + body }

// skipIfRaced skips a test under the race detector if it spends its time in other programs, which
// the detector doesn't see.
func skipIfRaced(t *testing.T) {
	t.Helper()
	if testenv.Raced {
		t.Skip("the programs that it runs are the same without the race detector")
	}
}
