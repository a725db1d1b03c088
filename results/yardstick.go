package results

import (
	"fmt"
	"slices"
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
	return &Yardstick{RoundTripNS: median(sorted), Blocks: len(blocks)}
}

// maxMachineChange is how far the machine may have moved for its times to be held
// against older ones: well within the tolerances of times, and beyond the noise of
// the yardstick itself, which is a few percent.
const maxMachineChange = 0.15

// pace is how many times as long the yardstick takes as it did; 0 where either side
// has none.
func pace(before, now *Yardstick) float64 {
	if before == nil || now == nil || !(before.RoundTripNS > 0) || !(now.RoundTripNS > 0) {
		return 0
	}
	return now.RoundTripNS / before.RoundTripNS
}

// moved says in a clause that the machine isn't what it was, and is empty where it
// is or where that isn't known.
func moved(pace float64) string {
	switch {
	case pace > 1+maxMachineChange:
		return fmt.Sprintf("the machine is %.2f times as slow as it was", pace)
	case pace > 0 && pace < 1/(1+maxMachineChange):
		return fmt.Sprintf("the machine is %.2f times as fast as it was", 1/pace)
	}
	return ""
}

// tolerance is a metric's own, and beyond that what the machine moved: 1.25 times as
// long on a machine that takes 1.1 times as long is 1.375, and 0.75 of a rate on it
// is 0.68.
func tolerance(u Unit, pace float64) float64 {
	if u.Exact {
		return toleranceVaried // only what varies is tested
	}
	if !u.Class.follows() || !(pace > 0) {
		return u.Tolerance
	}
	by := max(pace, 1/pace)
	if u.Better > 0 {
		return 1 - (1-u.Tolerance)/by
	}
	return (1+u.Tolerance)*by - 1
}
