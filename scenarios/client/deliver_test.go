package client_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/rollout"
	"github.com/fleetmark/fleetmark/scenarios/client"
)

// plain is a client that takes a second for a push and two for a verification.
type plain struct{ push, verify error }

func (p plain) Push(context.Context, client.Device, *client.Update) error {
	time.Sleep(time.Second)
	return p.push
}

func (p plain) Verify(context.Context, client.Device, *client.Update) error {
	time.Sleep(2 * time.Second)
	return p.verify
}

func (plain) Close() error { return nil }

type rolls struct{}

func (rolls) Rollout(context.Context, iter.Seq[client.Device], *client.Update, rollout.Options) (rollout.Report, error) {
	return rollout.Report{}, nil
}

type counts struct{}

func (counts) Stats() client.Stats { return client.Stats{Requests: 7} }

// TestWithDeliver_delivery checks what a client without Deliver does for a delivery, and what the
// report says of it.
func TestWithDeliver_delivery(t *testing.T) {
	failed := errors.New("failed")
	for name, row := range map[string]struct {
		client plain
		want   client.Report
		err    error
	}{
		"both succeed":       {plain{}, client.Report{Pushes: 1, Verifies: 1, Push: time.Second, Verify: 2 * time.Second}, nil},
		"push fails":         {plain{push: failed}, client.Report{Pushes: 1}, failed},
		"verification fails": {plain{verify: failed}, client.Report{Pushes: 1, Verifies: 1, Push: time.Second, Verify: 2 * time.Second}, failed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := client.WithDeliver(row.client).Deliver(t.Context(), client.Device{}, nil)
				require.Equal(t, row.want, got)
				require.Equal(t, row.err, err)
			})
		})
	}
}

// TestWithDeliver_keepsMethods checks that a client can do with Deliver what it can do without.
func TestWithDeliver_keepsMethods(t *testing.T) {
	type combined struct {
		plain
		rolls
		counts
	}
	for name, row := range map[string]struct {
		client          client.Client
		rolls, reported bool
	}{
		"neither": {plain{}, false, false},
		"rollout": {struct {
			plain
			rolls
		}{}, true, false},
		"stats": {struct {
			plain
			counts
		}{}, false, true},
		"both": {combined{}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			full := client.WithDeliver(row.client)
			_, rolls := full.(client.Rollouter)
			r, reports := full.(client.StatsReporter)
			require.Equal(t, []bool{row.rolls, row.reported}, []bool{rolls, reports})
			if reports {
				require.EqualValues(t, 7, r.Stats().Requests)
			}
			require.Equal(t, row.client, client.Unwrap(full))
			require.Equal(t, full, client.WithDeliver(full), "it has a Deliver already")
		})
	}
}
