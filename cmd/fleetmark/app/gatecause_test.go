package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
)

// TestGateSaysWhy has the gate compare two sides of which one allocates more. The gate must report
// the regression and then where it comes from, on the terminal, in JSON, in the reports and in
// files. A cause that couldn't be found leaves the verdict as it is.
func TestGateSaysWhy(t *testing.T) {
	testenv.Slow(t)
	onceOnly(t)
	spec, err := scenarios.Find("gate-push")
	require.NoError(t, err)
	program := filepath.Join(built, "fleetmark")
	o := abtest.Options{
		Builds: abtest.Builds{Base: abtest.Side{Program: program}, Now: abtest.Side{Program: program}},
		Specs:  []scenarios.Spec{spec}, FleetCommand: []string{program, "fleet", "--driven"}, Budget: time.Minute, Seed: 1,
		Injection: abtest.Injection{Allocations: 2}, Stderr: io.Discard,
	}
	out, err := abtest.Run(t.Context(), o)
	for try := 1; try < 3 && err == nil &&
		out.Judgement.Verdict == results.Invalid; try++ { // other processes disturbed it
		out, err = abtest.Run(t.Context(), o)
	}
	require.NoError(t, err)
	require.Equal(t, results.Regressed, out.Judgement.Verdict, report.Sentence(out.Judgement))
	// Explaining a row takes time, and the machine may have made any time regress: keep the
	// allocations alone.
	only := *out.Judgement
	only.Rows = nil
	for _, r := range out.Judgement.Rows {
		if r.Unit.Name == "allocs/op" {
			only.Rows = append(only.Rows, r)
		}
	}
	quiet := func(string) {}
	dir := t.TempDir()
	found, unexplained := abtest.ExplainRegression(t.Context(), o, &only, dir, quiet)
	require.NoError(t, unexplained)
	require.Len(t, found, 1)
	cause := found[0]
	require.Equal(t, profiles.Allocs, cause.Kind)
	require.Equal(t, "alloc_objects", cause.Sample)
	require.Contains(t, cause.Causes[0].Function, "abtest.(*degradedClient)")
	require.InDelta(t, 2, cause.Causes[0].Delta, 0.05) // objects of an operation
	require.Contains(t, cause.Causes[0].Lines[0].Name, "injection.go:")

	for _, name := range []string{"explain.txt", "explain.json", "flame.html"} {
		require.FileExists(t, filepath.Join(cause.Dir, name))
	}
	page, err := os.ReadFile(cause.Flame)
	require.NoError(t, err)
	require.Contains(t, string(page), "degradedClient")
	require.Contains(t, string(page), "alloc_objects") // what was explained

	document := report.FromABTest(report.ModeBase, report.Input{
		Scenario: "gate-push", Judgement: out.Judgement, Causes: []report.Cause{report.Cause(cause)},
		Base: report.Side{Records: out.Base}, Now: report.Side{Records: out.Now},
	}, report.ABTest{})
	require.Len(t, document.Results[0].Causes, 1)
	var text, data bytes.Buffer
	require.NoError(t, report.Terminal(&text, document, report.Style{}))
	require.Contains(t, text.String(), "why (gate-push, profiles of kind allocs)")
	require.Contains(t, text.String(), "(*degradedClient)")
	require.NoError(t, report.JSON(&data, document))
	var object struct {
		Causes      []struct{ Flame string }
		Unexplained string
	}
	require.NoError(t, json.Unmarshal(data.Bytes(), &object))
	require.Equal(t, cause.Flame, object.Causes[0].Flame)
	require.Empty(t, object.Unexplained)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	causes, unable := abtest.ExplainRegression(ctx, o, &only, t.TempDir(), quiet)
	require.Empty(t, causes)
	require.EqualError(t, unable, "interrupted")

	// A row that can't be explained doesn't keep another from being explained.
	broken := o
	broken.Builds.Now.Program = filepath.Join(dir, "nowhere")
	_, unable = abtest.ExplainRegression(t.Context(), broken, &only, t.TempDir(), quiet)
	require.ErrorContains(t, unable, "allocs of gate-push: ")
}
