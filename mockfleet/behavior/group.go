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
	// TLS is how its devices speak TLS, where the fleet does; "" is as the fleet does. Not in path
	// addressing, where the handshake comes before it is known which device is meant.
	TLS TLSMode `json:"tls,omitempty" yaml:"tls,omitempty"`
}

// Groups that every fleet has.
const (
	RestGroup = "rest" // the devices that are in no group; without groups, all of them
	AllGroups = "all"  // every device, where a group is asked for

	// MaxGroups bounds the groups of a fleet.
	MaxGroups = 64
)

// GroupEnd returns the place at which the groups end that together have this share of the devices.
// Shares are rounded to whole devices.
func GroupEnd(devices int, share float64) int {
	return min(devices, int(math.Round(share*float64(devices))))
}
