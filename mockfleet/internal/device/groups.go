package device

import (
	"math"
	"strconv"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Groups says which device is in which group, and how its devices behave.
type Groups struct {
	*behavior.Membership
	All          []behavior.Group   // the rest comes last
	offlineOrder random.Permutation // the order in which devices of the whole fleet are taken offline
	devices      int                // of the whole fleet
	shard        address.Shard
}

func newGroups(cfg Config) *Groups {
	g := &Groups{
		Membership:   behavior.NewMembership(cfg.Devices, cfg.Shard, cfg.Seed, cfg.Groups),
		offlineOrder: random.NewPermutation(cfg.Devices, cfg.Seed, random.StreamOffline),
		devices:      cfg.Devices,
		shard:        cfg.Shard,
	}
	var sum float64
	for _, group := range cfg.Groups {
		group.Behavior = group.Behavior.WithDefaults()
		sum += float64(group.Share)
		g.All = append(g.All, group)
	}
	rest := random.Share(max(0, 1-sum))
	g.All = append(g.All, behavior.Group{Name: behavior.RestGroup, Share: rest, Behavior: cfg.Behavior})
	return g
}

// OfflineOrder returns device i's place in the order in which devices are taken offline. Devices of
// other shards have places in it too.
func (g *Groups) OfflineOrder(i int) int { return g.offlineOrder.Of(g.shard.Number(i)) }

// OfflineEnd returns the end of the places in that order of a share of a group, or of all groups:
// its devices with a place below it are those to be taken offline. It is the same in each shard.
func (g *Groups) OfflineEnd(group int, all bool, share random.Share) (end int) {
	size := g.devices
	if !all {
		size = g.WholeSize(group)
	}
	count := int(math.Round(float64(share) * float64(size)))
	if all {
		return count
	}
	for ; count > 0; end++ {
		if g.OfNumber(g.offlineOrder.At(end)) == group {
			count--
		}
	}
	return end
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
	if !groups.HasGroups() {
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
	st := s.lock(i)
	defer st.mu.Unlock()
	d := s.visible(st, i)
	return d.stage()
}

// SetOffline takes device i offline, or back. It reports whether that changed anything.
func (s *Store) SetOffline(i int, off bool) bool {
	st := s.lock(i)
	defer st.mu.Unlock()
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
	st := s.lock(i)
	defer st.mu.Unlock()
	return s.behaviors.at(s.devices[i].behavior).Behavior
}
