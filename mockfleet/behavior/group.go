package behavior

import (
	"math"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Group is a part of a fleet whose devices behave alike. The fleet's seed chooses the devices;
// their number doesn't depend on the seed: it is the share of all devices, rounded.
type Group struct {
	// Name is 1 to 32 lower-case letters, digits and dashes. It can't be "all" or "rest".
	Name string `json:"name" yaml:"name"`
	// Share is the fraction of all devices that are in the group, above 0. The shares of all groups
	// add up to at most 1.
	Share random.Share `json:"share" yaml:"share"`
	// Behavior is how the devices of the group behave; it replaces the behavior of the fleet.
	Behavior Behavior `json:"behavior" yaml:"behavior"`
	// TLS is the TLS mode of the group if the fleet speaks TLS; "" means the mode of the fleet. It
	// can't be set in path addressing, because the handshake comes before the path that names the
	// device.
	TLS TLSMode `json:"tls,omitempty" yaml:"tls,omitempty"`
}

// The names of groups that every fleet has.
const (
	RestGroup = "rest" // the devices that are in no group; without groups, all of them
	AllGroups = "all"  // not a group: stands for every device

	// MaxGroups is how many groups a fleet may have.
	MaxGroups = 64
)

// GroupEnd returns how many devices are in the first groups of a fleet, if their shares add up to
// share. It rounds the sum, not each share, so that rounding errors don't add up.
func GroupEnd(devices int, share float64) int {
	return min(devices, int(math.Round(share*float64(devices))))
}
