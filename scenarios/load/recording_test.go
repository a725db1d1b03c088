package load

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios/client"
)

// resolution is that of histograms, in nanoseconds.
const resolution = 16

// succeed records the success of an operation that was planned, sent and done at the given times.
func succeed(r *recorder, planned, sent, done time.Duration, report delivery.Report) {
	r.recordSuccess(&success{
		planned: planned, done: done, response: done - planned, service: done - sent, report: report,
	})
}

func TestRecording(t *testing.T) {
	record := NewRecording(RecordingConfig{Op: delivery.OpPush, Workers: 1})
	r := record.recorder(0)
	for ms := 1; ms <= 1000; ms++ {
		succeed(r, 0, 0, time.Duration(ms)*time.Millisecond, delivery.Report{})
	}
	succeed(r, 0, 0, 200*time.Second, delivery.Report{})
	latencies, _ := record.Merge()
	h := latencies[delivery.OpPush].Response
	require.InEpsilon(t, 500e6, h.ValueAtQuantile(50), 0.003)
	require.InEpsilon(t, 990e6, h.ValueAtQuantile(99), 0.003)
	require.EqualValues(t, 1, latencies[delivery.OpPush].Overflow)
	record.Reset()
	latencies, _ = record.Merge()
	require.Zero(t, latencies[delivery.OpPush].Count)
	require.Zero(t, latencies[delivery.OpPush].Response.TotalCount())
	require.Zero(t, latencies[delivery.OpPush].Mean())
}

// TestRecording_partsWithoutTimes checks that a client that doesn't time the parts of a delivery
// has no latencies for them, rather than latencies of zero.
func TestRecording_partsWithoutTimes(t *testing.T) {
	record := NewRecording(RecordingConfig{Op: delivery.OpDeliver, Workers: 1})
	r := record.recorder(0)
	succeed(r, 0, 0, 5*time.Second, delivery.Report{})
	succeed(r, 0, time.Second, 6*time.Second, delivery.Report{Push: 2 * time.Second})
	succeed(r, 0, 0, 7*time.Second, delivery.Report{Verify: 3 * time.Second})
	l, _ := record.Merge()
	require.Equal(t, []int64{1, 1, 3}, []int64{l[delivery.OpPush].Count, l[delivery.OpVerify].Count,
		l[delivery.OpDeliver].Count})
	require.Equal(t, 3e9, l[delivery.OpPush].Mean(), "one second of waiting, and two of the push")
	require.Equal(t, 3e9, l[delivery.OpVerify].Mean())
	require.Equal(t, 6e9, l[delivery.OpDeliver].Mean())
}

// TestRecordersAreFew checks that the memory of recorders is bounded, however many workers there
// are.
func TestRecordersAreFew(t *testing.T) {
	require.Len(t, NewRecording(RecordingConfig{Op: delivery.OpPush, Workers: 1}).recorders, 1)
	many := NewRecording(RecordingConfig{Op: delivery.OpPush, Workers: 1 << 16}).recorders
	require.LessOrEqual(t, len(many), maxRecorders)
	require.LessOrEqual(t, len(many), recordersPerCore*runtime.GOMAXPROCS(0))
}

func TestRecordingAllocatesNothing(t *testing.T) {
	record := NewRecording(RecordingConfig{
		Op: delivery.OpDeliver, Planned: true, Devices: 1, Workers: 1, Groups: []string{"a", "rest"},
		GroupOf: func(int) int { return 1 }, Waves: 2,
	})
	r := record.recorder(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		record.countRetries(r, 0, 2)
		record.Outcomes.Sent(0, 1, 1)
		record.Outcomes.Succeed(0)
		succeed(r, 0, time.Millisecond, 2*time.Millisecond,
			delivery.Report{Push: time.Millisecond, Verify: time.Millisecond})
		r.recordDispatch(time.Millisecond, 2*time.Millisecond, true)
	}))
}

// plain is a client of another module that does nothing, and has no Deliver.
type plain struct{}

func (plain) Push(context.Context, client.Device, *client.Update) error   { return nil }
func (plain) Verify(context.Context, client.Device, *client.Update) error { return nil }
func (plain) Close() error                                                { return nil }

// TestForeignCallAllocatesNothing checks that 10,000 more operations of a client of another module
// allocate no more than a few do.
func TestForeignCallAllocatesNothing(t *testing.T) {
	for _, op := range []delivery.Op{delivery.OpPush, delivery.OpVerify, delivery.OpDeliver} {
		allocations := func(devices int) float64 {
			x := ClosedLoop{Workers: 1}
			e := newEnv(x, op, devices, client.WithDeliver(plain{}))
			return testing.AllocsPerRun(2, func() {
				e.Record.Reset()
				_, err := x.Run(t.Context(), e)
				require.NoError(t, err)
				require.EqualValues(t, devices, e.Record.Totals().Succeeded)
			})
		}
		require.InDelta(t, allocations(10), allocations(10_010), 50, op) // less than one in 200 operations
	}
}

// BenchmarkHarness measures what the harness adds to a call of the client, with a client that does
// nothing.
func BenchmarkHarness(b *testing.B) {
	var c Client = nothing{}
	bench := func(name string, x Executor, op delivery.Op) {
		b.Run(name, func(b *testing.B) {
			x := x
			if a, ok := x.(ArrivalRate); ok && a.Pacer == nil { // one burst, so that all operations are due at once and no worker waits
				a.Pacer = Bursts{Size: int64(b.N)}
				x = a
			}
			e := newEnv(x, op, b.N, c)
			b.ReportAllocs()
			b.ResetTimer()
			_, err := x.Run(b.Context(), e)
			require.NoError(b, err)
		})
	}
	const maxRate = 10_000_000 // too fast to be kept, so that the cost of an operation shows
	for _, workers := range []int{1, 64} {
		for _, op := range []delivery.Op{delivery.OpPush, delivery.OpDeliver} {
			bench(fmt.Sprintf("%s/model=closed/workers=%d", op, workers), ClosedLoop{Workers: workers}, op)
			bench(fmt.Sprintf("%s/model=constant/workers=%d", op, workers),
				ArrivalRate{Pacer: ConstantRate(maxRate), Workers: workers, Drain: 30 * time.Second, StopBehind: true}, op)
		}
		bench(fmt.Sprintf("open/workers=%d", workers),
			ArrivalRate{Workers: workers, Drain: 30 * time.Second, StopBehind: true}, delivery.OpDeliver)
	}
	c = client.WithDeliver(plain{})
	bench("foreign/push/model=closed/workers=1", ClosedLoop{Workers: 1}, delivery.OpPush)
	bench("foreign/deliver/model=closed/workers=1", ClosedLoop{Workers: 1}, delivery.OpDeliver)
}
