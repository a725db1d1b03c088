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

func TestClosedLoopVisitsEveryDeviceOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &standIn{takes: each(10 * time.Millisecond)}
		loop := ClosedLoop{Workers: 4}
		require.EqualValues(t, 100, loop.Expect(100).Operations)
		result, record := run(t.Context(), loop, 100, c)
		// 100 operations of 10 ms by 4 workers: 25 rounds.
		require.Equal(t, 250*time.Millisecond, result.Elapsed)
		require.EqualValues(t, 4, c.most.Load())
		for i := range 100 {
			require.Equal(t, Outcome{Succeeded: 1, Pushes: 1}, record.Outcomes.Of(i), "device %d", i)
		}
		latencies, lateness := record.Merge()
		require.Nil(t, lateness)
		require.EqualValues(t, 100, latencies[delivery.OpPush].Count)
		require.Equal(t, 10e6, latencies[delivery.OpPush].Mean())
	})
}

func TestClosedLoopLastsItsDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := ClosedLoop{Workers: 2, Duration: time.Second, Drain: time.Minute}
		result, record := run(t.Context(), loop, 3, &standIn{takes: each(10 * time.Millisecond)})
		require.Equal(t, time.Second, result.Elapsed)
		require.Equal(t, Totals{Succeeded: 200}, record.Totals())
		require.EqualValues(t, 67, record.Outcomes.Of(0).Succeeded, "200 over 3 devices, in turn")
		require.Zero(t, loop.Expect(3).Operations, "the number of operations isn't known in advance")
	})
}

func TestFailuresAndDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &standIn{fails: func(n int64) bool { return n%10 == 0 }, takes: each(4 * time.Millisecond)}
		loop := ClosedLoop{Workers: 1}
		e := newEnv(loop, delivery.OpDeliver, 100, c)
		_, err := loop.Run(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, Totals{Succeeded: 90, Failed: 10, Retries: 300}, e.Record.Totals(),
			"3 pushes and 2 verifications are 3 too many")
		require.Equal(t, Outcome{Failed: 1, Pushes: 3, Verifies: 2}, e.Record.Outcomes.Of(0))
		require.Equal(t, map[string]int{"unknown": 10}, e.Record.Failures.ByClass())
		require.Len(t, e.Record.Failures.Sample(), 10)
		l, _ := e.Record.Merge()
		require.Equal(t, []float64{2e6, 1e6, 4e6},
			[]float64{l[delivery.OpPush].Mean(), l[delivery.OpVerify].Mean(), l[delivery.OpDeliver].Mean()})
		require.EqualValues(t, 90, l[delivery.OpDeliver].Count, "a failure is counted elsewhere")
	})
}

// diedError is the error of an operation whose process died.
type diedError struct{ error }

func (diedError) Uncounted() bool { return true }

// dying is a client whose every delivery fails with an error.
type dying struct {
	nothing
	err error
}

func (d dying) Deliver(context.Context, delivery.Device, *delivery.Update) (delivery.Report, error) {
	return delivery.Report{Pushes: 1}, d.err
}

// TestDeliveriesThatNobodyCounted checks that outcomes say of which devices the requests aren't known.
func TestDeliveriesThatNobodyCounted(t *testing.T) {
	failed := errors.New("failed")
	for err, want := range map[error]bool{failed: false, diedError{failed}: true} {
		x := ClosedLoop{Workers: 1}
		e := newEnv(x, delivery.OpDeliver, 1, dying{err: err})
		_, ran := x.Run(t.Context(), e)
		require.NoError(t, ran)
		require.Equal(t, Outcome{Failed: 1, Pushes: 1, Uncounted: want}, e.Record.Outcomes.Of(0))
	}
}

// deaf is a client whose operations don't end with their context, but only when release is closed.
type deaf struct {
	nothing
	release chan struct{}
}

func (d deaf) Push(context.Context, delivery.Device, *delivery.Update) error {
	<-d.release
	return nil
}

// TestLoadEndsWithoutItsOperations checks that a load ends half a minute after its context, even if the
// client's operations go on.
func TestLoadEndsWithoutItsOperations(t *testing.T) {
	rate := NewRateSchedule(Segment{Length: time.Hour, From: 10, To: 10})
	for _, x := range []Executor{
		ClosedLoop{Workers: 2}, ArrivalRate{Pacer: rate, Workers: 2, MaxWorkers: 2, Duration: time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := deaf{release: make(chan struct{})}
			defer close(c.release)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			began := time.Now()
			run(ctx, x, 2, c)
			require.Equal(t, time.Minute+lateTime, time.Since(began))
		})
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, x := range []Executor{
			ClosedLoop{Workers: 3, Duration: time.Hour, Drain: time.Minute},
			ArrivalRate{Workers: 3, Pacer: ConstantRate(0.1), Duration: time.Hour, Drain: time.Minute},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
			result, record := run(ctx, x, 1, &standIn{takes: each(10 * time.Second)})
			require.Equal(t, 25*time.Second, result.Elapsed)
			cancel()
			require.Zero(t, record.Totals().Failed, "an operation that the load broke off isn't a failure")
		}
	})
}

// TestThinking checks that a worker waits after each operation, and that no latency includes the
// wait.
func TestThinking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		think := func(float64) time.Duration { return 90 * time.Millisecond }
		result, record := run(t.Context(), ClosedLoop{Workers: 2, Duration: time.Second, Drain: time.Minute, Think: think},
			1, &standIn{takes: each(10 * time.Millisecond)})
		require.Equal(t, time.Second, result.Elapsed)
		require.EqualValues(t, 20, record.Totals().Succeeded, "2 workers, an operation each 100 ms")
		latencies, _ := record.Merge()
		require.Equal(t, 10e6, latencies[delivery.OpPush].Mean())
	})
}
