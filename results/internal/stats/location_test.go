package stats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStudentT compares with tables of Student's t (for 4 degrees of freedom, 2.776 at 0.975 and
// 4.604 at 0.995) and arithmetic by hand: the mean of 1 to 5 is 3, and its standard error √0.5.
func TestStudentT(t *testing.T) {
	for name, row := range map[string]struct {
		differences []float64
		level       float64
		want        Location
	}{
		"95%": {[]float64{1, 2, 3, 4, 5}, 0.95,
			Location{Estimate: 3, Low: 3 - 2.776*0.70711, High: 3 + 2.776*0.70711, Bounded: true, P: 0.01324}},
		"99%": {[]float64{1, 2, 3, 4, 5}, 0.99,
			Location{Estimate: 3, Low: 3 - 4.604*0.70711, High: 3 + 4.604*0.70711, Bounded: true, P: 0.01324}},
		"around 0": {[]float64{-1, 0, 1}, 0.95,
			Location{Estimate: 0, Low: -4.303 * 0.57735, High: 4.303 * 0.57735, Bounded: true, P: 1}},
		"all the same":  {[]float64{2, 2, 2}, 0.95, Location{Estimate: 2, Low: 2, High: 2, Bounded: true}},
		"nothing moved": {[]float64{0, 0, 0}, 0.95, Location{Bounded: true, P: 1}},
		"one":           {[]float64{7}, 0.95, Location{Estimate: 7, P: 1}},
		"none":          {nil, 0.95, Location{P: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got := StudentT(row.differences, row.level)
			require.Equal(t, row.want.Bounded, got.Bounded)
			require.InDeltaSlice(t, []float64{row.want.Estimate, row.want.Low, row.want.High, row.want.P},
				[]float64{got.Estimate, got.Low, got.High, got.P}, 0.002)
		})
	}
}
