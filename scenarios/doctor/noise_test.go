package doctor

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNoise_Detectable checks values worked out by hand. With s = 1%, ten pairs, and t(0.995, 9) =
// 3.2498 and t(0.90, 9) = 1.3830 from a printed table, d = 4.6328 * 0.01 / sqrt(10) = 0.014650, and
// exp(d) - 1 = 0.014758. For a hundred pairs, with t(0.995, 99) = 2.6264 and t(0.90, 99) = 1.2902,
// they are 0.0039166 and 0.0039243.
func TestNoise_Detectable(t *testing.T) {
	var n Noise
	for i := range 100 { // ±x have the standard deviation x*sqrt(100/99)
		x := 0.01 * math.Sqrt(99.0/100)
		n.A, n.B = append(n.A, 500), append(n.B, 500*math.Exp([]float64{x, -x}[i%2]))
	}
	require.InDelta(t, 0.01, n.spread(), 1e-9)
	require.InDelta(t, 1, n.ratio(), 1e-9)
	require.InDelta(t, 0.014758, n.detectable(10), 1e-6)
	require.InDelta(t, 0.0039243, n.detectable(100), 1e-6)
	require.False(t, n.differs())
	require.True(t, math.IsInf(n.detectable(1), 1))

	// A shift of 3 * s / sqrt(100) is above t(0.995, 99) = 2.6264, and a shift of 2.5 * s / sqrt(100) isn't.
	for shift, differs := range map[float64]bool{3: true, 2.5: false, -3: true} {
		m := Noise{A: n.A}
		for _, b := range n.B {
			m.B = append(m.B, b*math.Exp(shift*0.001))
		}
		require.Equal(t, differs, m.differs(), "%v", shift)
		require.InDelta(t, math.Exp(shift*0.001), m.ratio(), 1e-9)
	}
}

func TestNoise_empty(t *testing.T) {
	var n Noise
	require.True(t, math.IsNaN(n.ratio()))
	require.True(t, math.IsNaN(n.detectable(10)))
	require.False(t, n.differs())
	require.Empty(t, Noise{A: []float64{0, 1}, B: []float64{1, 0}}.logRatios(), "a pair with a 0 has no ratio")
}

// TestMeasureNoise checks that A and B take turns, and that the number of pairs depends on the time
// that they take.
func TestMeasureNoise(t *testing.T) {
	for name, row := range map[string]struct {
		takes time.Duration
		pairs int
	}{
		"usual":           {30 * time.Millisecond, maxPairs},
		"a slow machine":  {100 * time.Millisecond, 40}, // 200 ms a pair, for 8 s
		"a very slow one": {2 * time.Second, minPairs},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				turn := 0.0
				n, err := measureNoise(t.Context(), func(context.Context) (float64, error) {
					time.Sleep(row.takes)
					turn++
					return turn, nil
				})
				require.NoError(t, err)
				require.Len(t, n.A, row.pairs)
				require.Len(t, n.B, row.pairs)
				require.Equal(t, []float64{1, 3}, n.A[:2])
				require.Equal(t, []float64{2, 4}, n.B[:2])
			})
		})
	}
	broken := errors.New("no sockets")
	_, err := measureNoise(t.Context(), func(context.Context) (float64, error) { return 0, broken })
	require.ErrorIs(t, err, broken)
	ctx, cancel := context.WithCancel(t.Context())
	_, err = measureNoise(ctx, func(context.Context) (float64, error) { cancel(); return 1, nil })
	require.ErrorIs(t, err, context.Canceled)
}
