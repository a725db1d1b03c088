package results

import (
	"slices"

	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// A ReferenceSpeed is how fast the machine was by a reference benchmark that runs none of the code under
// test: how long a round trip between two bare sockets took, before and after every timed
// repetition. A virtual machine can be half as fast as an hour ago, and no counter tells.
type ReferenceSpeed struct {
	RoundTripNS float64 `json:"round_trip_ns"` // median of the blocks, nanoseconds
	Blocks      int     `json:"blocks"`        // how many were measured
}

// NewReferenceSpeed summarizes the blocks of the reference benchmark, each in nanoseconds a round trip.
// It returns nil if there are none.
func NewReferenceSpeed(blocks []float64) *ReferenceSpeed {
	if len(blocks) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(blocks))
	return &ReferenceSpeed{RoundTripNS: stats.Median(sorted), Blocks: len(blocks)}
}
