package load

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

// TestGate checks that no operation begins, and no time of a load passes, before its gate opens,
// and that the load is told when it began.
func TestGate(t *testing.T) {
	for name, x := range map[string]Executor{
		"closed": ClosedLoop{Workers: 2},
		"open":   ArrivalRate{Pacer: NewRateSchedule(Segment{Length: time.Hour, From: 10, To: 10}), Workers: 2, MaxWorkers: 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := &standIn{takes: each(time.Millisecond)}
				e := newEnv(x, delivery.OpPush, 20, client)
				created, ready := time.Now(), false
				var began time.Time
				e.Gate = func(context.Context) error {
					time.Sleep(time.Minute)
					require.False(t, ready)
					require.Zero(t, client.n.Load())
					return nil
				}
				e.OnReady = func() { ready = true }
				e.OnBegin = func(at time.Time) {
					require.True(t, ready)
					require.Zero(t, client.n.Load())
					began = at
				}
				result, err := x.Run(t.Context(), e)
				require.NoError(t, err)
				require.Equal(t, created.Add(time.Minute), began)
				require.Equal(t, time.Since(began), result.Elapsed)
				require.EqualValues(t, 20, result.Operations.Succeeded)

				shut := errors.New("no start")
				e = newEnv(x, delivery.OpPush, 20, client)
				e.Gate = func(context.Context) error { return shut }
				e.OnReady = func() { t.Error("it isn't ready") }
				e.OnBegin = func(time.Time) { t.Error("it doesn't begin") }
				e.OnInterval = func(*Interval) { t.Error("it has no interval") }
				_, err = x.Run(t.Context(), e)
				require.ErrorIs(t, err, shut)
				require.EqualValues(t, 20, client.n.Load(), "no further operation")
			})
		})
	}
}

// TestExactIntervals checks that intervals end at the end of the plan, although operations go on
// for a moment, and that the last one has these.
func TestExactIntervals(t *testing.T) {
	for _, exact := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			x := ClosedLoop{Workers: 1, Duration: 60 * time.Second, Drain: time.Minute}
			client := &standIn{takes: each(61 * time.Second / 100)} // the last one ends 390 ms after the plan
			e := newEnv(x, delivery.OpPush, 1, client)
			e.ExactIntervals = exact
			var ends []time.Duration
			var counts []int64
			e.OnInterval = func(v *Interval) { ends, counts = append(ends, v.End), append(counts, v.Succeeded) }
			result, err := x.Run(t.Context(), e)
			require.NoError(t, err)
			last := 60390 * time.Millisecond
			require.Equal(t, last, result.Elapsed)
			if exact {
				require.Len(t, ends, 61)
				require.Equal(t, []time.Duration{60 * time.Second, last}, ends[59:])
				require.EqualValues(t, 1, counts[60])
			} else {
				require.Len(t, ends, 60)
				require.Equal(t, last, ends[59])
			}
		})
	}
}
