package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimiter_LetsThroughAtItsRate(t *testing.T) {
	const ms = int64(time.Millisecond)
	l := newLimiter(100)
	for _, row := range []struct{ now, want int64 }{
		{0, 0}, {0, 10}, {0, 20}, {15, 15}, // the fourth response, at 15 ms, may leave at 30 ms
		{100, 0}, {100, 10}, {105, 15}, // idle time isn't saved up
	} {
		require.Equal(t, time.Duration(row.want*ms), l.wait(row.now*ms))
	}
	require.Zero(t, newLimiter(0).wait(0))
}
