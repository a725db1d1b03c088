package runner

import (
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
