package random

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPermutationIsABijection(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 63, 64, 65, 1000, 4097} {
		for seed := range uint64(3) {
			p := NewPermutation(n, seed, StreamMember)
			seen := make([]bool, n)
			for i := range n {
				at := p.Of(i)
				require.False(t, seen[at], "%d of %d", i, n)
				seen[at] = true
				require.Equal(t, i, p.At(at))
			}
		}
	}
}

// TestAPermutationShuffles checks that a permutation separates neighbors: about a quarter of the
// numbers in each quarter comes from each quarter of the input.
func TestAPermutationShuffles(t *testing.T) {
	const n, parts = 10_000, 4
	var from [parts][parts]int
	p, other, offline := NewPermutation(n, 1, StreamMember), NewPermutation(n, 2, StreamMember), NewPermutation(n, 1,
		StreamOffline)
	same, sameOffline := 0, 0
	for i := range n {
		from[i*parts/n][p.Of(i)*parts/n]++
		if p.Of(i) == other.Of(i) {
			same++
		}
		if p.Of(i) == offline.Of(i) {
			sameOffline++
		}
	}
	for _, row := range from {
		for _, count := range row {
			require.InDelta(t, n/parts/parts, count, 120) // five standard deviations of 21.7 are 108
		}
	}
	require.Less(t, same, 10)
	require.Less(t, sameOffline, 10)
}

func BenchmarkPermutation(b *testing.B) {
	p := NewPermutation(1_000_000, 1, StreamMember)
	i := 0
	for b.Loop() {
		if i++; i == 1_000_000 {
			i = 0
		}
		p.Of(i)
	}
}
