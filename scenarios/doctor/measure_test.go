package doctor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSummarize(t *testing.T) {
	var late []time.Duration
	for i := 101; i > 0; i-- {
		late = append(late, time.Duration(i-1))
	}
	require.Equal(t, Timer{P50: 50, P99: 99, Turns: 101}, summarize(late))
	require.Equal(t, Timer{P50: 7, P99: 7, Turns: 1}, summarize([]time.Duration{7}))
}

func TestMeasureTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timer, err := measureTimers(t.Context())
		require.NoError(t, err)
		require.Equal(t, Timer{Turns: timerTurns}, timer, "where no timer is late")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = measureTimers(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestTryLoopback(t *testing.T) {
	require.Empty(t, tryLoopback(t.Context()).Refused, "the other tests of this repository need it")
}
