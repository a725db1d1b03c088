package exchange

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestContextWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		ended := func() int { synctest.Wait(); return calls }
		w := NewContextWatch(func() { calls++ })
		require.Nil(t, w.Done())
		w.Start(context.Background())
		require.Nil(t, w.Done(), "it doesn't end")

		first, cancelFirst := context.WithCancel(t.Context())
		second, cancelSecond := context.WithCancel(t.Context())
		defer cancelSecond()
		require.True(t, w.MaySwitch(first))
		w.Start(first)
		require.Equal(t, first.Done(), w.Done())
		require.True(t, w.Rest())
		require.Nil(t, w.Done(), "it may not come again")
		require.True(t, w.MaySwitch(first))
		w.Start(first)
		require.True(t, w.Rest())
		require.Equal(t, first.Done(), w.Done(), "it has come again, and the watch goes on")
		require.True(t, w.MaySwitch(first))
		require.Zero(t, testing.AllocsPerRun(10, func() { w.Start(first); w.Rest() }))

		require.True(t, w.MaySwitch(second))
		require.Nil(t, w.Done())
		w.Start(second)
		cancelFirst()
		require.Zero(t, ended(), "nobody watches that one any more")

		cancelSecond()
		require.Equal(t, 1, ended())
		require.False(t, w.MaySwitch(t.Context()))
		require.False(t, w.Stop(), "for good: onEnd may still be at it")
		require.False(t, w.Rest())
		require.False(t, w.Reset())
	})
}

func TestContextWatch_endsWhileItRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		w := NewContextWatch(func() { calls++ })
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			w.Start(ctx)
			require.True(t, w.Rest())
		}
		cancel()
		synctest.Wait()
		require.Equal(t, 1, calls)
		require.True(t, w.MaySwitch(ctx), "it is the one that is watched, and its caller sees that it has ended")
		require.False(t, w.MaySwitch(t.Context()))
	})
}

func TestContextWatch_reset(t *testing.T) {
	w := NewContextWatch(func() { t.Error("it was reset") })
	ctx, cancel := context.WithCancel(t.Context())
	w.Start(ctx)
	require.True(t, w.Reset())
	cancel()
	require.Nil(t, w.Done())
}
