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
	All          []behavior.Group // the rest last
	ends         []int            // where each group's places end; the next group's places begin there
	memberOrder  random.Permutation
	offlineOrder random.Permutation // in which order devices are taken offline
}

func newGroups(cfg Config) *Groups {
	p := &Groups{
		memberOrder:  random.NewPermutation(cfg.Devices, cfg.Seed, random.StreamMember),
		offlineOrder: random.NewPermutation(cfg.Devices, cfg.Seed, random.StreamOffline),
	}
	var sum float64
	for _, g := range cfg.Groups {
		g.Behavior = g.Behavior.WithDefaults()
		sum += float64(g.Share)
		p.All = append(p.All, g)
		p.ends = append(p.ends, behavior.GroupEnd(cfg.Devices, sum))
	}
	p.All = append(p.All, behavior.Group{Name: behavior.RestGroup, Share: random.Share(max(0, 1-sum)), Behavior: cfg.Behavior})
	p.ends = append(p.ends, cfg.Devices)
	return p
}

// hasGroups reports whether there is any group but the rest.
func (p *Groups) hasGroups() bool { return len(p.All) > 1 }

// Of is the index of the group that device i is in.
func (p *Groups) Of(i int) int {
	if !p.hasGroups() {
		return 0
	}
	place := p.memberOrder.Of(i)
	for g, end := range p.ends {
		if place < end {
			return g
		}
	}
	return len(p.ends) - 1
}

// OfflineOrder returns device i's place in the order in which devices are taken offline.
func (p *Groups) OfflineOrder(i int) int { return p.offlineOrder.Of(i) }

// Size is how many devices group g has.
func (p *Groups) Size(g int) int {
	if g == 0 {
		return p.ends[0]
	}
	return p.ends[g] - p.ends[g-1]
}

// Lookup finds a group; all is every device.
func (p *Groups) Lookup(name string) (g int, all bool, err error) {
	if name == behavior.AllGroups {
		return 0, true, nil
	}
	names := behavior.AllGroups
	for g := range p.All {
		if p.All[g].Name == name {
			return g, false, nil
		}
		names += ", " + p.All[g].Name
	}
	return 0, false, &field.Error{Field: "group", Value: strconv.Quote(name), Want: "one of " + names}
}

// assignGroups gives the devices of each group its behavior. Slot 0 of the table holds the behavior of the other devices.
func (s *Store) assignGroups() {
	p := s.groups
	if !p.hasGroups() {
		return
	}
	slots := make([]uint16, len(p.All))
	for g := range p.All[:len(p.All)-1] {
		// At most MaxGroups of them: a table that is new has room.
		slots[g], _ = s.behaviors.acquire(p.All[g].Behavior)
		s.behaviors.retain(slots[g], p.Size(g)-1)
	}
	for i := range s.devices {
		s.devices[i].behavior = slots[p.Of(i)]
	}
}

// Stage of device i.
func (s *Store) Stage(i int) ledger.Stage {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	d := s.visible(sh, i)
	return d.stage()
}

// SetOffline reports whether that changed anything.
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

// Behavior of device i.
func (s *Store) Behavior(i int) behavior.Behavior {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	return s.behaviors.at(s.devices[i].behavior).Behavior
}
