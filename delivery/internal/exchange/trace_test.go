package exchange

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr Trace
		begun := time.Now()
		at := func() [numEvents]int { // seconds; -1: it didn't happen
			var s [numEvents]int
			for i, when := range tr.Snapshot().At {
				if s[i] = -1; !when.IsZero() {
					s[i] = int(when.Sub(begun).Seconds())
				}
			}
			return s
		}
		next := func() { time.Sleep(time.Second) }
		tr.Mark(Prepared)
		next()
		tr.Mark(Connected)
		next()
		tr.Mark(Secured)
		next()
		tr.GotConn(false)
		next()
		tr.Mark(Written)
		next()
		tr.Mark(Answered)
		require.Equal(t, [numEvents]int{0, 1, 2, 3, 4, 5}, at())
		require.False(t, tr.Snapshot().Reused)

		next() // the request has another connection, one that was kept alive
		tr.GotConn(true)
		require.Equal(t, [numEvents]int{0, -1, -1, 6, -1, -1}, at())
		require.True(t, tr.Snapshot().Reused)

		next() // and yet another, whose connect was never marked
		tr.GotConn(false)
		require.Equal(t, [numEvents]int{0, 7, -1, 7, -1, -1}, at())
	})
	var none *Trace
	require.Zero(t, testing.AllocsPerRun(10, func() {
		none.Mark(Written)
		none.GotConn(true)
	}))
}
