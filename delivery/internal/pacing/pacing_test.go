package pacing

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestByteRate(t *testing.T) {
	require.Nil(t, NewByteRate(0))
	require.Equal(t, int64(1024), NewByteRate(1024).Piece())
	r := NewByteRate(100_000)
	require.Equal(t, int64(5000), r.Piece())
	now := time.Unix(1_000_000, 0)
	require.Zero(t, r.Take(now, 5000))
	require.Equal(t, 50*time.Millisecond, r.Take(now, 20_000), "the first 5000 take so long")
	require.Equal(t, 150*time.Millisecond, r.Take(now.Add(100*time.Millisecond), 1))
	require.Zero(t, r.Take(now.Add(time.Hour), 5000), "and what wasn't used is not saved up")
	require.NotZero(t, r.Take(now.Add(time.Hour), 5000))
}

// TestContextCarriesRateAndYield checks that the rate and the Yield are found in contexts derived
// from the one that has them, and that the derived contexts end with it.
func TestContextCarriesRateAndYield(t *testing.T) {
	require.Nil(t, ByteRateOf(t.Context()))
	require.Nil(t, YieldOf(t.Context()))
	require.Equal(t, t.Context(), WithByteRate(t.Context(), nil))

	rate := NewByteRate(5000)
	outer, cancel := context.WithCancel(WithByteRate(t.Context(), rate))
	ctx := WithYield(outer, Yield{Later: true, While: func(wait func(context.Context) bool) bool { return wait(outer) }})
	inner, done := context.WithTimeout(ctx, time.Hour)
	defer done()
	require.Same(t, rate, ByteRateOf(inner))
	require.True(t, YieldOf(inner).Later)
	require.True(t, YieldOf(inner).While(func(got context.Context) bool { return got == outer }))
	require.NoError(t, inner.Err())
	cancel()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	require.ErrorIs(t, inner.Err(), context.Canceled, "at once: the context is a link of the chain and has no goroutine")

	y := YieldOf(ctx)
	require.Equal(t, 1., testing.AllocsPerRun(100, func() { ctx = WithYield(outer, *y) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { y = YieldOf(ctx) }))
}

func TestSleepAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		closed, one := make(chan struct{}), make(chan struct{}, 1)
		close(closed)
		one <- struct{}{}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.True(t, Sleep(time.Second, nil))
		require.False(t, Sleep(time.Hour, closed))
		require.True(t, Wait(t.Context(), time.Second, nil))
		require.True(t, Wait(t.Context(), time.Hour, one))
		require.False(t, Wait(ended, time.Hour, nil))
		require.Equal(t, 2*time.Second, time.Since(began))
	})
}
