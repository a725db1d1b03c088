package results

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// withoutRepetitions is records without those of the first n repetitions, as they
// are where no operation of them came to an end.
func withoutRepetitions(records []Record, n int) []Record {
	return slices.DeleteFunc(records, func(r Record) bool { return r.Repetition <= n })
}

// TestJudgeRunWithRepetitionsThatMeasuredNothing: where every device of a repetition
// fails there is no line for it, and so no failed/device either.
func TestJudgeRunWithRepetitionsThatMeasuredNothing(t *testing.T) {
	base, run := testBaseline(), testRun()
	run.Status, run.Repetitions = StatusFinished, 10
	require.Equal(t, Pass, JudgeRun(&base, run, rolloutRecords(1, 10, 1)).Verdict)

	j := JudgeRun(&base, run, withoutRepetitions(rolloutRecords(1, 10, 1), 4))
	require.Equal(t, Inconclusive, j.Verdict, j.Reason)
	require.Contains(t, j.Reason, "6 of 10 repetitions")

	worse := withoutRepetitions(rolloutRecords(1, 10, 1), 4)
	for i := range worse {
		worse[i].Values = append(slices.Clone(worse[i].Values[:7]), Value{"failed/device", 0.5})
	}
	require.Equal(t, Regressed, JudgeRun(&base, run, worse).Verdict, "what is worse is worse")
}

func TestLoadRunTellsOfMissingSamples(t *testing.T) {
	d, run := newDirectory(t), testRun()
	run.Status, run.Repetitions = StatusFinished, 3
	require.NoError(t, d.WriteRun(run))
	records := rolloutRecords(1, 3, 1)
	require.NoError(t, d.AppendSamples(records[:5]...)) // push, verify, push, verify, push
	require.NoError(t, d.WriteRun(run))
	loaded, err := LoadRun(d.Path())
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(strings.Join(loaded.Warnings, "\n"), "3 repetitions were completed"))
	require.Contains(t, strings.Join(loaded.Warnings, "\n"), "2 samples of verify")

	require.NoError(t, d.AppendSamples(records[5:]...))
	require.NoError(t, d.WriteRun(run))
	loaded, err = LoadRun(d.Path())
	require.NoError(t, err)
	require.Empty(t, loaded.Warnings)
}
