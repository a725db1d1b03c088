package abtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestCompareWith_noSuchRevision checks that a revision that can't be built is an error that says
// what to do, and that the temporary directory is empty afterwards.
func TestCompareWith_noSuchRevision(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	var log []string
	found, err := CompareWith(t.Context(), CompareOptions{
		Options: options(t, "gate-push"), Source: Revision{Ref: "nonesuch"}, Out: t.TempDir(),
		Log: func(line string) { log = append(log, line) },
	})
	require.Nil(t, found)
	var mistake *checkout.Error
	require.ErrorAs(t, err, &mistake)
	require.Contains(t, err.Error(), "nonesuch")
	require.Equal(t, []string{"checking out the client of nonesuch"}, log)
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestCompareWith_oneClientOnBothSides checks that a scenario isn't compared if its client would be the
// same on both sides, whatever they are.
func TestCompareWith_oneClientOnBothSides(t *testing.T) {
	var service, running, process scenarios.Spec
	service.Name, running.Name, process.Name = "ours", "theirs", "own"
	service.Client.Service.Start = []string{"./orchestrator"}
	running.Client.Service.Trigger.Request.URL = "http://127.0.0.1:9000/rollouts"
	process.Client.Command = []string{"python3", "push.py"}
	const same = ", so both sides would be the same: run the scenario with each version of the service, " +
		"and compare the runs by `fleetmark compare`"
	for _, c := range []struct {
		spec   scenarios.Spec
		source Source
		want   string
	}{
		{running, Revision{Ref: "HEAD"}, "scenario theirs: its client.service runs already" + same},
		{running, Commands{}, "scenario theirs: its client.service is no part of either command" + same},
		{service, Commands{}, "scenario ours: its client.service is no part of either command" + same},
	} {
		_, err := CompareWith(t.Context(), CompareOptions{
			Options: Options{Specs: []scenarios.Spec{c.spec}}, Source: c.source, Out: t.TempDir(),
		})
		require.EqualError(t, err, c.want)
	}

	// Two drivers would start the process; a command that is a process takes its place.
	o := Options{Specs: []scenarios.Spec{process}}
	require.EqualError(t, o.setClient(Side{Program: "/driver"}), "scenario own has a client.command, "+
		"which both programs would drive instead of their own client: want a scenario without it")
	require.NoError(t, o.setClient(Side{Program: "/driver", Tree: &checkout.Tree{}}))
	require.Equal(t, process.Client, o.Specs[0].Client)
}

// TestComparison_keepStacks checks that the goroutines of a driver that failed are in a file below
// the output directory, which the reason names, and that a driver which printed nothing leaves no
// file.
func TestComparison_keepStacks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs")
	failed := func(stacks string) *Comparison {
		reasons := []judge.Reason{{Code: judge.SideFailed, Side: judge.SideNow}}
		return &Comparison{Outcome: &Outcome{
			Failed: &SideError{Side: checkout.Now, Stacks: stacks}, Judgement: &judge.Judgement{Reasons: reasons},
		}}
	}
	c := failed("")
	require.NoError(t, c.keepStacks(dir))
	require.Empty(t, c.Stacks)
	require.Empty(t, c.Judgement.Reasons[0].Name)
	require.NoDirExists(t, dir)

	c = failed("goroutine 1 [running]:")
	require.NoError(t, c.keepStacks(dir))
	require.True(t, strings.HasSuffix(c.Stacks, "-gate/goroutines-now.txt"), c.Stacks)
	require.Equal(t, c.Stacks, c.Judgement.Reasons[0].Name)
	text, err := os.ReadFile(c.Stacks)
	require.NoError(t, err)
	require.Equal(t, "goroutine 1 [running]:\n", string(text))
}
