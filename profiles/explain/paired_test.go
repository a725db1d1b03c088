package explain

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTakePairs checks that each pair has both sides once, that both orders occur, and that an
// error ends the pairs.
func TestTakePairs(t *testing.T) {
	taken, done := map[int]string{}, []int{}
	random := rand.New(rand.NewPCG(1, 1))
	take := func(side string, n int) error { taken[n] += side; return nil }
	progress := func(n, of int) { require.Equal(t, 20, of); done = append(done, n) }
	require.NoError(t, TakePairs([]string{"b", "n"}, 20, random, take, progress))
	orders := map[string]int{}
	for n, order := range taken {
		require.Contains(t, []string{"bn", "nb"}, order, n)
		orders[order]++
	}
	require.Len(t, taken, 20)
	require.Len(t, orders, 2)
	require.Len(t, done, 20)
	require.Equal(t, 20, done[19])

	broken, calls := errors.New("broken"), 0
	err := TakePairs([]string{"b"}, 3, random, func(_ string, n int) error {
		calls++
		if n == 2 {
			return fmt.Errorf("pair 2: %w", broken)
		}
		return nil
	}, nil)
	require.ErrorIs(t, err, broken)
	require.Equal(t, 2, calls)
}
