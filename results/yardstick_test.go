package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMoved(t *testing.T) {
	at := func(ns float64) *Yardstick { return &Yardstick{RoundTripNS: ns, Blocks: 20} }
	for _, c := range []struct {
		name        string
		before, now *Yardstick
		want        string
	}{
		{"neither known", nil, nil, ""},
		{"not known then", nil, at(1), ""},
		{"not known now", at(1), nil, ""},
		{"the same", at(15_000), at(15_000), ""},
		{"noise", at(15_000), at(17_000), ""},
		{"noise the other way", at(17_000), at(15_000), ""},
		{"slower", at(15_000), at(27_000), "the machine is 1.80 times as slow as it was"},
		{"faster", at(30_000), at(15_000), "the machine is 2.00 times as fast as it was"},
		{"no measure", at(0), at(15_000), ""},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, moved(pace(c.before, c.now))) })
	}
	require.Nil(t, NewYardstick(nil))
	require.Equal(t, &Yardstick{RoundTripNS: 2.5, Blocks: 4}, NewYardstick([]float64{4, 1, 2, 3}))
}

// TestJudgeRunOnASlowerMachine: what run.json says of the machine reaches the verdict.
func TestJudgeRunOnASlowerMachine(t *testing.T) {
	base, run := testBaseline(), testRun()
	run.Status = StatusFinished
	base.Scenarios[0].Yardstick = &Yardstick{RoundTripNS: 15_000, Blocks: 20}
	run.Harness.Yardstick = &Yardstick{RoundTripNS: 15_500, Blocks: 20}
	slower := rolloutRecords(2, 10, 1.6)
	require.Equal(t, Regressed, JudgeRun(&base, run, slower).Verdict)

	run.Harness.Yardstick.RoundTripNS = 24_000
	j := JudgeRun(&base, run, slower)
	require.Equal(t, Pass, j.Verdict, j.Reason)
	require.Contains(t, j.Reason, "(the machine is 1.60 times as slow as it was)")
}
