package mockfleet

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
)

func TestATurnstileLetsThroughAtItsRate(t *testing.T) {
	const ms = int64(time.Millisecond)
	s := newTurnstile(100)
	for _, row := range []struct{ now, want int64 }{
		{0, 0}, {0, 10}, {0, 20}, {15, 15}, // who comes at 15 ms is the fourth, and goes at 30
		{100, 0}, {100, 10}, {105, 15}, // idle time isn't saved up
	} {
		require.Equal(t, time.Duration(row.want*ms), s.wait(row.now*ms))
	}
	require.Zero(t, newTurnstile(0).wait(0))
}

func TestAFleetAnswersNoMoreThanItsCapacity(t *testing.T) {
	inBubble(t, Config{Devices: 1, Capacity: 4}, func(t *testing.T, _ *Fleet, client net.Conn) {
		begun := time.Now()
		for n := range 5 {
			var answer wire.UpdateAnswer
			require.Equal(t, 200, asked(t, client, string(pushRequest("/update", []byte("x"))), &answer))
			require.Equal(t, time.Duration(n)*250*time.Millisecond, time.Since(begun), "answer %d", n)
		}
	})
}
