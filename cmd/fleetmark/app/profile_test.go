package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// profileFile writes a profile in which each function is a stack of its own, with its value.
func profileFile(t *testing.T, column, unit string, seconds int64, functions map[string]int64) string {
	t.Helper()
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: column, Unit: unit}}, DurationNanos: seconds * 1e9}
	for name, value := range functions {
		f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, SystemName: name}
		l := &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		p.Sample = append(p.Sample, &profile.Sample{Location: []*profile.Location{l}, Value: []int64{value}})
	}
	var b bytes.Buffer
	require.NoError(t, p.Write(&b))
	path := filepath.Join(t.TempDir(), "some.pb.gz")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

func profileCommand(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, said bytes.Buffer
	c := cli.Console{Args: append([]string{"profile"}, args...), In: strings.NewReader(""), Out: &out, Err: &said}
	code = execute(t.Context(), c)
	return code, out.String(), said.String()
}

func TestProfileOfAnotherKindIsRefused(t *testing.T) {
	cpu := profileFile(t, "cpu", "nanoseconds", 1, map[string]int64{"f": 7})
	page := filepath.Join(t.TempDir(), "page.html")
	for _, args := range [][]string{
		{"top", cpu, "--kind", "heap"}, {"top", cpu, "--kind", "heap", "--json"},
		{"diff", cpu, cpu, "--raw", "--kind", "heap"},
		{"flame", cpu, "--kind", "heap", "--out", page}, {"web", cpu, "--kind", "heap"},
	} {
		code, stdout, stderr := profileCommand(t, args...)
		require.Equal(t, cli.ExitUsage, code, args)
		if args[0] != "web" { // which says first where its pages are
			require.Empty(t, stdout)
		}
		require.Contains(t, stderr, "some.pb.gz: of another kind than asked for (heap was asked for; it is of cpu): "+
			"name one of that kind, or leave --kind out\n")
	}
	require.NoFileExists(t, page)
	// Without --kind any kind is taken, and the page names the kind of the file.
	heap := profileFile(t, "inuse_space", "bytes", 0, map[string]int64{"f": 7})
	code, _, stderr := profileCommand(t, "flame", heap, "--out", page)
	require.Equal(t, cli.ExitPass, code, stderr)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), `<div id="of"><b>some</b>`)
}

func TestProfileJSONOfNothingIsAList(t *testing.T) {
	cpu := profileFile(t, "cpu", "nanoseconds", 1, map[string]int64{"f": 7})
	mutex := profileFile(t, "delay", "nanoseconds", 1, nil)
	for _, args := range [][]string{
		{"top", mutex, "--json"}, {"diff", cpu, cpu, "--raw", "--json"}, {"diff", cpu, cpu, "--normalize", "--json"},
	} {
		code, stdout, stderr := profileCommand(t, args...)
		require.Equal(t, cli.ExitPass, code, stderr)
		require.Equal(t, "[]\n", stdout)
	}
}

// TestProfileDiffSaysTheLengths compares two sides, the second twice as long as the first. f took
// two thirds of either and g a third.
func TestProfileDiffSaysTheLengths(t *testing.T) {
	base := profileFile(t, "cpu", "nanoseconds", 10, map[string]int64{"f": 6e9, "g": 3e9})
	now := profileFile(t, "cpu", "nanoseconds", 20, map[string]int64{"f": 12e9, "g": 6e9})
	code, stdout, stderr := profileCommand(t, "diff", base, now, "--raw")
	require.Equal(t, cli.ExitPass, code, stderr)
	require.Regexp(t, `^note: base is of 10s, now of 20s: --raw subtracts them as they are; --normalize compares`, stdout)
	require.Regexp(t, `(?m)^ +6s .* f$`, stdout)
	code, stdout, stderr = profileCommand(t, "diff", base, now, "--raw", "--json")
	require.Equal(t, cli.ExitPass, code)
	require.Contains(t, stderr, "note: base is of 10s, now of 20s")
	require.True(t, json.Valid([]byte(stdout)))

	code, stdout, _ = profileCommand(t, "diff", base, now, "--normalize")
	require.Equal(t, cli.ExitPass, code)
	require.Contains(t, stdout, "note: now is scaled to the sum of base, 9s: percentages are differences of shares, ")
	require.Contains(t, stdout, "Showing nodes accounting for 0, 0% of 9s total\n")
	require.NotRegexp(t, `(?m) [fg]$`, stdout)
	code, _, stderr = profileCommand(t, "diff", base, now, "--normalize", "--raw")
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, stderr, "normalize")
}

func TestProfileExplainAdvisesOnlyWhatIsThere(t *testing.T) {
	cpu := profileFile(t, "cpu", "nanoseconds", 1, map[string]int64{"main.f": 7})
	_, help, _ := profileCommand(t, "explain", "--help")
	require.NotContains(t, help, "--set")
	code, _, stderr := profileCommand(t, "explain", cpu, cpu)
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, stderr, "either side has 1 profile: want 5 to 400")
	require.Contains(t, stderr, "fleetmark run --profiled 8")
	dir := t.TempDir() // files that don't say of how many operations they are
	data, err := os.ReadFile(cpu)
	require.NoError(t, err)
	for _, n := range []string{"1", "2", "3", "4", "5"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cpu."+n+".pb.gz"), data, 0o600))
	}
	code, _, stderr = profileCommand(t, "explain", dir, dir)
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, stderr, "doesn't say how many operations it covers: "+
		"capture it with --operations, or compare shares with fleetmark profile diff --normalize")
	require.NotContains(t, stderr, "--raw")
}

// TestProfileOfAMomentIsNotDividedByOperations checks that each command advises a flag that helps
// with such a profile.
func TestProfileOfAMomentIsNotDividedByOperations(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile(profileFile(t, "goroutine", "count", 0, map[string]int64{"f": 7}))
	require.NoError(t, err)
	for _, n := range []string{"1", "2", "3", "4", "5"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "goroutine."+n+".pb.gz"), data, 0o600))
	}
	for name, advice := range map[string]string{
		"diff":    "--raw takes what was live as it is, --normalize compares shares\n",
		"flame":   "--raw takes what was live as it is, --normalize compares shares\n",
		"explain": "explain a kind that counts what was done, such as allocs; fleetmark profile diff --raw subtracts this one\n",
	} {
		code, _, stderr := profileCommand(t, name, dir, dir, "--kind", "goroutine")
		require.Equal(t, cli.ExitUsage, code)
		require.Contains(t, stderr, "goroutine.1.pb.gz: is a snapshot, not a count over operations: "+advice, name)
	}
}
