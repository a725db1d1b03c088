package device

import (
	"strconv"

	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Groups says which device is in which group.
type Groups struct {
	All          []behavior.Group // the rest comes last
	ends         []int            // the place in memberOrder at which each group ends and the next begins
	memberOrder  random.Permutation
	offlineOrder random.Permutation // the order in which devices are taken offline
}

func newGroups(cfg Config) *Groups {
	g := &Groups{
		memberOrder:  random.NewPermutation(cfg.Devices, cfg.Seed, random.StreamMember),
		offlineOrder: random.NewPermutation(cfg.Devices, cfg.Seed, random.StreamOffline),
	}
	var sum float64
	for _, group := range cfg.Groups {
		group.Behavior = group.Behavior.WithDefaults()
		sum += float64(group.Share)
		g.All = append(g.All, group)
		g.ends = append(g.ends, behavior.GroupEnd(cfg.Devices, sum))
	}
	rest := random.Share(max(0, 1-sum))
	g.All = append(g.All, behavior.Group{Name: behavior.RestGroup, Share: rest, Behavior: cfg.Behavior})
	g.ends = append(g.ends, cfg.Devices)
	return g
}

// hasGroups reports whether there is any group but the rest.
func (g *Groups) hasGroups() bool { return len(g.All) > 1 }

// Of returns the index of the group that device i is in.
func (g *Groups) Of(i int) int {
	if !g.hasGroups() {
		return 0
	}
	place := g.memberOrder.Of(i)
	for group, end := range g.ends {
		if place < end {
			return group
		}
	}
	return len(g.ends) - 1
}

// OfflineOrder returns device i's place in the order in which devices are taken offline.
func (g *Groups) OfflineOrder(i int) int { return g.offlineOrder.Of(i) }

// Size returns how many devices a group has.
func (g *Groups) Size(group int) int {
	if group == 0 {
		return g.ends[0]
	}
	return g.ends[group] - g.ends[group-1]
}

// Lookup returns the index of the group of that name. If the name is "all", which stands for every
// device, it returns true for all. The error is a *field.Error.
func (g *Groups) Lookup(name string) (group int, all bool, err error) {
	if name == behavior.AllGroups {
		return 0, true, nil
	}
	names := behavior.AllGroups
	for i := range g.All {
		if g.All[i].Name == name {
			return i, false, nil
		}
		names += ", " + g.All[i].Name
	}
	return 0, false, &field.Error{Field: "group", Value: strconv.Quote(name), Want: "one of " + names}
}

// assignGroups gives the devices of each group the group's behavior. The rest has the fleet's own,
// which is in slot 0.
func (s *Store) assignGroups() {
	groups := s.groups
	if !groups.hasGroups() {
		return
	}
	slots := make([]uint16, len(groups.All))
	for group := range groups.All[:len(groups.All)-1] {
		// It can't fail: a new table has room for MaxGroups behaviors.
		slots[group], _ = s.behaviors.acquire(groups.All[group].Behavior)
		s.behaviors.retain(slots[group], groups.Size(group)-1)
	}
	for i := range s.devices {
		s.devices[i].behavior = slots[groups.Of(i)]
	}
}

// Stage returns the stage that device i is in.
func (s *Store) Stage(i int) ledger.Stage {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	d := s.visible(sh, i)
	return d.stage()
}

// SetOffline takes device i offline, or back. It reports whether that changed anything.
func (s *Store) SetOffline(i int, off bool) bool {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	d := &s.devices[i]
	if was := d.flags&flagOffline != 0; was == off {
		return false
	}
	d.flags ^= flagOffline
	if off {
		s.behaviors.hasBehavior.Store(true)
	}
	return true
}

// Behavior returns the behavior of device i.
func (s *Store) Behavior(i int) behavior.Behavior {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	return s.behaviors.at(s.devices[i].behavior).Behavior
}
