package cli

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/batch"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// TestCodeOf checks that only an ExitError, wherever it is among joined errors, means that
// something was judged. Every other error kept the command from judging.
func TestCodeOf(t *testing.T) {
	other := errors.New("other")
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{other, 2},
		{Usagef("--%s: no", "x"), 2},
		{&ExitError{Code: ExitInterrupted}, 130},
		{&ExitError{Code: ExitInterrupted, Verdict: results.Regressed}, 130}, // it was interrupted afterwards
		{VerdictError("", "x"), 0},
		{VerdictError(results.Pass, "x"), 0},
		{VerdictError(results.Improved, "x"), 0},
		{VerdictError(results.Regressed, "x"), 1},
		{VerdictError(results.Inconclusive, "x"), 3},
		{VerdictError(results.Invalid, "x"), 4},
		{errors.Join(other, VerdictError(results.Invalid, "x")), 4},
		{fmt.Errorf("in: %w", VerdictError(results.Regressed, "x")), 1},
	} {
		require.Equal(t, c.want, CodeOf(c.err), "%v", c.err)
	}
	require.NoError(t, VerdictError(results.Pass, "x"), "a pass is no error")
	require.EqualError(t, VerdictError(results.Regressed, "why"), "why")
}

func TestEndError(t *testing.T) {
	broken := errors.New("broken")
	result := func(status results.Status, err error, invalid ...string) *batch.Result {
		run := results.Run{Status: status, Invalid: invalid}
		return &batch.Result{Result: &runner.Result{Directory: "runs/x", Run: run}, Err: err}
	}
	for _, c := range []struct {
		result      *batch.Result
		consequence string
		code        int
		text        string
	}{
		{result(results.StatusFinished, nil), "", 0, ""},
		{result(results.StatusFinished, nil, "contradicted"), "", 0, ""}, // the verdict reports that
		{result(results.StatusFailed, broken), "", 2, "broken"},
		{result(results.StatusFailed, broken), "nothing is judged", 2, "runs/x: broken"},
		{result(results.StatusFailed, broken, "broken"), "", 4, "\nbroken"},
		{result(results.StatusFailed, broken, "broken"), "nothing is judged", 4, "\nruns/x: broken"},
		{result(results.StatusInterrupted, nil), "", 130, ""},
		{result(results.StatusInterrupted, nil), "nothing is judged", 130,
			"interrupted: nothing is judged; what was measured is in runs/x"},
		{result(results.StatusInterrupted, broken, "broken"), "", 130, "\nbroken"},
	} {
		err := EndError(c.result, c.consequence)
		require.Equal(t, c.code, CodeOf(err))
		if err != nil {
			require.EqualError(t, err, c.text)
		}
	}
}

func TestCheckBetween(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "", 24 * time.Hour: "",
		time.Second - 1:     "--budget 999.999999ms: want 1s to 24h",
		24*time.Hour + 1e9:  "--budget 24h0m1s: want 1s to 24h",
		-5 * time.Second:    "--budget -5s: want 1s to 24h",
		100 * time.Hour * 9: "--budget 900h0m0s: want 1s to 24h",
	} {
		err := CheckBetween("budget", d, time.Second, 24*time.Hour)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, want)
		require.Equal(t, ExitUsage, CodeOf(err))
	}
}

func TestConsole_CommandLine(t *testing.T) {
	require.Equal(t, "fleetmark", Console{}.CommandLine())
	require.Equal(t, "fleetmark run 'a b' --json", Console{Args: []string{"run", "a b", "--json"}}.CommandLine())
}
