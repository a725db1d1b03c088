package behavior

import "github.com/fleetmark/fleetmark/mockfleet/random"

// Membership says which device of a fleet is in which group. It depends only on the number of
// devices, the fleet's seed, and the groups' names and shares.
type Membership struct {
	names []string // of the groups in their order; the rest comes last
	ends  []int    // the place in order at which each group ends and the next begins
	order random.Permutation
}

// NewMembership returns the membership of a fleet's devices. The groups must be valid.
func NewMembership(devices int, seed uint64, groups []Group) *Membership {
	m := &Membership{order: random.NewPermutation(devices, seed, random.StreamMember)}
	var sum float64
	for _, g := range groups {
		sum += float64(g.Share)
		m.names, m.ends = append(m.names, g.Name), append(m.ends, GroupEnd(devices, sum))
	}
	m.names, m.ends = append(m.names, RestGroup), append(m.ends, devices)
	return m
}

// HasGroups reports whether there is any group but the rest.
func (m *Membership) HasGroups() bool { return len(m.names) > 1 }

// Names returns the names of the groups that have devices, in their order. The rest comes last. The
// index of a name is the group's.
func (m *Membership) Names() []string {
	if last := len(m.names) - 1; m.Size(last) == 0 {
		return m.names[:last:last]
	}
	return m.names
}

// Of returns the index of the group that device i is in.
func (m *Membership) Of(i int) int {
	if !m.HasGroups() {
		return 0
	}
	place := m.order.Of(i)
	for group, end := range m.ends {
		if place < end {
			return group
		}
	}
	return len(m.ends) - 1
}

// Size returns how many devices a group has.
func (m *Membership) Size(group int) int {
	if group == 0 {
		return m.ends[0]
	}
	return m.ends[group] - m.ends[group-1]
}
