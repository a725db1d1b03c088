package mockfleet

import (
	"math"
	"net/http"
	"slices"
	"strconv"
)

// GroupStatus is a group as it stands.
type GroupStatus struct {
	Name     string        `json:"name"`
	Share    Share         `json:"share"`   // of all devices, as configured
	Devices  int           `json:"devices"` // how many that are
	TLS      TLS           `json:"tls,omitempty"`
	Behavior Behavior      `json:"behavior"` // of its devices, but for those that were given one of their own
	Stages   map[Stage]int `json:"stages"`   // how many of its devices are in each stage; none is left out
}

// Groups tells of each group of the fleet, the rest last where it has devices. It looks at every device,
// which takes a tenth of a second for a million.
func (f *Fleet) Groups() []GroupStatus {
	p := f.store.population
	counts := make([]map[Stage]int, len(p.groups))
	for g := range counts {
		counts[g] = map[Stage]int{}
	}
	for i := range f.store.devices {
		counts[p.of(i)][f.store.stage(i)]++
	}
	f.changing.Lock()
	defer f.changing.Unlock()
	var list []GroupStatus
	for g, of := range p.groups {
		if p.size(g) == 0 && of.Name == GroupRest {
			continue
		}
		list = append(list, GroupStatus{of.Name, of.Share, p.size(g), of.TLS, of.Behavior, counts[g]})
	}
	return list
}

// stage of device i.
func (s *store) stage(i int) Stage {
	sh := s.shard(i)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	d := s.shown(sh, i)
	return d.stage()
}

// SetGroupFaults gives every device of a group, or of all, the same behaviour, also those that had one of
// their own, and counts their attempts anew. It outlives Reset. The error is a *ConfigError where the group
// or the behaviour is at fault.
func (f *Fleet) SetGroupFaults(group string, b Behavior) error {
	g, all, err := f.store.population.named(group)
	if err != nil {
		return err
	}
	if err := f.checkBehavior(b); err != nil {
		return err
	}
	b = b.withDefaults()
	return f.changeBehaviors(g, all, func(Behavior) Behavior { return b })
}

// Heal makes every device of a group, or of all, well: reachable, without a fault and without fail_first. What
// else there is to its behaviour stays: latency, life, network. Attempts are counted anew.
func (f *Fleet) Heal(group string) error {
	g, all, err := f.store.population.named(group)
	if err != nil {
		return err
	}
	if _, err := f.SetOffline(group, 0); err != nil {
		return err
	}
	return f.changeBehaviors(g, all, Behavior.healed)
}

// HealDevice does the same for one device.
func (f *Fleet) HealDevice(i int) error {
	if err := f.checkDevice(i); err != nil {
		return err
	}
	f.changing.Lock()
	defer f.changing.Unlock()
	f.store.setOffline(i, false)
	err := f.store.setBehavior(i, f.store.behavior(i).healed())
	f.setDoors(i, i+1)
	return err
}

func (b Behavior) healed() Behavior {
	b.Faults, b.FailFirst, b.FailStatus = nil, 0, http.StatusServiceUnavailable
	return b
}

// changeBehaviors gives every device of a group, or of all, what change makes of its behaviour.
func (f *Fleet) changeBehaviors(group int, all bool, change func(Behavior) Behavior) error {
	f.changing.Lock()
	defer f.changing.Unlock()
	p := f.store.population
	for g := range p.groups {
		if all || g == group {
			p.groups[g].Behavior = change(p.groups[g].Behavior)
		}
	}
	for i := range f.store.devices {
		if !all && p.of(i) != group {
			continue
		}
		if err := f.store.setBehavior(i, change(f.store.behavior(i))); err != nil {
			return err
		}
		f.setDoors(i, i+1)
	}
	return nil
}

// SetOffline takes a share of a group's devices, or of all, off the network, and the others of the group
// back onto it; it tells how many are offline then. Which ones depends on the seed, and a larger share takes
// those of a smaller one too. A port refuses; where devices share a listener, connections are reset as they are accepted,
// and open ones when they are used. It outlives Reset.
func (f *Fleet) SetOffline(group string, share Share) (int, error) {
	p := f.store.population
	g, all, err := p.named(group)
	if err != nil {
		return 0, err
	}
	if !(share >= 0 && share <= 1) {
		return 0, &ConfigError{Field: "share", Value: strconv.FormatFloat(float64(share), 'g', -1, 64), Want: "0 to 1"}
	}
	f.changing.Lock()
	defer f.changing.Unlock()
	var members, order []int
	for i := range f.store.devices {
		if all || p.of(i) == g {
			members = append(members, i)
			order = append(order, p.offline.of(i))
		}
	}
	slices.Sort(order)
	count := int(math.Round(float64(share) * float64(len(members))))
	for _, i := range members {
		off := count > 0 && p.offline.of(i) <= order[count-1]
		if f.store.setOffline(i, off) {
			f.setDoors(i, i+1)
		}
	}
	return count, nil
}

// setOffline tells whether that changed anything.
func (s *store) setOffline(i int, off bool) bool {
	sh := s.shard(i)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	d := &s.devices[i]
	if was := d.flags&flagOffline != 0; was == off {
		return false
	}
	d.flags ^= flagOffline
	if off {
		s.behaviors.eventful.Store(true)
	}
	return true
}

// behavior of device i.
func (s *store) behavior(i int) Behavior {
	sh := s.shard(i)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return s.behaviors.at(s.devices[i].behavior).Behavior
}
