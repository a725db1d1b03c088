package load

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSearch(t *testing.T) {
	for name, row := range map[string]struct {
		from, to, tolerance float64
		limit               float64      // rates up to this one hold
		hiccup              map[int]bool // tries that fail although they'd hold, from 1
		held, failed        float64      // 0: within bounds of the limit
		most                int          // tries
	}{
		"in the middle":         {from: 100, to: 10_000, tolerance: 0.05, limit: 1234, most: 20},
		"exactly":               {from: 100, to: 10_000, tolerance: 0.001, limit: 777.7, most: 30},
		"at the lowest":         {from: 100, to: 10_000, tolerance: 0.05, limit: 100, most: 20},
		"below the lowest":      {from: 100, to: 10_000, tolerance: 0.05, limit: 99, held: -1, failed: 100, most: 2},
		"above the highest":     {from: 100, to: 10_000, tolerance: 0.05, limit: 1e9, held: 10_000, failed: -1, most: 8},
		"between two doublings": {from: 100, to: 150, tolerance: 0.05, limit: 120, most: 12},
		"one hiccup":            {from: 100, to: 10_000, tolerance: 0.05, limit: 1234, hiccup: map[int]bool{1: true, 4: true}, most: 22},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Search{From: row.from, To: row.to, Tolerance: row.tolerance}
			tries := 0
			for rate, ok := s.Next(); ok; rate, ok = s.Next() {
				tries++
				require.Less(t, tries, 100)
				require.GreaterOrEqual(t, rate, row.from)
				require.LessOrEqual(t, rate, row.to)
				s.Report(rate <= row.limit && !row.hiccup[tries])
			}
			require.LessOrEqual(t, tries, row.most)
			switch {
			case row.held == -1:
				require.Zero(t, s.Held)
				require.Equal(t, row.failed, s.Failed)
			case row.failed == -1:
				require.Zero(t, s.Failed)
				require.Equal(t, row.held, s.Held)
			default:
				require.LessOrEqual(t, s.Held, row.limit)
				require.Greater(t, s.Failed, row.limit)
				require.LessOrEqual(t, s.Failed/s.Held, 1+row.tolerance)
			}
		})
	}
}
