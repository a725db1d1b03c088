package cluster

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// An exchange is how long a question and its answer took.
type exchange struct{ there, back time.Duration }

// TestMeasureOffset checks that the offset is that of the fastest exchange, and that the other
// clock is as far off as it says at most. The times are set by hand; nothing is really asked.
func TestMeasureOffset(t *testing.T) {
	for _, row := range []struct {
		name      string
		theirs    time.Duration // ahead of this process
		exchanges []exchange
		within    time.Duration
	}{
		{"ahead, the same both ways", 3 * time.Hour, []exchange{{time.Millisecond, time.Millisecond}}, time.Millisecond},
		{"behind, slower there", -time.Second, []exchange{{9 * time.Millisecond, time.Millisecond}}, 5 * time.Millisecond},
		{"the fastest counts", time.Minute, []exchange{
			{50 * time.Millisecond, 0}, {100 * time.Microsecond, 100 * time.Microsecond}, {0, 80 * time.Millisecond},
		}, 100 * time.Microsecond},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, n := newClock(), 0
				o, err := measureOffset(t.Context(), c, len(row.exchanges), func(context.Context) (int64, error) {
					x := row.exchanges[n]
					n++
					time.Sleep(x.there)
					at := time.Now().Add(row.theirs).UnixNano()
					time.Sleep(x.back)
					return at, nil
				})
				require.NoError(t, err)
				require.Equal(t, row.within, o.within)
				require.LessOrEqual(t, (o.theirs - row.theirs).Abs(), o.within)
				require.Equal(t, row.within+time.Millisecond, o.error(o.taken.Add(10*time.Second)), "100 parts in a million")
			})
		})
	}
}

func TestMeasureOffset_fails(t *testing.T) {
	_, err := measureOffset(t.Context(), newClock(), 3,
		func(context.Context) (int64, error) { return 0, errors.New("no answer") })
	require.EqualError(t, err, "the controller's clock can't be read: no answer")

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	_, err = measureOffset(ctx, newClock(), 3, func(context.Context) (int64, error) { return 0, nil })
	require.ErrorIs(t, err, errStopped)
}

func TestClock(t *testing.T) {
	c := newClock()
	moment := c.base.Add(1500 * time.Millisecond)
	require.Equal(t, c.base.UnixNano()+1_500_000_000, c.at(moment))
	require.Zero(t, c.moment(c.at(moment)).Sub(moment))

	at, err := readTime(appendTime(nil, -5))
	require.NoError(t, err)
	require.EqualValues(t, -5, at)
	_, err = readTime([]byte("soon"))
	require.EqualError(t, err, "a time of 4 bytes: want 8")
}

func TestSleepUntil(t *testing.T) {
	moment := time.Now().Add(5 * time.Millisecond)
	require.NoError(t, sleepUntil(t.Context(), moment))
	require.False(t, time.Now().Before(moment))

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	require.ErrorIs(t, sleepUntil(ctx, time.Now().Add(time.Hour)), errStopped)
}
