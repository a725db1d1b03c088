package target

import (
	"context"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/scenarios"
)

// Why the groups of devices aren't known, although the scenario or the fleet has groups.
const (
	groupsOfOther = "the fleet that is up has none"
	groupsOfList  = "a list of devices has no groups"
	groupsUnasked = "only the fleet's control port says which device is in which group"
	groupsUnclear = "the fleet's control port doesn't say which device is in which group: it is of another version"
)

// groupsOf returns which device of a scenario's fleet is in which group. It returns nil if the
// fleet has no groups.
func groupsOf(s scenarios.Spec) *behavior.Membership {
	if len(s.Fleet.Groups) == 0 {
		return nil
	}
	return s.FleetConfig().Membership()
}

// askedDevices is how many devices a fleet is asked about to check which group they are in.
const askedDevices = 16

// askGroups returns which device of a fleet is in which group, or why that can't be known. It
// computes it from the fleet's seed and shares, and checks the result against what the fleet says
// of a few devices. It returns nil for a fleet without groups.
func askGroups(
	ctx context.Context, c *mockfleet.Control, status mockfleet.Status, groups []mockfleet.GroupStatus,
) (m *behavior.Membership, unknown string, err error) {
	var list []behavior.Group
	for _, g := range groups {
		if g.Name != behavior.RestGroup {
			list = append(list, behavior.Group{Name: g.Name, Share: g.Share})
		}
	}
	if len(list) == 0 {
		return nil, "", nil
	}
	n, whole := int(status.Devices), int(status.Devices)
	if !status.Shard.IsWhole() {
		whole = int(status.WholeDevices)
	}
	if (mockfleet.Config{Devices: whole, Shard: status.Shard, Addressing: address.Path, Groups: list}).Validate() != nil {
		return nil, groupsUnclear, nil
	}
	m = behavior.NewMembership(whole, status.Shard, status.Seed, list)
	names := m.Names()
	if len(names) != len(groups) {
		return nil, groupsUnclear, nil
	}
	for i, g := range groups {
		if g.Name != names[i] || g.Devices != m.Size(i) {
			return nil, groupsUnclear, nil
		}
	}
	for k := range min(askedDevices, n) {
		i := k * n / min(askedDevices, n)
		d, err := c.Device(ctx, i)
		if err != nil {
			return nil, "", err
		}
		if d.Group != names[m.Of(i)] {
			return nil, groupsUnclear, nil
		}
	}
	return m, "", nil
}
