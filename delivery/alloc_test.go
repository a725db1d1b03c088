//go:build !race

package delivery

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAllocations checks the exact allocations of the lean transport's hot path. The device runs in
// the same process and allocates nothing. The race detector allocates, so the test is built without
// it.
func TestAllocations(t *testing.T) {
	u := newUpdate(t, "2.0.0", make([]byte, benchSize))
	d := newFixedDevice(t, u).Device
	c := newClient(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, operation := range map[string]func() error{
		"push":   func() error { return c.Push(ctx, d, u) },
		"verify": func() error { return c.Verify(ctx, d, u) },
		"deliver": func() error {
			_, err := c.Deliver(ctx, d, u)
			return err
		},
	} {
		require.NoError(t, operation())
		require.NoError(t, operation(), "the second sight of a context keeps its watch")
		var failed error
		allocs := testing.AllocsPerRun(1000, func() {
			if err := operation(); err != nil {
				failed = err
			}
		})
		require.NoError(t, failed)
		require.Zero(t, allocs, name)
	}
}

// TestAllocationsOfNetHTTP checks the allocations over nethttp, which are all net/http's own.
func TestAllocationsOfNetHTTP(t *testing.T) {
	u := newUpdate(t, "2.0.0", make([]byte, benchSize))
	d := newFixedDevice(t, u).Device
	c := newClient(t, Config{Transport: NetHTTP})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, row := range map[string]struct {
		most      float64
		operation func() error
	}{
		"push":   {40, func() error { return c.Push(ctx, d, u) }},
		"verify": {35, func() error { return c.Verify(ctx, d, u) }},
	} {
		for range 3 {
			require.NoError(t, row.operation())
		}
		var failed error
		allocs := testing.AllocsPerRun(1000, func() {
			if err := row.operation(); err != nil {
				failed = err
			}
		})
		require.NoError(t, failed)
		require.LessOrEqual(t, allocs, row.most, name)
	}
}
