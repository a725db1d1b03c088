package cluster

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// named returns an agent of the role both that is free.
func named(name string) Info {
	return Info{Protocol: protocol, Name: name, Instance: "of-" + name, Role: Both, Host: "host-" + name}
}

func with(i Info, change func(*Info)) Info {
	change(&i)
	return i
}

func TestChoose(t *testing.T) {
	network := netip.MustParsePrefix("10.64.0.0/10")
	fleet := func(name string) Info { return with(named(name), func(i *Info) { i.Role = Fleet }) }
	driver := func(name string) Info { return with(named(name), func(i *Info) { i.Role = Driver }) }
	for _, row := range []struct {
		name    string
		agents  int
		network netip.Prefix
		there   []Info
		want    string // names of the drivers / of the fleets
		err     string // part of the error
		few     string // what is said if these are all
	}{
		{name: "as many as needed", agents: 2, there: []Info{named("a"), named("b")}, want: "a, b / "},
		{
			name: "one less", agents: 3, there: []Info{named("a"), named("b")}, want: "a, b / ",
			few: "2 of 3 agents came within 1m0s (a, b)",
		},
		{name: "none", agents: 1, want: " / ", few: "0 of 1 agent came within 1m0s"},
		{
			name: "one more", agents: 1, there: []Info{named("a"), named("b")},
			err: "2 agents are there (a, b) and --agents is 1: end those that are not to take part, or say --agents 2",
		},
		{
			name: "one is busy", agents: 2,
			there: []Info{named("a"), with(named("b"), func(i *Info) { i.Busy = "4f2a" })}, want: "a / ",
			few: "1 of 2 agents came within 1m0s (a); b takes part in run 4f2a",
		},
		{
			name: "one name twice", agents: 2, there: []Info{named("a"), with(named("a"), func(i *Info) { i.Host = "other" })},
			err: "two agents have the name a, on host-a and on other: give one another with --name",
		},
		{
			name: "another protocol", agents: 1, there: []Info{with(named("a"), func(i *Info) { i.Protocol = 7 })},
			err: "agent a on host-a speaks protocol 7, this program 1: use the same version of fleetmark",
		},
		{
			name: "apart", agents: 2, network: network,
			there: []Info{driver("a"), driver("b"), fleet("x"), fleet("y")}, want: "a, b / x, y",
		},
		{
			name: "apart, one fleet less", agents: 2, network: network, there: []Info{driver("a"), driver("b"), fleet("x")},
			want: "a, b / x", few: "2 of 2 agents came within 1m0s (a, b), and 1 of 2 that are fleets (x)",
		},
		{
			name: "one that drives nobody's devices", agents: 1, there: []Info{driver("a")}, want: " / ",
			few: "0 of 1 agent came within 1m0s; a has the role driver, which this run has no use for",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &Controller{Options: Options{Agents: row.agents, Wait: time.Minute, Network: row.network}}
			r, err := c.choose(row.there)
			if row.err != "" {
				require.EqualError(t, err, row.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.want, nameList(r.drivers)+" / "+nameList(r.fleets))
			if row.few != "" {
				require.Equal(t, row.few, c.tooFew(r, row.there, "came within 1m0s"))
			}
		})
	}
}

func TestNameList(t *testing.T) {
	var list []Info
	for _, name := range strings.Split("abcdefghij", "") {
		list = append(list, named(name))
	}
	require.Equal(t, "a, b, c, d, e, f, g, h, and 2 more", nameList(list))
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "rack-7_b": true, "0": true, strings.Repeat("x", 63): true,
		"": false, "-a": false, "a.b": false, "a b": false, "a*": false, "a>": false,
		strings.Repeat("x", 64): false, "a/b": false,
	} {
		require.Equal(t, ok, CheckName(name) == nil, "%q", name)
	}
}
