package behavior

import (
	"sync"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Membership says which device of a fleet, or of a shard of it, is in which group. It depends only
// on the number of devices of the whole fleet, the fleet's seed, and the groups' names and shares.
type Membership struct {
	shard address.Shard
	names []string // of the groups in their order; the rest comes last
	ends  []int    // the place in order at which each group ends and the next begins
	order random.Permutation
	sizes func() []int // how many devices of the shard each group has
}

// NewMembership returns the membership of the devices of a shard. devices is how many the whole
// fleet has. The shard and the groups must be valid.
func NewMembership(devices int, shard address.Shard, seed uint64, groups []Group) *Membership {
	m := &Membership{shard: shard, order: random.NewPermutation(devices, seed, random.StreamMember)}
	var sum float64
	for _, g := range groups {
		sum += float64(g.Share)
		m.names, m.ends = append(m.names, g.Name), append(m.ends, GroupEnd(devices, sum))
	}
	m.names, m.ends = append(m.names, RestGroup), append(m.ends, devices)
	m.sizes = sync.OnceValue(func() []int { return m.count(shard.Len(devices)) })
	return m
}

// count counts the devices of each group, of which the shard has so many altogether.
func (m *Membership) count(devices int) []int {
	sizes := make([]int, len(m.ends))
	switch {
	case m.shard.IsWhole():
		for g := range sizes {
			sizes[g] = m.WholeSize(g)
		}
	case !m.HasGroups():
		sizes[0] = devices
	default:
		for i := range devices {
			sizes[m.Of(i)]++
		}
	}
	return sizes
}

// HasGroups reports whether there is any group but the rest.
func (m *Membership) HasGroups() bool { return len(m.names) > 1 }

// Names returns the names of the groups that have devices in the whole fleet, in their order. The
// rest comes last. The index of a name is the group's.
func (m *Membership) Names() []string {
	if last := len(m.names) - 1; m.WholeSize(last) == 0 {
		return m.names[:last:last]
	}
	return m.names
}

// Of returns the index of the group that device i of the shard is in.
func (m *Membership) Of(i int) int { return m.OfNumber(m.shard.Number(i)) }

// OfNumber returns the index of the group of the device with that number in the whole fleet, which
// may be in another shard.
func (m *Membership) OfNumber(number int) int {
	if !m.HasGroups() {
		return 0
	}
	place := m.order.Of(number)
	for group, end := range m.ends {
		if place < end {
			return group
		}
	}
	return len(m.ends) - 1
}

// Size returns how many devices of the shard a group has. The first call for a shard that isn't the
// whole fleet looks at each device, which takes 0.1 s for a million.
func (m *Membership) Size(group int) int { return m.sizes()[group] }

// WholeSize returns how many devices of the whole fleet a group has.
func (m *Membership) WholeSize(group int) int {
	if group == 0 {
		return m.ends[0]
	}
	return m.ends[group] - m.ends[group-1]
}
