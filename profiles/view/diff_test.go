package view_test

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/profiles/internal/profiletest"
	"github.com/fleetmark/fleetmark/profiles/view"
)

// someProfiles captures two runs of this process, of 1000 and 2000 operations, the second with
// twice the work.
func someProfiles(t *testing.T, kinds ...profiles.Kind) (base, now string) {
	t.Helper()
	dirs := []string{t.TempDir(), t.TempDir()}
	for i, dir := range dirs {
		c, err := capture.Start(t.Context(), dir, 1, capture.Config{Kinds: kinds})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		for range i + 1 {
			profiletest.Loop(ctx)
			profiletest.Allocate()
		}
		cancel()
		require.NoError(t, c.Label(profiles.OperationsLabel, []string{"1000", "2000"}[i]))
		_, err = c.Stop()
		require.NoError(t, err)
	}
	return dirs[0], dirs[1]
}

// goTool returns what go tool pprof prints.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	path, err := pprofTool()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), path, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return string(out)
}

// rows returns the lines of a report below its heading, which names the program and the time.
func rows(report string) []string {
	_, below, _ := strings.Cut(report, "flat  flat%")
	var lines []string
	for line := range strings.Lines(below) {
		if line = strings.TrimRight(regexp.MustCompile(` +`).ReplaceAllString(line, " "), " \n"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestDiffEqualsPprof checks that raw differences are those of go tool pprof on the same files.
func TestDiffEqualsPprof(t *testing.T) {
	testenv.SlowRaced(t)
	base, now := someProfiles(t, profiles.CPU, profiles.Allocs)
	for _, row := range []struct {
		kind profiles.Kind
		opts view.DiffOptions
		args []string
	}{
		{profiles.CPU, view.DiffOptions{}, nil},
		{profiles.CPU, view.DiffOptions{TopOptions: view.TopOptions{Cumulative: true, Lines: -1}},
			[]string{"-cum", "-nodecount=0"}},
		{profiles.CPU, view.DiffOptions{TopOptions: view.TopOptions{ByLine: true}}, []string{"-lines", "-nodecount=20"}},
		{profiles.CPU, view.DiffOptions{TopOptions: view.TopOptions{Selection: profiles.Selection{SampleIndex: "samples"}}},
			[]string{"-sample_index=samples"}},
		{profiles.Allocs, view.DiffOptions{}, nil},
		{profiles.Allocs, view.DiffOptions{TopOptions: view.TopOptions{Selection: profiles.Selection{SampleIndex: "alloc_objects"}}}, []string{"-sample_index=alloc_objects"}},
	} {
		name := string(row.kind) + strings.Join(row.args, "")
		t.Run(name, func(t *testing.T) {
			b, err := profiles.Find(base, row.kind)
			require.NoError(t, err)
			n, err := profiles.Find(now, row.kind)
			require.NoError(t, err)
			row.opts.Raw = true
			var ours bytes.Buffer
			require.NoError(t, view.Diff(t.Context(), &ours, b, n, row.opts))
			args := append([]string{"-top"}, row.args...)
			if len(row.args) == 0 || !strings.Contains(strings.Join(row.args, ""), "nodecount") {
				args = append(args, "-nodecount=20")
			}
			theirs := goTool(t, append(args, "-diff_base="+b[0], n[0])...)
			require.NotEmpty(t, rows(theirs), theirs)
			require.Equal(t, rows(theirs), rows(ours.String()))
		})
	}
}

// TestDiffIsPerOperation compares two runs, of which the second has twice the operations and twice
// the work. The cost per operation is the same, and the raw difference isn't zero.
func TestDiffIsPerOperation(t *testing.T) {
	profiletest.CountEveryAllocation(t)
	base, now := someProfiles(t, profiles.Allocs)
	b, err := profiles.Find(base, profiles.Allocs)
	require.NoError(t, err)
	n, err := profiles.Find(now, profiles.Allocs)
	require.NoError(t, err)
	of := func(raw bool) (flat int64) {
		rows, _, err := view.DiffRows(t.Context(), b, n,
			view.DiffOptions{TopOptions: view.TopOptions{Lines: -1,
				Selection: profiles.Selection{SampleIndex: "alloc_objects"}}, Raw: raw})
		require.NoError(t, err)
		for _, r := range rows {
			if r.Function == profiletest.Path+"Allocate" {
				flat = r.Flat
			}
		}
		return flat
	}
	require.InDelta(t, profiletest.Blocks, of(true), 2)
	require.InDelta(t, 0, of(false), 1_000_000/1000) // within one object in a run of 1000 operations
}

func TestDiffRefuses(t *testing.T) {
	base, now := someProfiles(t, profiles.CPU, profiles.Goroutine)
	cpu, err := profiles.Find(base, profiles.CPU)
	require.NoError(t, err)
	goroutines, err := profiles.Find(now, profiles.Goroutine)
	require.NoError(t, err)
	var w bytes.Buffer
	err = view.Diff(t.Context(), &w, cpu, goroutines, view.DiffOptions{Raw: true})
	require.ErrorContains(t, err, "of another kind")
	err = view.Diff(t.Context(), &w, goroutines, goroutines, view.DiffOptions{})
	require.ErrorContains(t, err, "is a snapshot, not a count over operations")
	err = view.Diff(t.Context(), &w, cpu, []string{filepath.Join(base, "nowhere.pb.gz")}, view.DiffOptions{})
	require.ErrorContains(t, err, "missing")
	require.Empty(t, w.String())
}
