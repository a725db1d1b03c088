package behavior

import (
	"math"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Group is a part of a fleet whose devices behave alike. Which devices are in it depends on the fleet's
// seed; how many is exact: the share of all devices, rounded.
type Group struct {
	// Name is 1 to 32 lower-case letters, digits and dashes; not "all" and not "rest".
	Name string `json:"name" yaml:"name"`
	// Share is the part of all devices that are in the group, above 0. The shares of all groups add
	// up to 1 at most.
	Share random.Share `json:"share" yaml:"share"`
	// Behavior is that of the group's devices, instead of the fleet's.
	Behavior Behavior `json:"behavior" yaml:"behavior"`
	// TLS is how the group's devices speak TLS, if the fleet does; "" is as the fleet does. It can't be
	// set in path addressing, where the handshake comes before the path.
	TLS TLSMode `json:"tls,omitempty" yaml:"tls,omitempty"`
}

// Groups that every fleet has.
const (
	RestGroup = "rest" // the devices that are in no group; without groups, all of them
	AllGroups = "all"  // in place of a group: every device

	// MaxGroups bounds the groups of a fleet.
	MaxGroups = 64
)

// GroupEnd returns how many devices the groups have together whose shares add up to share, rounded to
// whole devices.
func GroupEnd(devices int, share float64) int {
	return min(devices, int(math.Round(share*float64(devices))))
}
