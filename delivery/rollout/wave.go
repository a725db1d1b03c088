package rollout

import (
	"fmt"
	"math"
	"time"
)

// A Wave is a step of a rollout, which ends when a share of all devices is reached, or a number of
// them. Either Share or Devices is set.
//
// Which devices those are depends on their IDs, or on their addresses if they have none. Each ID is
// hashed to a place in an order of all devices, and a wave has the devices up to its end that no
// earlier wave had. So the order of the sequence doesn't matter, the same devices are the canaries
// of every rollout, and a resumed rollout has the same waves.
//
// The devices are counted before the first wave. So the size of a wave differs from its exact share
// by less than one device, and every wave has at least one, as long as there are devices left: 1%
// of 20 devices is one.
type Wave struct {
	// Share is the share of all devices that is reached when the wave is over, including those of
	// earlier waves: over 0, to 1 (all of them). 0.01 is a canary of 1%.
	Share float64
	// Devices is how many devices are reached when the wave is over, including those of earlier
	// waves: first 5 and then 20 are waves of 5 and 15.
	Devices int
	// Soak is the wait after the wave, for failures that take time to show. There is none after the
	// last wave. 0 means no wait.
	Soak time.Duration
}

const (
	maxWaves       = 100
	maxWaveDevices = 1 << 30
	maxSoak        = 30 * 24 * time.Hour
)

// String returns the wave's share in percent, such as 0.5%, or its number of devices.
func (w Wave) String() string {
	if w.Devices > 0 {
		return fmt.Sprintf("%d devices", w.Devices)
	}
	return fmt.Sprintf("%.4g%%", w.Share*100)
}

// isAll reports whether the wave reaches every device. A share that is a sum may be less than 1 by
// rounding.
func (w Wave) isAll() bool { return w.Share > 1-1e-9 }

// isPassed reports whether the wave reaches no further than passed, a wave that is over.
func (w Wave) isPassed(passed Wave) bool {
	if w.Devices > 0 {
		return w.Devices <= passed.Devices
	}
	return w.Share <= passed.Share
}

// validateWaves calls bad with everything that is wrong, by the wave's number from 1.
func validateWaves(waves []Wave, bad func(format string, args ...any)) {
	if len(waves) > maxWaves {
		bad("%d waves: want at most %d", len(waves), maxWaves)
		return
	}
	var share float64 // what was reached before, in each measure
	var devices int
	for i, w := range waves {
		switch {
		case w.Devices != 0 && w.Share != 0:
			bad("wave %d: share %v and %d devices: want one of them", i+1, w.Share, w.Devices)
		case w.Devices != 0 && share > 1-1e-9:
			bad("wave %d: %d devices: the wave before has reached all", i+1, w.Devices)
		case w.Devices != 0 && (w.Devices <= devices || w.Devices > maxWaveDevices):
			bad("wave %d: %d devices: want more than %d (reached before), at most %d", i+1, w.Devices, devices, maxWaveDevices)
		// Not (a and b) rather than (not a) or (not b): NaN is refused too.
		case w.Devices == 0 && !(w.Share > share && w.Share <= 1):
			bad("wave %d: share %v: want more than %v (the wave before), at most 1", i+1, w.Share, share)
		}
		if w.Soak < 0 || w.Soak > maxSoak {
			bad("wave %d: soak %v: want 0 to %v", i+1, w.Soak, maxSoak)
		}
		share, devices = max(share, w.Share), max(devices, w.Devices)
	}
}

// A waveEnd is where a wave ends.
type waveEnd struct {
	devices int     // that are reached then
	place   float64 // their places are below it
}

// waveEnds divides devices among waves, by the devices' places in ascending order. If there are
// fewer devices than waves, the last waves have none, and are left out.
func waveEnds(waves []Wave, places []float64) []waveEnd {
	n := len(places)
	ends := make([]waveEnd, min(len(waves), n))
	for i := range ends {
		reached := waves[i].Devices
		if reached == 0 {
			reached = int(math.Round(waves[i].Share * float64(n)))
		}
		before := 0
		if i > 0 {
			before = ends[i-1].devices
		}
		ends[i].devices = min(n, max(reached, before+1))
	}
	for i := len(ends) - 2; i >= 0; i-- { // each that follows has one at least
		ends[i].devices = min(ends[i].devices, ends[i+1].devices-1)
	}
	for i := range ends {
		switch end := &ends[i]; {
		case waves[i].isAll():
			end.place = math.Inf(1) // devices that the sequence didn't give when they were counted, too
		case end.devices < n:
			end.place = places[end.devices]
		default:
			end.place = math.Nextafter(places[n-1], 2)
		}
	}
	return ends
}
