package runner

import (
	"testing"
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
				dials := c.stats().Dials
				require.GreaterOrEqual(t, dials, uint64(16))
				var verifies, pushes uint32
				for e, err := range r.claims.minusOffset(r.target.Witness().Ledger(t.Context())) {
					require.NoError(t, err)
					verifies, pushes = verifies+e.Verifies, pushes+e.Pushes
				}
				require.Equal(t, []uint32{0, 0}, []uint32{verifies, pushes})

				m, err := r.drive(t.Context(), work, c, r.newDrive(work, c.driven, u))
				require.NoError(t, err)
				require.Positive(t, m.Succeeded)
				require.Zero(t, m.traffic.Dials)
				require.Equal(t, dials, c.stats().Dials)
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
