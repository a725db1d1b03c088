package random

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSplitmix64 checks Mix against the vectors that the authors of SplitMix64 publish for the seed
// 1234567.
func TestSplitmix64(t *testing.T) {
	const golden = 0x9e3779b97f4a7c15
	state := uint64(1234567)
	for _, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
		16408922859458223821} {
		require.Equal(t, want, Mix(state))
		state += golden
	}
}

func TestDrawDependsOnItsArgumentsAlone(t *testing.T) {
	type key struct {
		seed    uint64
		device  int
		attempt uint32
	}
	var keys []key
	for seed := range uint64(10) {
		for device := range 50 {
			for attempt := range uint32(20) {
				keys = append(keys, key{seed, device, attempt + 1})
			}
		}
	}
	first := make(map[key]float64)
	seen := make(map[float64]key)
	for _, k := range keys {
		u := Draw(k.seed, k.device, k.attempt, StreamLatency)
		require.True(t, u > 0 && u < 1, u)
		if other, known := seen[u]; known {
			require.Fail(t, "two draws are the same", "%v and %v", k, other)
		}
		first[k], seen[u] = u, k
	}
	for _, k := range slices.Backward(keys) {
		require.Equal(t, first[k], Draw(k.seed, k.device, k.attempt, StreamLatency))
	}
	// 10,000 draws: the share below q is within 5 standard deviations of q.
	for _, q := range []float64{0.01, 0.1, 0.5, 0.9, 0.99} {
		below := 0
		for u := range seen {
			if u < q {
				below++
			}
		}
		require.InDelta(t, q, float64(below)/1e4, 5*math.Sqrt(q*(1-q)/1e4))
	}
}
