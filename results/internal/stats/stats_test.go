package stats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	require.Equal(t, 3.0, Median([]float64{5, 1, 3}))
	require.Equal(t, 2.5, Median([]float64{4, 1, 3, 2}))
	require.Equal(t, 7.0, Median([]float64{7}))
}

// TestHolm compares with a computation by hand: 0.001·5, 0.01·4, 0.02·3 = 0.06, then 0.02·2 = 0.04,
// which is raised to 0.06, and 0.9·1.
func TestHolm(t *testing.T) {
	corrected := Holm([]float64{0.02, 0.001, 0.9, 0.01, 0.02}, nil)
	require.InDeltaSlice(t, []float64{0.06, 0.005, 0.9, 0.04, 0.06}, corrected, 1e-12)
	require.Equal(t, []float64{1, 1}, Holm([]float64{0.7, 0.8}, nil))
	require.Empty(t, Holm(nil, nil))

	// The first has nine tenths of the weight: 0.01 * 10/9, and then 0.02 * 1/1.
	require.InDeltaSlice(t, []float64{0.1 / 9, 0.02}, Holm([]float64{0.01, 0.02}, []float64{9, 1}), 1e-12)
	// The second comes first, as 0.004/1 is less than 0.04/9: 0.004 * 10/1, and then 0.04 * 9/9.
	require.InDeltaSlice(t, []float64{0.04, 0.04}, Holm([]float64{0.04, 0.004}, []float64{9, 1}), 1e-12)
	require.InDeltaSlice(t, Holm([]float64{0.02, 0.001, 0.9}, nil),
		Holm([]float64{0.02, 0.001, 0.9}, []float64{7, 7, 7}), 1e-12)
}
