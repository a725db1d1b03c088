package report

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// groupedRun returns a run of two repetitions with three groups: slow devices, broken ones, and
// 2,000 others whose times are times as long as usual.
func groupedRun(times float64) *rundir.Loaded {
	run := &rundir.Loaded{Run: results.Run{Scenario: "mixed", Repetitions: 2}}
	group := func(name string, repetition int, c results.Counts, p50 float64) {
		g := results.Group{Name: name, Repetition: repetition, Counts: c, Succeeded: int64(c.Updated),
			Failed: int64(c.Failed)}
		push := results.GroupOperation{Op: "push", Succeeded: g.Succeeded, Metrics: map[string]float64{}}
		deliver := results.GroupOperation{Op: "deliver", Succeeded: g.Succeeded, Metrics: map[string]float64{
			"failed/device": float64(c.Failed) / float64(c.Devices),
		}}
		if p50 > 0 {
			push.Metrics["p50-ns/op"] = 1
			deliver.Metrics["p50-ns/op"], deliver.Metrics["p99-ns/op"], deliver.Metrics["max-ns/op"] = p50, 2*p50, 3*p50
		}
		g.Operations = []results.GroupOperation{push, deliver}
		run.Groups = append(run.Groups, g)
	}
	for repetition := range 2 {
		group("slow", repetition+1, results.Counts{Devices: 10, Updated: 10 - repetition, Failed: repetition}, 100e6)
		group("broken", repetition+1, results.Counts{Devices: 5, Failed: 5}, 0)
		group("rest", repetition+1, results.Counts{Devices: 2000, Updated: 2000}, 1e6*times*float64(repetition+1))
	}
	run.Rollouts = []results.Rollout{{Waves: []results.Wave{
		{Number: 1, Size: 30, Updated: 30, BeganNS: 1e6, EndedNS: 501e6, SoakNS: 2e9, Succeeded: 30, P50NS: 10e6,
			P99NS: 20e6, MaxNS: 21e6},
		{Number: 2, Size: 70, Failed: 3, BeganNS: 2501e6},
	}}}
	return run
}

func TestGroupTable(t *testing.T) {
	run := groupedRun(1)
	r := &Result{Run: run, Now: Side{Label: "now", Run: run}}
	table := r.GroupTable()
	require.Equal(t, "Groups of devices, operations of 2 repetitions together, medians of the times of deliver",
		table.Label)
	require.Equal(t, `group   devices  updated  failed  succeeded ops  failed ops           p50           p99     max
───────────────────────────────────────────────────────────────────────────────────────────────
slow         10        9       1             19           1  100ms (of 9)  200ms (of 9)   300ms
broken        5        0       5              0          10             –             –       –
rest      2,000    2,000       0          4,000           0        1.50ms        3.00ms  4.50ms
`, shown(t, table, texttable.Style{}))
	require.Equal(t, []string{fewLegend}, table.Notes)
	require.Nil(t, (&Result{Run: &rundir.Loaded{}, Now: Side{Run: &rundir.Loaded{}}}).GroupTable())

	for i := range run.Groups {
		run.Groups[i].Counts.AppliedTwice = 1
	}
	require.Contains(t, shown(t, r.GroupTable(), texttable.Style{}), "applied twice")
	require.NotContains(t, shown(t, r.GroupTable(), texttable.Style{}), "lost")
}

func TestGroupChangeTable(t *testing.T) {
	now, base := groupedRun(1.2), groupedRun(1)
	r := &Result{Run: now, Now: Side{Label: "now", Run: now}, Base: Side{Label: "main", Run: base}}
	require.Equal(t, `group   metric           main     now  change
─────────────────────────────────────────────
slow    failed/device      5%      5%    0.0%
slow    p50-ns/op       100ms   100ms    0.0%
slow    p99-ns/op       200ms   200ms    0.0%
slow    max-ns/op       300ms   300ms    0.0%
broken  failed/device    100%    100%    0.0%
rest    failed/device      0%      0%    0.0%
rest    p50-ns/op      1.50ms  1.80ms  +20.0%
rest    p99-ns/op      3.00ms  3.60ms  +20.0%
rest    max-ns/op      4.50ms  5.40ms  +20.0%
`, shown(t, r.GroupChangeTable(), texttable.Style{}))
	r.Base = Side{}
	require.Nil(t, r.GroupChangeTable())
}

func TestWriteBy(t *testing.T) {
	run := groupedRun(1)
	d := &Document{Results: []*Result{{Scenario: "mixed", Run: run, Now: Side{Label: "now", Run: run}}}}
	var text bytes.Buffer
	require.NoError(t, WriteBy(&text, d, ByWave, texttable.Style{}))
	require.Equal(t, `Times of the waves of repetition 1:

wave   began   took   soak  succeeded  failed     p50             p99     max
─────────────────────────────────────────────────────────────────────────────
1     1.00ms  500ms  2.00s         30       0  10.0ms  20.0ms (of 30)  21.0ms
2      2.50s      –      –          0       3       –               –       –
`+fewLegend+"\n", text.String())
	text.Reset()
	require.NoError(t, WriteBy(&text, d, ByGroup, texttable.Style{Width: 50}))
	require.Contains(t, text.String(), "left out: ")
	run.Groups, run.Rollouts = nil, nil
	for by, want := range map[By]string{
		ByGroup: "mixed: nothing by group: the fleet has no groups, nobody said which device is in which, or no repetition was completed\n",
		ByWave:  "mixed: nothing by wave: load.model isn't rollout, no repetition was completed, or an old version measured the run\n",
	} {
		text.Reset()
		require.NoError(t, WriteBy(&text, d, by, texttable.Style{}))
		require.Equal(t, want, text.String())
	}
}
