package runner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSlowIsToldHoweverItEnds: an operation beyond slow_trace is told whether it succeeded or failed,
// and one within it isn't.
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
		s.Operation(0, took, row.succeeded) // there is no room for it: nothing waits
		require.Equal(t, row.told, len(s.slow) == 1, name)
	}
}
