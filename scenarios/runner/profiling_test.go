package runner

import (
	"cmp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSlowIsToldHoweverItEnds checks that an operation longer than slow_trace is reported whether
// it succeeded or failed, and that a shorter one isn't.
func TestSlowIsToldHoweverItEnds(t *testing.T) {
	const took = 20 * time.Millisecond
	for name, row := range map[string]struct {
		most      time.Duration
		succeeded bool
		told      bool
	}{
		"succeeded":     {took / 2, true, true},
		"failed":        {took / 2, false, true},
		"within":        {time.Hour, true, false},
		"failed within": {took, false, false},
	} {
		s := &slowTraces{longest: row.most, slow: make(chan time.Duration, 1)}
		s.Operation(0, took, row.succeeded)
		s.Operation(0, took, row.succeeded) // the channel is full, and Operation must not block
		require.Equal(t, row.told, len(s.slow) == 1, name)
	}
}

// TestProcessesAreProfiledForAWholeLoad checks how long processes are profiled, in whole seconds, and
// whether the profile then has the operations of a load that takes as long as expected.
func TestProcessesAreProfiledForAWholeLoad(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for name, row := range map[string]struct {
		load, took time.Duration // by the plan, and in the last repetition
		want       time.Duration
		covers     bool
	}{
		"nothing is known":            {0, 0, s, true},
		"a short plan":                {300 * ms, 0, s, true},
		"a plan":                      {2500 * ms, 9 * s, 3 * s, true},
		"a whole plan":                {5 * s, 0, 5 * s, true},
		"as the last time":            {0, 1900 * ms, 2 * s, true},
		"longer than is profiled":     {0, 90 * s, 60 * s, false},
		"a plan longer than a minute": {90 * s, 0, 90 * s, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := (&processes{took: row.took}).profileTime(row.load)
			require.Equal(t, row.want, got)
			require.Equal(t, row.covers, covers(got, cmp.Or(row.load, row.took)))
		})
	}
	require.True(t, covers(s, s+30*ms), "the last operations end a little after the plan")
	require.False(t, covers(s, s+200*ms))
}
