package mockfleet

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

func TestGroupsAreValidated(t *testing.T) {
	group := func(change func(*behavior.Group)) []behavior.Group {
		g := behavior.Group{Name: "a", Share: 0.5}
		change(&g)
		return []behavior.Group{g}
	}
	for name, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"good":       {Config{Devices: 100, Groups: groupsOf(0.9, 0.08, 0.02)}, ""},
		"one device": {Config{Groups: groupsOf(0.1)}, ""},
		"none of ten": {Config{Groups: groupsOf(0.04)},
			`groups[0].share: 4%: want 10% at least, or more devices: 4% of 10 is none`},
		"none is left": {Config{Groups: groupsOf(0.9, 0.08, 0.02)},
			`groups[2].share: 2%: want 10% at least, or more devices: 2% of 10 is none`},
		"thirds": {Config{Groups: groupsOf(1.0/3, 1.0/3, 1.0/3)}, ""},
		"no name": {Config{Groups: group(func(g *behavior.Group) { g.Name = "" })},
			`groups[0].name: "": want 1 to 32 lower-case`},
		"capitals": {Config{Groups: group(func(g *behavior.Group) { g.Name = "Slow" })},
			`groups[0].name: "Slow": want 1 to 32`},
		"rest": {Config{Groups: group(func(g *behavior.Group) { g.Name = "rest" })},
			`groups[0].name: "rest": want a name that no other`},
		"all": {Config{Groups: group(func(g *behavior.Group) { g.Name = "all" })},
			`groups[0].name: "all": want a name that no other`},
		"twice": {Config{Groups: []behavior.Group{{Name: "a", Share: 0.1}, {Name: "a", Share: 0.1}}},
			`groups[1].name: "a": want a name that no other`},
		"no share": {Config{Groups: groupsOf(0)}, `groups[0].share: 0: want above 0, and 1 at most`},
		"too much": {Config{Groups: groupsOf(0.9, 0.2)},
			`groups[1].share: 0.2: want 0.1 at most: the groups before it have the rest`},
		"behavior": {Config{Groups: group(func(g *behavior.Group) { g.Behavior.FailStatus = 200 })},
			`groups[0].behavior.fail_status: 200: want an HTTP status`},
		"fault": {Config{Groups: group(func(g *behavior.Group) { g.Behavior.Faults = []fault.Fault{{Kind: "?"}} })},
			`groups[0].behavior.faults[0].kind: "?": want one of`},
		"reach": {Config{Groups: group(func(g *behavior.Group) { g.Behavior.Faults = []fault.Fault{{Kind: "refuse"}} })},
			`groups[0].behavior.faults[0].kind: "refuse": want port addressing`},
		"TLS": {Config{TLS: behavior.TLSGood, Groups: group(func(g *behavior.Group) { g.TLS = "?" })},
			`groups[0].tls: "?": want good, expired`},
		"TLS alone": {Config{Groups: group(func(g *behavior.Group) { g.TLS = behavior.TLSExpired })},
			`groups[0].tls: "expired": want a fleet that speaks TLS`},
		"TLS by path": {Config{Addressing: address.Path, TLS: behavior.TLSGood,
			Groups: group(func(g *behavior.Group) { g.TLS = behavior.TLSExpired })},
			`groups[0].tls: "expired": want ip or port`},
		"far too many": {Config{Groups: make([]behavior.Group, 65)}, `groups: 65 of them: want at most 64`},
	} {
		t.Run(name, func(t *testing.T) {
			test.cfg.Devices = cmp.Or(test.cfg.Devices, 10)
			if test.cfg.Addressing == "" {
				test.cfg.Addressing = address.IP
			}
			err := test.cfg.Validate()
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			var bad *ConfigError
			require.ErrorAs(t, err, &bad)
			require.ErrorContains(t, err, "mockfleet: "+test.want)
		})
	}
}

// mixed starts a fleet of good, slow and broken devices.
func mixed(t testing.TB, a address.Mode) *Fleet {
	return startFleet(t, Config{Devices: 50, Addressing: a, Seed: 3, Groups: []behavior.Group{
		{Name: "broken", Share: 0.1, Behavior: withFaults(fault.Fault{Kind: "status-500"})},
		{Name: "slow", Share: 0.2, Behavior: withFaults(fault.Fault{Kind: "slow-answer", Delay: delayOf(t, 1)})},
	}})
}

func membersOf(f *Fleet, group string) (list []int) {
	g, all, _ := f.store.Groups().Lookup(group)
	for i := range f.Devices() {
		if all || f.store.Groups().Of(i) == g {
			list = append(list, i)
		}
	}
	return list
}

func TestDevicesBehaveAsTheirGroup(t *testing.T) {
	f := mixed(t, address.IP)
	client := newClient(t)
	for i := range f.Devices() {
		status, _ := update{artifact: []byte("x")}.send(t, client, f.DeviceAddress(i))
		d, err := f.Device(i)
		require.NoError(t, err)
		switch d.Group {
		case "broken":
			require.Equal(t, http.StatusInternalServerError, status)
			require.Equal(t, map[string]uint32{"status-500": 1}, d.Faults)
		case "slow":
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, map[string]uint32{"slow-answer": 1}, d.Faults)
		default:
			require.Equal(t, behavior.RestGroup, d.Group)
			require.Equal(t, http.StatusOK, status)
			require.Empty(t, d.Faults)
		}
	}
	groups := f.Groups()
	require.Len(t, groups, 3)
	for g, want := range []struct {
		name    string
		devices int
		stages  map[ledger.Stage]int
	}{
		{"broken", 5, map[ledger.Stage]int{ledger.StageIdle: 5}},
		{"slow", 10, map[ledger.Stage]int{ledger.StageRunning: 10}},
		{"rest", 35, map[ledger.Stage]int{ledger.StageRunning: 35}},
	} {
		require.Equal(t, want.name, groups[g].Name)
		require.Equal(t, want.devices, groups[g].Devices)
		require.Equal(t, want.stages, groups[g].Stages)
	}
	require.InDelta(t, 0.7, float64(groups[2].Share), 1e-12)
}

// TestMembership compares the groups that are computed from a configuration with what a running
// fleet's ledger and control port say of each device.
func TestMembership(t *testing.T) {
	for _, cfg := range []Config{
		{Devices: 50},
		{Devices: 97, Seed: 5, Groups: groupsOf(0.1, 0.3)},
		{Devices: 64, Seed: 7, Groups: groupsOf(0.25, 0.75)}, // nothing is left for the rest
	} {
		cfg.Addressing = address.Path
		f := startFleet(t, cfg)
		m := cfg.Membership()
		names := m.Names()
		sizes := make([]int, len(names))
		entries, err := f.Find(ledger.Query{All: true})
		require.NoError(t, err)
		for e := range entries {
			if !m.HasGroups() {
				require.Empty(t, e.Group)
				continue
			}
			require.Equal(t, e.Group, names[m.Of(e.Device)])
			d, err := f.Device(e.Device)
			require.NoError(t, err)
			require.Equal(t, d.Group, e.Group)
			sizes[m.Of(e.Device)]++
		}
		require.Equal(t, cfg.Seed, f.Status().Seed)
		for g, of := range f.Groups() {
			require.Equal(t, of.Name, names[g])
			require.Equal(t, of.Devices, m.Size(g))
			if m.HasGroups() {
				require.Equal(t, of.Devices, sizes[g])
			}
		}
		require.Len(t, names, len(f.Groups()))
	}
}

func TestAGroupIsGivenFaultsAndHealed(t *testing.T) {
	f := mixed(t, address.Path)
	client := newClient(t)
	answers := func(group string) (list []int) {
		for _, i := range membersOf(f, group) {
			status, _ := update{artifact: []byte("x")}.send(t, client, f.DeviceAddress(i))
			list = append(list, status)
		}
		return slices.Compact(list)
	}
	require.Equal(t, []int{500}, answers("broken"))
	require.NoError(t, f.SetGroupFaults("slow", behavior.Behavior{FailFirst: 1000, FailStatus: 418}))
	require.Equal(t, []int{418}, answers("slow"))
	require.Equal(t, []int{200}, answers("rest"))
	f.Reset()
	require.Equal(t, []int{418}, answers("slow"), "it outlives a reset")
	latency := delayOf(t, 1)
	require.NoError(t, f.SetGroupFaults("broken", behavior.Behavior{Latency: latency, FailFirst: 1}))
	require.NoError(t, f.Heal("broken"))
	require.Equal(t, []int{200}, answers("broken"))
	require.Equal(t, latency, f.Groups()[0].Behavior.Latency, "what isn't a fault stays")
	require.Zero(t, f.Groups()[0].Behavior.FailFirst)
	require.Equal(t, []int{418}, answers("slow"))
	require.NoError(t, f.Heal(behavior.AllGroups))
	require.Equal(t, []int{200}, answers(behavior.AllGroups))
	require.NoError(t, f.SetGroupFaults(behavior.AllGroups, withFaults(fault.Fault{Kind: "status-429"})))
	require.Equal(t, []int{429}, answers(behavior.AllGroups))
	one := membersOf(f, "slow")[0]
	require.NoError(t, f.HealDevice(one))
	status, _ := update{artifact: []byte("x")}.send(t, client, f.DeviceAddress(one))
	require.Equal(t, http.StatusOK, status)

	var bad *ConfigError
	require.ErrorAs(t, f.SetGroupFaults("fast", behavior.Behavior{}), &bad)
	require.Equal(t, `mockfleet: group: "fast": want one of all, broken, slow, rest`, bad.Error())
	require.ErrorAs(t, f.SetGroupFaults("slow", behavior.Behavior{FailStatus: 1}), &bad)
	require.ErrorAs(t, f.Heal("fast"), &bad)
	require.ErrorContains(t, f.HealDevice(50), "the fleet has devices 0 to 49")
}

func TestAShareIsTakenOffline(t *testing.T) {
	for _, a := range []address.Mode{address.IP, address.Port, address.Path} {
		t.Run(string(a), func(t *testing.T) {
			f := mixed(t, a)
			offline := func() (list []int) {
				for i := range f.Devices() {
					c, err := dialDevice(t, f, i)
					if err != nil {
						require.Contains(t, err.Error(), "connection re") // refused, or reset
						list = append(list, i)
						continue
					}
					c.send([]byte("GET " + path(f, i, "/health") + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
					answer, end := c.rest()
					require.NoError(t, c.Close())
					d, err := f.Device(i)
					require.NoError(t, err)
					require.Equal(t, d.Stage == ledger.StageOffline, answer == "")
					if answer == "" {
						require.Equal(t, "reset", end)
						list = append(list, i)
					}
				}
				return list
			}
			require.Empty(t, offline())
			set := func(group string, share random.Share) []int {
				count, err := f.SetOffline(group, share)
				require.NoError(t, err)
				list := offline()
				require.Len(t, list, count)
				return list
			}
			few := set(behavior.AllGroups, 0.1)
			require.Len(t, few, 5)
			more := set(behavior.AllGroups, 0.3)
			require.Len(t, more, 15)
			require.Subset(t, more, few)
			f.Reset()
			require.Equal(t, more, offline(), "it outlives a reset")
			require.Empty(t, set(behavior.AllGroups, 0))
			slow := set("slow", 0.5)
			require.Len(t, slow, 5)
			require.Subset(t, membersOf(f, "slow"), slow)
			require.NoError(t, f.Heal("slow"))
			require.Empty(t, offline())
			_, err := f.SetOffline("slow", 2)
			require.ErrorContains(t, err, "share: 2: want 0 to 1")
		})
	}
}

// TestAnOpenConnectionToAnOfflineDeviceIsReset checks that a connection that was open when its
// device went offline is reset when it is used again.
func TestAnOpenConnectionToAnOfflineDeviceIsReset(t *testing.T) {
	f := startFleet(t, Config{Devices: 1})
	c := mustDialDevice(t, f, 0)
	c.send([]byte(askHealth))
	_, err := c.Read(make([]byte, 1000))
	require.NoError(t, err)
	_, err = f.SetOffline(behavior.AllGroups, 1)
	require.NoError(t, err)
	c.send([]byte(askHealth))
	_, end := c.rest()
	require.Equal(t, "reset", end)
}

func groupsOf(shares ...random.Share) (list []behavior.Group) {
	for i, s := range shares {
		list = append(list, behavior.Group{Name: fmt.Sprintf("g%d", i), Share: s})
	}
	return list
}
