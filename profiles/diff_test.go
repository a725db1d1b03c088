package profiles_test

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
)

// someProfiles are two runs' worth of this process's, each of so many operations.
func someProfiles(t *testing.T, kinds ...profiles.Kind) (base, now string) {
	t.Helper()
	dirs := []string{t.TempDir(), t.TempDir()}
	for i, dir := range dirs {
		c, err := capture.Start(t.Context(), dir, 1, capture.Config{Kinds: kinds})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		for range i + 1 {
			plantedLoop(ctx)
			allocateDuring()
		}
		cancel()
		require.NoError(t, c.Label(profiles.OperationsLabel, []string{"1000", "2000"}[i]))
		_, err = c.Stop()
		require.NoError(t, err)
	}
	return dirs[0], dirs[1]
}

// goTool runs pprof, which we didn't write.
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

// rows are a report's lines below its heading, which names the program and the time.
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

// TestDiffIsPprofs: with Raw the numbers are those of go tool pprof on the same files.
func TestDiffIsPprofs(t *testing.T) {
	base, now := someProfiles(t, profiles.CPU, profiles.Allocs)
	for _, row := range []struct {
		kind profiles.Kind
		opts profiles.DiffOptions
		args []string
	}{
		{profiles.CPU, profiles.DiffOptions{}, nil},
		{profiles.CPU, profiles.DiffOptions{TopOptions: profiles.TopOptions{Cumulative: true, Lines: -1}}, []string{"-cum", "-nodecount=0"}},
		{profiles.CPU, profiles.DiffOptions{TopOptions: profiles.TopOptions{ByLine: true}}, []string{"-lines", "-nodecount=20"}},
		{profiles.CPU, profiles.DiffOptions{TopOptions: profiles.TopOptions{SampleIndex: "samples"}}, []string{"-sample_index=samples"}},
		{profiles.Allocs, profiles.DiffOptions{}, nil},
		{profiles.Allocs, profiles.DiffOptions{TopOptions: profiles.TopOptions{SampleIndex: "alloc_objects"}}, []string{"-sample_index=alloc_objects"}},
	} {
		name := string(row.kind) + strings.Join(row.args, "")
		t.Run(name, func(t *testing.T) {
			b, err := profiles.Find(base, row.kind)
			require.NoError(t, err)
			n, err := profiles.Find(now, row.kind)
			require.NoError(t, err)
			row.opts.Raw = true
			var ours bytes.Buffer
			require.NoError(t, profiles.Diff(t.Context(), &ours, b, n, row.opts))
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

// TestDiffIsOfAnOperation: the second run has twice the operations and twice the work, so that there is
// no difference of either's operation; a raw one there is.
func TestDiffIsOfAnOperation(t *testing.T) {
	rate := runtime.MemProfileRate
	runtime.MemProfileRate = 1 // every allocation counts, as it is
	t.Cleanup(func() { runtime.MemProfileRate = rate })
	base, now := someProfiles(t, profiles.Allocs)
	b, err := profiles.Find(base, profiles.Allocs)
	require.NoError(t, err)
	n, err := profiles.Find(now, profiles.Allocs)
	require.NoError(t, err)
	of := func(raw bool) (flat int64) {
		rows, _, err := profiles.DiffRows(t.Context(), b, n, profiles.DiffOptions{TopOptions: profiles.TopOptions{Lines: -1, SampleIndex: "alloc_objects"}, Raw: raw})
		require.NoError(t, err)
		for _, r := range rows {
			if r.Function == planted+"allocateDuring" {
				flat = r.Flat
			}
		}
		return flat
	}
	require.InDelta(t, blockCount, of(true), 2)
	require.InDelta(t, 0, of(false), 1_000_000/1000) // a hundred objects in 1000 operations are 100,000 in a million
}

func TestDiffRefuses(t *testing.T) {
	base, now := someProfiles(t, profiles.CPU, profiles.Goroutine)
	cpu, err := profiles.Find(base, profiles.CPU)
	require.NoError(t, err)
	goroutines, err := profiles.Find(now, profiles.Goroutine)
	require.NoError(t, err)
	var w bytes.Buffer
	err = profiles.Diff(t.Context(), &w, cpu, goroutines, profiles.DiffOptions{Raw: true})
	require.ErrorContains(t, err, "of another kind")
	err = profiles.Diff(t.Context(), &w, goroutines, goroutines, profiles.DiffOptions{})
	require.ErrorContains(t, err, "is of a moment, not of operations")
	_, err = profiles.Explain(t.Context(), slices.Repeat(goroutines, 8), slices.Repeat(goroutines, 8), profiles.ExplainOptions{Own: []string{"x"}})
	require.ErrorContains(t, err, "is of a moment, not of operations")
	err = profiles.Diff(t.Context(), &w, cpu, []string{filepath.Join(base, "nowhere.pb.gz")}, profiles.DiffOptions{})
	require.ErrorContains(t, err, "missing")
	require.Empty(t, w.String())
}
