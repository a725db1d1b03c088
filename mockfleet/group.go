package mockfleet

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
)

// Group is a part of a fleet whose devices behave alike. Which devices are in it depends on the fleet's
// seed; how many is exact: the share of all devices, rounded.
type Group struct {
	Name     string   `json:"name" yaml:"name"`         // 1 to 32 lower-case letters, digits and dashes; not "all" and not "rest"
	Share    Share    `json:"share" yaml:"share"`       // of all devices, above 0; those of all groups come to 1 at most
	Behavior Behavior `json:"behavior" yaml:"behavior"` // of its devices, instead of the fleet's
	// TLS is how its devices speak TLS, where the fleet does; "" is as the fleet does. Not in path
	// addressing, where the handshake comes before it is known which device is meant.
	TLS TLS `json:"tls,omitempty" yaml:"tls,omitempty"`
}

const (
	GroupRest = "rest" // the devices that are in no group; without groups, all of them
	GroupAll  = "all"  // every device, where a group is asked for

	maxGroups = 64
)

var groupForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// checkGroups reports what is wrong with the groups, each as a *ConfigError.
func (c Config) checkGroups() (errs []error) {
	if len(c.Groups) > maxGroups {
		return []error{&ConfigError{Field: "groups", Value: strconv.Itoa(len(c.Groups)) + " of them", Want: "at most " + strconv.Itoa(maxGroups)}}
	}
	seen := map[string]bool{GroupRest: true, GroupAll: true}
	var sum float64
	for i, g := range c.Groups {
		at := fmt.Sprintf("groups[%d].", i)
		bad := func(field, value, want string) {
			errs = append(errs, &ConfigError{Field: at + field, Value: value, Want: want})
		}
		switch {
		case !groupForm.MatchString(g.Name):
			bad("name", strconv.Quote(g.Name), "1 to 32 lower-case letters, digits and dashes")
		case seen[g.Name]:
			bad("name", strconv.Quote(g.Name), `a name that no other group has, other than "all" and "rest"`)
		}
		seen[g.Name] = true
		if !(g.Share > 0 && g.Share <= 1) {
			bad("share", fmt.Sprint(float64(g.Share)), "above 0, and 1 at most")
		}
		before := sum
		switch sum += float64(g.Share); {
		case sum > 1+shareSlack && before <= 1+shareSlack:
			bad("share", fmt.Sprint(float64(g.Share)), fmt.Sprintf("%.4g at most: the groups before it have the rest", max(0, 1-before)))
		case g.Share > 0 && c.Devices > 0 && c.ending(sum) == c.ending(before) && sum <= 1+shareSlack:
			share := percents(float64(g.Share))
			bad("share", share, fmt.Sprintf("%s at least, or more devices: %s of %d is none", percents(1/float64(c.Devices)), share, c.Devices))
		}
		err := g.Behavior.Validate()
		if err == nil {
			err = g.Behavior.checkReach(c.Addressing)
		}
		errs = append(errs, within(at+"behavior.", err)...)
		switch {
		case !g.TLS.known():
			bad("tls", strconv.Quote(string(g.TLS)), tlsForms)
		case g.TLS != TLSNone && c.TLS == TLSNone:
			bad("tls", strconv.Quote(string(g.TLS)), "a fleet that speaks TLS: set its own as well, such as good")
		case g.TLS != TLSNone && c.Addressing == AddressPath:
			bad("tls", strconv.Quote(string(g.TLS)), "ip or port addressing: in path addressing the handshake comes before the path")
		}
	}
	return errs
}

// percents returns a share as percents of up to four digits that count, such as "2%".
func percents(share float64) string { return strconv.FormatFloat(100*share, 'g', 4, 64) + "%" }

// ending is the place at which the groups end that have this share of the devices together.
func (c Config) ending(sum float64) int {
	return min(c.Devices, int(math.Round(sum*float64(c.Devices))))
}

// shareSlack is what decimal shares may miss 1 by in binary.
const shareSlack = 1e-9

// within puts the errors of a part into the whole that it is of.
func within(prefix string, err error) (errs []error) {
	if err == nil {
		return nil
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, e := range list {
		if bad, ok := e.(*ConfigError); ok {
			placed := *bad
			placed.Field = prefix + bad.Field
			e = &placed
		}
		errs = append(errs, e)
	}
	return errs
}

// population says which device is in which group.
type population struct {
	groups  []Group // the rest last
	ends    []int   // the places of each group's members end here; they begin where those of the one before end
	members permutation
	offline permutation // in which order devices are taken offline
}

func newPopulation(cfg Config) *population {
	p := &population{
		members: newPermutation(cfg.Devices, cfg.Seed, purposeMember),
		offline: newPermutation(cfg.Devices, cfg.Seed, purposeOffline),
	}
	var sum float64
	for _, g := range cfg.Groups {
		g.Behavior = g.Behavior.withDefaults()
		sum += float64(g.Share)
		p.groups = append(p.groups, g)
		p.ends = append(p.ends, cfg.ending(sum))
	}
	p.groups = append(p.groups, Group{Name: GroupRest, Share: Share(max(0, 1-sum)), Behavior: cfg.Behavior})
	p.ends = append(p.ends, cfg.Devices)
	return p
}

// divided tells whether there is any group but the rest.
func (p *population) divided() bool { return len(p.groups) > 1 }

// of is the index of the group that device i is in.
func (p *population) of(i int) int {
	if !p.divided() {
		return 0
	}
	place := p.members.of(i)
	for g, end := range p.ends {
		if place < end {
			return g
		}
	}
	return len(p.ends) - 1
}

// size is how many devices group g has.
func (p *population) size(g int) int {
	if g == 0 {
		return p.ends[0]
	}
	return p.ends[g] - p.ends[g-1]
}

// named finds a group; all is every device.
func (p *population) named(name string) (g int, all bool, err error) {
	if name == GroupAll {
		return 0, true, nil
	}
	names := GroupAll
	for g := range p.groups {
		if p.groups[g].Name == name {
			return g, false, nil
		}
		names += ", " + p.groups[g].Name
	}
	return 0, false, &ConfigError{Field: "group", Value: strconv.Quote(name), Want: "one of " + names}
}

// populate gives the devices of each group its behaviour. Slot 0 of the table is that of the rest.
func (s *store) populate() {
	p := s.population
	if !p.divided() {
		return
	}
	slots := make([]uint16, len(p.groups))
	for g := range p.groups[:len(p.groups)-1] {
		// At most maxGroups of them: a table that is new has room.
		slots[g], _ = s.behaviors.acquire(p.groups[g].Behavior)
		s.behaviors.retain(slots[g], p.size(g)-1)
	}
	for i := range s.devices {
		s.devices[i].behavior = slots[p.of(i)]
	}
}

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
	sh := s.lock(i)
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
	sh := s.lock(i)
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
	sh := s.lock(i)
	defer sh.mu.Unlock()
	return s.behaviors.at(s.devices[i].behavior).Behavior
}
