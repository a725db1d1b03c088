package mockfleet

import (
	"strconv"

	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Membership returns which device is in which group of a fleet with this configuration, without
// starting one. The configuration must be valid.
func (c Config) Membership() *behavior.Membership {
	return behavior.NewMembership(c.Devices, c.Shard, c.Seed, c.Groups)
}

// GroupStatus is the current status of a group.
type GroupStatus struct {
	Name     string               `json:"name"`
	Share    random.Share         `json:"share"`   // of all devices, as configured
	Devices  int                  `json:"devices"` // how many devices the group has, in a shard of the shard's
	TLS      behavior.TLSMode     `json:"tls,omitempty"`
	Behavior behavior.Behavior    `json:"behavior"` // of its devices, except those that have one of their own
	Stages   map[ledger.Stage]int `json:"stages"`   // how many of its devices are in each stage; zeros are left out
}

// Groups returns the status of each group in the order of the Config; the rest comes last, if it
// has devices. It reads the stage of every device, which takes 0.1 s for a million.
func (f *Fleet) Groups() []GroupStatus {
	groups := f.store.Groups()
	counts := make([]map[ledger.Stage]int, len(groups.All))
	for g := range counts {
		counts[g] = map[ledger.Stage]int{}
	}
	for i := range f.store.Len() {
		counts[groups.Of(i)][f.store.Stage(i)]++
	}
	f.bulk.Lock()
	defer f.bulk.Unlock()
	var list []GroupStatus
	for g, of := range groups.All {
		if groups.WholeSize(g) == 0 && of.Name == behavior.RestGroup {
			continue
		}
		list = append(list, GroupStatus{of.Name, of.Share, groups.Size(g), of.TLS, of.Behavior, counts[g]})
	}
	return list
}

// SetGroupFaults gives every device of a group, or of all groups, the same behavior, which Reset
// doesn't undo, and counts their attempts anew. It also replaces behaviors set by SetFaults. The
// error is a *ConfigError if there is no such group or the behavior can't be used.
func (f *Fleet) SetGroupFaults(group string, b behavior.Behavior) error {
	g, all, err := f.store.Groups().Lookup(group)
	if err != nil {
		return err
	}
	if err := f.checkBehavior(b); err != nil {
		return err
	}
	b = b.WithDefaults()
	return f.changeBehaviors(g, all, func(behavior.Behavior) behavior.Behavior { return b })
}

// Heal makes every device of a group, or of all groups, reachable, and removes its faults and
// FailFirst. Latency, life, network and required header fields stay. Attempts are counted anew.
func (f *Fleet) Heal(group string) error {
	g, all, err := f.store.Groups().Lookup(group)
	if err != nil {
		return err
	}
	if _, err := f.SetOffline(group, 0); err != nil {
		return err
	}
	return f.changeBehaviors(g, all, behavior.Behavior.Healed)
}

// HealDevice does what Heal does, for one device.
func (f *Fleet) HealDevice(i int) error {
	if err := f.checkDevice(i); err != nil {
		return err
	}
	f.bulk.Lock()
	defer f.bulk.Unlock()
	f.store.SetOffline(i, false)
	err := f.store.SetBehavior(i, f.store.Behavior(i).Healed())
	f.server.UpdatePorts(i, i+1)
	return err
}

// changeBehaviors applies change to the behavior of a group, or of all groups, and to that of each
// of their devices.
func (f *Fleet) changeBehaviors(group int, all bool, change func(behavior.Behavior) behavior.Behavior) error {
	f.bulk.Lock()
	defer f.bulk.Unlock()
	groups := f.store.Groups()
	for g := range groups.All {
		if all || g == group {
			groups.All[g].Behavior = change(groups.All[g].Behavior)
		}
	}
	for i := range f.store.Len() {
		if !all && groups.Of(i) != group {
			continue
		}
		if err := f.store.SetBehavior(i, change(f.store.Behavior(i))); err != nil {
			return err
		}
		f.server.UpdatePorts(i, i+1)
	}
	return nil
}

// SetOffline takes a share of the devices of a group, or of all groups, off the network, and brings
// the others back. It returns how many are offline. The seed decides which: a larger share includes
// the devices of a smaller one. The port of an offline device refuses connections. If devices share
// a listener, new connections are reset as soon as they are accepted, and open ones when they are
// used. Reset doesn't bring the devices back. In a shard, the share is of the whole fleet's
// devices, and those of them that the shard has are taken offline and counted.
func (f *Fleet) SetOffline(group string, share random.Share) (int, error) {
	groups := f.store.Groups()
	g, all, err := groups.Lookup(group)
	if err != nil {
		return 0, err
	}
	if !(share >= 0 && share <= 1) {
		return 0, &field.Error{Field: "share", Value: strconv.FormatFloat(float64(share), 'g', -1, 64), Want: "0 to 1"}
	}
	f.bulk.Lock()
	defer f.bulk.Unlock()
	count, end := 0, groups.OfflineEnd(g, all, share)
	for i := range f.store.Len() {
		if !all && groups.Of(i) != g {
			continue
		}
		off := groups.OfflineOrder(i) < end
		if off {
			count++
		}
		if f.store.SetOffline(i, off) {
			f.server.UpdatePorts(i, i+1)
		}
	}
	return count, nil
}
