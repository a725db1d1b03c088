package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummarizeGroups(t *testing.T) {
	group := func(name string, repetition int, c Counts, p50 float64, classes map[string]int64) Group {
		g := Group{Name: name, Repetition: repetition, Counts: c, Succeeded: int64(c.Updated), Failures: classes}
		for _, n := range classes {
			g.Failed += n
		}
		metrics := map[string]float64{UnitFailed: float64(g.Failed) / float64(g.Succeeded+g.Failed)}
		if p50 > 0 {
			metrics[UnitP50] = p50
		}
		g.Operations = []GroupOperation{{Op: "deliver", Succeeded: g.Succeeded, Metrics: metrics}}
		return g
	}
	list := []Group{
		group("slow", 1, Counts{Devices: 4, Updated: 4}, 8e6, nil),
		group("broken", 1, Counts{Devices: 2, Failed: 2}, 0, map[string]int64{"status": 2}),
		group("slow", 2, Counts{Devices: 4, Updated: 3, Failed: 1}, 6e6, map[string]int64{"timeout": 1}),
		group("broken", 2, Counts{Devices: 2, Failed: 2, AppliedTwice: 1}, 0, map[string]int64{"status": 1, "timeout": 1}),
	}
	require.Equal(t, []GroupSummary{
		{
			Name: "slow", Counts: Counts{Devices: 4, Updated: 3, Failed: 1}, Succeeded: 7, Failed: 1,
			Failures: map[string]int64{"timeout": 1},
			Metrics:  map[string]map[string]float64{"deliver": {UnitP50: 7e6, UnitFailed: 0.125}},
		},
		{
			Name: "broken", Counts: Counts{Devices: 2, Failed: 2, AppliedTwice: 1}, Failed: 4,
			Failures: map[string]int64{"status": 3, "timeout": 1},
			Metrics:  map[string]map[string]float64{"deliver": {UnitFailed: 1}},
		},
	}, SummarizeGroups(list))
	require.Nil(t, SummarizeGroups(nil))
	require.Equal(t, []Record{
		{Op: "deliver", Repetition: 1, Ops: 4, Values: []Value{{UnitP50, 8e6}, {UnitFailed, 0}}},
		{Op: "deliver", Repetition: 2, Ops: 3, Failed: 1, Values: []Value{{UnitP50, 6e6}, {UnitFailed, 0.25}}},
	}, GroupRecords(list, "slow"))
}
