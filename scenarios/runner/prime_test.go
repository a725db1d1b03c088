package runner

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestConnectionsArePrimed: a load that goes on for a time finds a connection for
// each worker, and the ledger knows of nothing but the load.
func TestConnectionsArePrimed(t *testing.T) {
	for _, transport := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
		for _, operation := range []delivery.Op{delivery.OpPush, delivery.OpVerify, delivery.OpDeliver} {
			t.Run(string(transport)+" "+string(operation), func(t *testing.T) {
				s := small()
				s.Fleet.Devices, s.Client.Transport = 1, transport
				s.Load.Operation, s.Load.Workers, s.Load.Duration = operation, 16, scenarios.Duration(20*time.Millisecond)
				r, err := begin(t.Context(), options(t, s))
				require.NoError(t, err)
				defer func() { require.NoError(t, r.close()) }()
				c, err := r.clients.open(t.Context(), 1)
				require.NoError(t, err)
				defer c.Client.Close()
				u, err := r.update(Timed, 1)
				require.NoError(t, err)

				work := task{Repetition: Repetition{Phase: Timed, Number: 1}, load: r.spec.Load}
				_, err = r.prepare(t.Context(), work, c, u)
				require.NoError(t, err)
				dials := c.Stats().Dials
				require.GreaterOrEqual(t, dials, uint64(16))
				var verifies, pushes uint32
				for e, err := range r.claims.sincePrimed(r.target.Witness().Ledger(t.Context())) {
					require.NoError(t, err)
					verifies, pushes = verifies+e.Verifies, pushes+e.Pushes
				}
				require.Equal(t, []uint32{0, 0}, []uint32{verifies, pushes})

				m, err := r.drive(t.Context(), work, c, r.newDrive(work, c.driven, u))
				require.NoError(t, err)
				require.Positive(t, m.Succeeded)
				require.Zero(t, m.traffic.Dials)
				require.Equal(t, dials, c.Stats().Dials)
			})
		}
	}
}

// TestARolloutIsNotPrimed: where each device has one operation, its connection is a
// part of that.
func TestARolloutIsNotPrimed(t *testing.T) {
	res, err := Run(t.Context(), options(t, small()))
	require.NoError(t, err)
	requests, _ := res.Records[2].Value("requests/device")
	require.Equal(t, 2.0, requests)
	require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
}

// TestMeeting: all wait for the last one, who may leave instead of coming.
func TestMeeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dialer{}
		m := d.meet(3)
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { m.arrive(t.Context()) })
		}
		synctest.Wait()
		select {
		case <-m.all:
			t.Fatal("they didn't wait for the third")
		default:
		}
		m.leave(1)
		all.Wait()

		// Who waits for nobody to come goes when its context ends.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d.meet(2).arrive(ctx)
		require.Error(t, ctx.Err())

		// The end of a meeting is for who still waits.
		m = d.meet(3)
		all.Go(func() { m.arrive(t.Context()) })
		synctest.Wait()
		d.part()
		all.Wait()
		m.leave(1)
	})
}

// TestGauge: an allocation is counted when it is made, not when the runtime gets
// round to it.
func TestGauge(t *testing.T) {
	const n = 100
	kept := make([]*[48]byte, n)
	begin := readGauge()
	for i := range kept {
		kept[i] = new([48]byte)
	}
	cost := begin.cost(readGauge())
	runtime.KeepAlive(kept)
	require.InDelta(t, n, cost.objects, 20, "but for what other goroutines make")
	require.InDelta(t, 48*n, cost.bytes, 4096)
}
