package results

import (
	"slices"

	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// A Yardstick is how fast the machine was by a measure that knows nothing of the
// code under test: what a round trip between two bare sockets took, before and after
// every timed repetition. A virtual machine can be half as fast as an hour ago
// without a word of it in any counter.
type Yardstick struct {
	RoundTripNS float64 `json:"round_trip_ns"` // median of the blocks, nanoseconds
	Blocks      int     `json:"blocks"`        // how many were measured
}

// NewYardstick takes what each block measured, in nanoseconds a round trip. It is
// nil where there is none.
func NewYardstick(blocks []float64) *Yardstick {
	if len(blocks) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(blocks))
	return &Yardstick{RoundTripNS: stats.Median(sorted), Blocks: len(blocks)}
}
