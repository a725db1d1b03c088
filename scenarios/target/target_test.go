package target

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestOpen opens a fleet of 40 devices in each place where devices can be.
func TestOpen(t *testing.T) {
	s := small()
	s.Fleet.Addressing, s.Fleet.TLS = address.Path, behavior.TLSGood
	outside, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	defer func() { require.NoError(t, outside.Close()) }()
	at := outside.Ready()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(at.CA)))
	trust := &tls.Config{RootCAs: roots}
	list := filepath.Join(t.TempDir(), "devices")
	require.NoError(t, os.WriteFile(list, []byte(outside.DeviceAddress(7)+"\n"), 0o600))
	for name, row := range map[string]struct {
		options    Options
		kind       string
		devices    int
		addressing address.Mode
		pid        bool
		witness    bool
		ca         bool
		exits      bool
	}{
		"usual":         {Options{Command: fleetCommand()}, OwnProcess, 40, "", true, true, true, true},
		"process":       {Options{Address: "process", Command: fleetCommand()}, OwnProcess, 40, "", true, true, true, true},
		"inprocess":     {Options{Address: "inprocess"}, InProcess, 40, "", false, true, true, false},
		"at an address": {Options{Address: at.Address}, Remote, 40, address.Path, false, false, false, false},
		"asked": {Options{Address: at.Address, Control: at.Control, Token: at.Token}, Remote, 40, address.Path,
			false, true, false, false},
		"listed": {Options{DeviceFile: list}, Listed, 1, "", false, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, row.options.Validate())
			f, err := Open(t.Context(), row.options, s, trust)
			require.NoError(t, err)
			require.Equal(t, row.kind, f.Kind())
			require.Equal(t, row.devices, f.Devices().Len())
			require.Equal(t, row.addressing, f.Addressing())
			require.Equal(t, []bool{row.pid, row.witness, row.ca, row.exits},
				[]bool{f.Pid() != 0, f.Witness() != nil, f.CA() != "", f.Exited() != nil})
			if w := f.Witness(); w != nil {
				status, err := w.Status(t.Context())
				require.NoError(t, err)
				require.EqualValues(t, 40, status.Devices)
				require.NoError(t, w.Reset(t.Context()))
				for e, err := range w.Ledger(t.Context()) {
					require.NoError(t, err)
					require.Zero(t, e.Applied)
				}
			}
			require.NoError(t, f.Close())
		})
	}
}

// TestOpen_groups checks which groups the devices have in each place where devices can be.
func TestOpen_groups(t *testing.T) {
	s := small()
	s.Fleet.Addressing = address.Path
	s.Fleet.Groups = []behavior.Group{{Name: "a", Share: 0.25}, {Name: "b", Share: 0.5}}
	cfg := s.FleetConfig()
	cfg.Seed, cfg.Devices = 99, 41
	outside, err := mockfleet.Start(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, outside.Close()) }()
	cfg.Groups = nil
	plain, err := mockfleet.Start(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, plain.Close()) }()
	at, plainAt := outside.Ready(), plain.Ready()
	list := filepath.Join(t.TempDir(), "devices")
	require.NoError(t, os.WriteFile(list, []byte(outside.DeviceAddress(7)+"\n"), 0o600))
	for name, row := range map[string]struct {
		options Options
		sizes   []int  // of groups a, b and the rest; nil if they aren't known
		unknown string // why they aren't
	}{
		"process":       {Options{Command: fleetCommand()}, []int{10, 20, 10}, ""},
		"inprocess":     {Options{Address: "inprocess"}, []int{10, 20, 10}, ""},
		"at an address": {Options{Address: at.Address}, nil, groupsUnasked},
		"asked":         {Options{Address: at.Address, Control: at.Control, Token: at.Token}, []int{10, 21, 10}, ""},
		"without": {Options{Address: plainAt.Address, Control: plainAt.Control, Token: plainAt.Token}, nil,
			groupsOfOther},
		"listed": {Options{DeviceFile: list}, nil, groupsOfList},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(t.Context(), row.options, s, nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, f.Close()) }()
			groups, unknown := f.Groups()
			require.Equal(t, row.unknown, unknown)
			if row.sizes == nil {
				require.Nil(t, groups)
				return
			}
			require.Equal(t, []string{"a", "b", "rest"}, groups.Names())
			for g, size := range row.sizes {
				require.Equal(t, size, groups.Size(g))
			}
			if f.Kind() == Remote {
				for i := range 41 {
					d, err := outside.Device(i)
					require.NoError(t, err)
					require.Equal(t, d.Group, groups.Names()[groups.Of(i)])
				}
			}
		})
	}
}

// TestOpen_shard opens shard 1 of 3 of a fleet of 41 devices in each place where devices can be. It
// has devices 1, 4, …, 40.
func TestOpen_shard(t *testing.T) {
	s := small()
	s.Fleet.Devices, s.Fleet.Addressing = 41, address.Path
	s.Fleet.Groups = []behavior.Group{{Name: "a", Share: 0.25}, {Name: "b", Share: 0.5}}
	whole := s.FleetConfig().Membership()
	s.Shard = scenarios.ShardSpec{Index: 1, Count: 3}
	outside, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	defer func() { require.NoError(t, outside.Close()) }()
	at := outside.Ready()
	asked := Options{Address: at.Address, Control: at.Control, Token: at.Token}
	for name, o := range map[string]Options{
		"process": {Command: fleetCommand()}, "inprocess": {Address: "inprocess"}, "at an address": {Address: at.Address},
		"asked": asked,
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(t.Context(), o, s, nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, f.Close()) }()
			groups, _ := f.Groups()
			require.Equal(t, 14, f.Devices().Len())
			for i := range 14 {
				d := f.Devices().At(i)
				require.Equal(t, address.DeviceID(1+3*i), d.ID)
				require.Regexp(t, `^http://127\.0\.0\.1:\d+/d/`+strconv.Itoa(i)+"$", d.Address)
				if groups != nil {
					require.Equal(t, whole.Of(1+3*i), groups.Of(i))
				}
			}
			require.Equal(t, name != "at an address", groups != nil)
		})
	}
	for want, change := range map[string]func(*scenarios.Spec){
		"it is shard 1/3, the scenario shard 2/3":                               func(s *scenarios.Spec) { s.Shard.Index = 2 },
		"it is shard 1/3, the scenario shard whole":                             func(s *scenarios.Spec) { s.Shard = scenarios.ShardSpec{} },
		"it is a shard of 41 devices, the scenario of 40: use fleet.devices 41": func(s *scenarios.Spec) { s.Fleet.Devices = 40 },
	} {
		s := s
		change(&s)
		_, err := Open(t.Context(), asked, s, nil)
		require.ErrorContains(t, err, want)
	}
	_, err = Open(t.Context(), Options{DeviceFile: "devices"}, s, nil)
	require.ErrorContains(t, err, "a list of devices has no shards")
}

// TestAskGroups checks that groups that contradict the fleet's seed aren't used.
func TestAskGroups(t *testing.T) {
	cfg := small().FleetConfig()
	cfg.Addressing, cfg.Groups = address.Path, []behavior.Group{{Name: "a", Share: 0.5}}
	fleet, err := mockfleet.Start(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, fleet.Close()) }()
	control, err := mockfleet.NewControl(fleet.Ready().Control, fleet.Ready().Token)
	require.NoError(t, err)
	defer control.Close()
	for name, row := range map[string]struct {
		change  func(*mockfleet.Status, []mockfleet.GroupStatus)
		unknown string
	}{
		"right":         {func(*mockfleet.Status, []mockfleet.GroupStatus) {}, ""},
		"other seed":    {func(s *mockfleet.Status, _ []mockfleet.GroupStatus) { s.Seed += 5 }, groupsUnclear},
		"other size":    {func(_ *mockfleet.Status, g []mockfleet.GroupStatus) { g[0].Devices-- }, groupsUnclear},
		"name in lines": {func(_ *mockfleet.Status, g []mockfleet.GroupStatus) { g[0].Name = "a,\nTag=b" }, groupsUnclear},
	} {
		status, groups := fleet.Status(), fleet.Groups()
		row.change(&status, groups)
		m, unknown, err := askGroups(t.Context(), control, status, groups)
		require.NoError(t, err, name)
		require.Equal(t, row.unknown, unknown, name)
		require.Equal(t, row.unknown == "", m != nil, name)
	}
}

// TestValidate checks the options that can be rejected without asking anybody.
func TestValidate(t *testing.T) {
	for _, row := range []struct {
		options Options
		option  string // the option that the error names
		says    string
	}{
		{Options{Address: "http://me:word@127.0.0.1:1"}, "Target.Address",
			"Target.Address: the address (not shown) holds a user or a password: want http://HOST:PORT"},
		{Options{Control: "http://me:word@127.0.0.1:1"}, "Target.Control",
			"Target.Control: the address (not shown) holds a user or a password: want http://HOST:PORT"},
		{Options{Address: "inprocess", Profile: true}, "Target.Profile",
			"Target.Profile: only a fleet in a process of its own is profiled"},
		{Options{DeviceFile: "devices", Profile: true}, "Target.Profile",
			"Target.Profile: only a fleet in a process of its own is profiled"},
	} {
		var refused *scenarios.OptionError
		require.ErrorAs(t, row.options.Validate(), &refused)
		require.Equal(t, row.option, refused.Option)
		require.EqualError(t, refused, row.says)
	}
	require.NoError(t, Options{Profile: true}.Validate())
	require.NoError(t, Options{Address: "process", Profile: true}.Validate())
	require.ErrorIs(t, Options{Address: "http://a", Profile: true}.Validate(), ErrNotProfiled)
}

// TestMayReboot checks that a device may break connections if it has a fault that reboots it, or an
// install time.
func TestMayReboot(t *testing.T) {
	install, err := random.Fixed(time.Second)
	require.NoError(t, err)
	living := behavior.Behavior{Life: behavior.InstallTimes{Install: install}}
	rebooting := behavior.Behavior{Faults: []fault.Fault{{Kind: "status-500"}, {Kind: "reboot"}}}
	for _, row := range []struct {
		config mockfleet.Config
		want   bool
	}{
		{mockfleet.Config{}, false},
		{mockfleet.Config{Behavior: behavior.Behavior{Faults: []fault.Fault{{Kind: "status-500"}}}}, false},
		{mockfleet.Config{Behavior: living}, true},
		{mockfleet.Config{Behavior: rebooting}, true},
		{mockfleet.Config{Groups: []behavior.Group{{}, {Behavior: rebooting}}}, true},
	} {
		require.Equal(t, row.want, mayReboot(row.config))
	}
}

// TestStartProfile checks that the profiles are of the fleet's process, and that they say how many
// operations they cover.
func TestStartProfile(t *testing.T) {
	p, err := StartProcess(t.Context(), fleetCommand(), small(), os.Stderr)
	require.NoError(t, err)
	dir := t.TempDir()
	stop, err := Profiler(p).StartProfile(t.Context(), dir, 3, map[string]string{"scenario": "small"})
	require.NoError(t, err)
	_, err = p.StartProfile(t.Context(), dir, 4, nil)
	require.EqualError(t, err, "profiling the fleet: want an order to profile, or one to stop after it")
	require.NoError(t, stop(7))
	require.EqualError(t, stop(7), "profiling the fleet: want an order to profile, or one to stop after it")
	for _, name := range []string{"cpu.3.pb.gz", "allocs.3.pb.gz", "trace.3.out"} {
		require.FileExists(t, filepath.Join(dir, name))
	}
	require.NoError(t, p.Close())
	require.ErrorIs(t, stop(7), ErrExited)
}

// TestOpen_network opens a fleet whose devices are in a network of their own, as a driver on
// another machine does: the fleet says over its control port which network that is.
func TestOpen_network(t *testing.T) {
	if address.DefaultMode() != address.IP {
		t.Skip("only Linux has addresses for all devices")
	}
	s := small()
	s.Fleet.Groups = []behavior.Group{{Name: "a", Share: 0.25}}
	cfg := s.FleetConfig()
	cfg.Addressing, cfg.Network, cfg.TLS = address.IP, netip.MustParsePrefix("127.88.0.0/24"), behavior.TLSGood
	outside, err := mockfleet.Start(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, outside.Close()) }()
	at := outside.Ready()
	base, err := url.Parse(at.Address)
	require.NoError(t, err)
	require.Equal(t, "127.88.0.1", base.Hostname(), "other machines reach this address, too")
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(at.CA)))
	trust := &tls.Config{RootCAs: roots}

	f, err := Open(t.Context(), Options{Address: at.Address, Control: at.Control, Token: at.Token}, s, trust)
	require.NoError(t, err)
	require.Equal(t, address.IP, f.Addressing())
	require.Equal(t, 40, f.Devices().Len())
	require.Equal(t, "https://127.88.0.1:"+base.Port(), f.Devices().At(0).Address)
	require.Equal(t, "https://127.88.0.40:"+base.Port(), f.Devices().At(39).Address)
	groups, unknown := f.Groups()
	require.Empty(t, unknown)
	require.Equal(t, 10, groups.Size(0))
	for i := range 40 {
		require.NoError(t, healthy(t.Context(), f.Devices().At(i).Address, time.Minute, trust))
	}
	require.NoError(t, f.Close())

	s.Fleet.Addressing = address.IP
	_, err = Open(t.Context(), Options{Address: at.Address}, s, trust)
	require.ErrorContains(t, err, "does not answer at https://127.1.0.0:")
	require.ErrorContains(t, err, "only with Target.Control can it be on a network of its own")
}
