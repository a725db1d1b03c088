package doctor

import (
	"context"
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFacts_JSON encodes and decodes facts, known and unknown ones.
func TestFacts_JSON(t *testing.T) {
	for _, f := range []Facts{{}, healthy()} {
		text, err := json.Marshal(f)
		require.NoError(t, err)
		var back Facts
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, f, back)
	}
}

// TestGatherSettings checks that what is read is what Gather reads, and that nothing was measured.
func TestGatherSettings(t *testing.T) {
	f, err := GatherSettings(t.Context(), netip.Prefix{})
	require.NoError(t, err)
	require.Positive(t, f.Cores)
	require.NotEmpty(t, f.Needs)
	require.NotEmpty(t, f.Loopback.Addressing)
	require.Zero(t, f.ClockCost)
	require.Empty(t, f.Noise.A)
	require.Nil(t, f.Interference)
	require.Nil(t, f.DeviceNetwork)
}

// TestGather_canceled checks that each step ends when its context is canceled.
func TestGather_canceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var steps []string
	_, err := Gather(ctx, netip.Prefix{}, func(doing string, n, of int) {
		steps = append(steps, doing)
		require.Equal(t, 6, of)
		require.Len(t, steps, n)
		if n == 2 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []string{"the system's settings", "what else runs"}, steps)
}
