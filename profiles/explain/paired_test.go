package explain

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
)

// TestTakePairs checks that each pair has both sides once, that both orders occur, and that an
// error ends the pairs.
func TestTakePairs(t *testing.T) {
	taken, done := map[int]string{}, []int{}
	random := rand.New(rand.NewPCG(1, 1))
	take := func(side string, n int) error { taken[n] += side; return nil }
	progress := func(n, of int) { require.Equal(t, 20, of); done = append(done, n) }
	require.NoError(t, TakePairs(Taking[string]{[]string{"b", "n"}, 20, random, take, progress}))
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
	err := TakePairs(Taking[string]{Sides: []string{"b"}, Pairs: 3, Random: random, Take: func(_ string, n int) error {
		calls++
		if n == 2 {
			return fmt.Errorf("pair 2: %w", broken)
		}
		return nil
	}})
	require.ErrorIs(t, err, broken)
	require.Equal(t, 2, calls)
}

// takeAndExplain takes profiles of an operation that costs more by the given share of it in one
// function, and returns their explanation and how many pairs were taken of fifty.
func takeAndExplain(t *testing.T, random *rand.Rand, share float64) (e *Paired, taken int) {
	t.Helper()
	dir := t.TempDir()
	base, now := speeds(random, 50)
	changed, whole := push(), 0.0
	for _, s := range changed {
		whole += s.ns
	}
	changed[5].ns += share * whole // own.appendHead
	pairs := 0
	e, err := TakeAndExplain(t.Context(), Taking[string]{
		Sides: []string{"base", "now"}, Pairs: 50, Random: random,
		Take: func(side string, n int) error {
			stacks, speed := push(), base
			if side == "now" {
				stacks, speed = changed, now
			}
			oneRepetition(t, filepath.Join(dir, side), random, n, 25_000, speed[n-1], stacks)
			return nil
		},
		Progress: func(done, of int) { pairs, taken = max(pairs, done), of },
	}, filepath.Join(dir, "base"), filepath.Join(dir, "now"), profiles.CPU, Options{Own: []string{"own.", "main."}})
	require.NoError(t, err)
	require.Equal(t, pairs, taken, "the last call of Progress says that all are done")
	require.Len(t, e.BaseFiles, pairs)
	require.Equal(t, pairs, e.Base)
	return e, pairs
}

// TestTakeAndExplain_large checks that a cause that is large and alone is named after few pairs.
func TestTakeAndExplain_large(t *testing.T) {
	random, early := rand.New(rand.NewPCG(3, 4)), 0
	for range 5 {
		e, pairs := takeAndExplain(t, random, 1)
		require.Contains(t, []int{10, 20, 50}, pairs)
		require.Equal(t, "own.appendHead", e.Causes[0].Function)
		if pairs < 50 {
			early++
		}
	}
	require.Equal(t, 5, early)
}

// TestTakeAndExplain_small checks that a small cause is looked for in all pairs, and named.
func TestTakeAndExplain_small(t *testing.T) {
	e, pairs := takeAndExplain(t, rand.New(rand.NewPCG(5, 6)), 0.06)
	require.Equal(t, 50, pairs)
	require.Equal(t, "own.appendHead", e.Causes[0].Function)
}

// TestTriesAreCorrected checks that p-values grow with the number of tries, and that so few
// repetitions as can't be significant in one of several tries are refused.
func TestTriesAreCorrected(t *testing.T) {
	dir, random := t.TempDir(), rand.New(rand.NewPCG(7, 8))
	base, now := speeds(random, 9)
	changed := push()
	changed[5].ns += 2000
	b := repetitions(t, filepath.Join(dir, "base"), random, 9, 25_000, base, push())
	n := repetitions(t, filepath.Join(dir, "now"), random, 9, 25_000, now, changed)
	own := Options{Own: []string{"own."}, Paired: true}
	once, err := Explain(t.Context(), b, n, own)
	require.NoError(t, err)
	require.InDelta(t, 2./512, once.Causes[0].P, 1e-9, "two of all exchanges are as extreme: this one, and its opposite")
	own.Tries = 2
	twice, err := Explain(t.Context(), b, n, own)
	require.NoError(t, err)
	require.InDelta(t, 4./512, twice.Causes[0].P, 1e-9)
	own.Tries = 3
	_, err = Explain(t.Context(), b, n, own)
	require.ErrorContains(t, err, "either side has 9 profiles: want 10 to 400")
	own.Tries = -1
	_, err = Explain(t.Context(), b, n, own)
	require.EqualError(t, err, "profile explain: -1 tries: want 1 or more, or 0 for 1")
}
