package delivery

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Wave is a step of a rollout: it goes on until a share of the devices is reached.
//
// Whether a device is in a wave is a matter of its ID alone (its address, where it
// has no ID): the ID is hashed to a number from 0 to 1, and the wave has the devices
// below Share that no earlier wave had. So nothing need be held in memory, the order
// of the devices doesn't matter, and a resumed rollout has the same waves. It also
// means that a share is met on average: 1% of 300 devices may be one device or six,
// or none at all.
type Wave struct {
	// Share is how much of the fleet is reached when the wave is over, those of
	// earlier waves included: over 0, to 1 (all of them). 0.01 is a canary of 1%.
	Share float64
	// Soak is the wait after the wave, for troubles that take time to show. It is
	// left out after the last wave and after one that had no device. 0: no wait.
	Soak time.Duration
}

const (
	maxWaves = 100
	maxSoak  = 30 * 24 * time.Hour
)

// String is the wave's share in percent, as in 0.5%.
func (w Wave) String() string { return fmt.Sprintf("%.4g%%", w.Share*100) }

// validateWaves names everything that is wrong, by the wave's number from 1.
func validateWaves(waves []Wave, bad func(format string, args ...any)) {
	if len(waves) > maxWaves {
		bad("%d waves: want at most %d", len(waves), maxWaves)
		return
	}
	before := 0.0
	for i, w := range waves {
		// Not (a and b) rather than (not a) or (not b): NaN is refused too.
		if !(w.Share > before && w.Share <= 1) {
			bad("wave %d: share %v: want more than %v (the wave before), at most 1", i+1, w.Share, before)
		}
		if w.Soak < 0 || w.Soak > maxSoak {
			bad("wave %d: soak %v: want 0 to %v", i+1, w.Soak, maxSoak)
		}
		before = w.Share
	}
}

// deviceKey stands for a device in what a rollout and its journal remember: 16
// bytes of a SHA-256, so that no two devices of any fleet share one.
type deviceKey [16]byte

// fingerprint gives a device's key and its place from 0 to 1 (exclusive) in the
// order of the waves. Both are part of the journal's format: they never change.
func fingerprint(d Device) (deviceKey, float64) {
	text := append(make([]byte, 0, 192), 'i')
	text = append(text, d.ID...)
	if d.ID == "" {
		text = append(text[:0], 'a')
		text = append(text, d.Address...)
	}
	sum := sha256.Sum256(text)
	place := float64(binary.BigEndian.Uint64(sum[24:])>>11) / (1 << 53) // 53 bits: what a float64 holds exactly
	return deviceKey(sum[:16]), place
}

// isShare reports whether f is a number from 0 to 1.
func isShare(f float64) bool { return !math.IsNaN(f) && f >= 0 && f <= 1 }
