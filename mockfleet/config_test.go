package mockfleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

func TestValidateNamesEveryBadField(t *testing.T) {
	good := Config{Devices: 1, Addressing: address.Path}
	tests := map[string]struct {
		change func(*Config)
		want   []string // a line for each error; empty if the Config is valid
	}{
		"the least":     {func(*Config) {}, nil},
		"the most":      {func(c *Config) { c.Devices = 16_711_679 }, nil},
		"the most ips":  {func(c *Config) { c.Devices, c.Addressing = 16_711_679, address.IP }, nil},
		"the most port": {func(c *Config) { c.Devices, c.Addressing = 5000, address.Port }, nil},
		"localhost":     {func(c *Config) { c.Listen = "localhost:0" }, nil},
		"IPv6":          {func(c *Config) { c.Listen = "[::1]:80" }, nil},
		"remote":        {func(c *Config) { c.Listen, c.ControlListen, c.AllowRemote = ":80", "192.0.2.1:1", true }, nil},
		"no devices": {func(c *Config) { c.Devices = 0 },
			[]string{"devices: 0: want 1 to 16711679 devices in path addressing"}},
		"fewer":    {func(c *Config) { c.Devices = -1 }, []string{"devices: -1: want 1 to"}},
		"too many": {func(c *Config) { c.Devices = 16_711_680 }, []string{"devices: 16711680: want 1 to 16711679"}},
		"too many ports": {func(c *Config) { c.Devices, c.Addressing = 5001, address.Port },
			[]string{"devices: 5001: want 1 to 5000 devices in port addressing; ip and path addressing hold up to 16711679"}},
		"the most of shards": {func(c *Config) { c.Devices, c.Shard = 100_000_000, address.Shard{Index: 5, Count: 6} }, nil},
		"the only shard":     {func(c *Config) { c.Shard = address.Shard{Count: 1} }, nil},
		"too many of shards": {func(c *Config) { c.Devices, c.Shard = 100_000_001, address.Shard{Count: 4096} },
			[]string{"devices: 100000001: want 4096 to 100000000 devices in 4096 shards in path addressing"}},
		"too many of ports": {func(c *Config) { c.Devices, c.Shard, c.Addressing = 15_001, address.Shard{Count: 3}, address.Port },
			[]string{"devices: 15001: want 3 to 15000 devices in 3 shards in port addressing"}},
		"an empty shard": {func(c *Config) { c.Devices, c.Shard = 2, address.Shard{Count: 3} },
			[]string{"devices: 2: want 3 to"}},
		"no such shard": {func(c *Config) { c.Shard = address.Shard{Index: 3, Count: 3} },
			[]string{"shard.index: 3: want 0 to 2, one below the count"}},
		"a shard of none":  {func(c *Config) { c.Shard = address.Shard{Index: 1} }, []string{"shard.index: 1: want 0 to 0"}},
		"a negative shard": {func(c *Config) { c.Shard = address.Shard{Index: -1, Count: 2} }, []string{"shard.index: -1: want 0 to 1"}},
		"too many shards": {func(c *Config) { c.Devices, c.Shard = 5000, address.Shard{Count: 4097} },
			[]string{"shard.count: 4097: want 1 to 4096, or 0 for the whole fleet"}},
		"the most of a network": {func(c *Config) {
			c.Devices, c.Addressing, c.Network = 62, address.IP, netip.MustParsePrefix("127.9.0.64/26")
		}, nil},
		"too many for a network": {func(c *Config) {
			c.Devices, c.Addressing, c.Network = 63, address.IP, netip.MustParsePrefix("127.9.0.64/26")
		}, []string{"devices: 63: want 1 to 62 devices in the network 127.9.0.64/26"}},
		"shards of a network": {func(c *Config) {
			c.Devices, c.Shard = 187, address.Shard{Index: 2, Count: 3}
			c.Addressing, c.Network = address.IP, netip.MustParsePrefix("127.9.0.64/26")
		}, []string{"devices: 187: want 3 to 186 devices in 3 shards in the network 127.9.0.64/26"}},
		"network": {func(c *Config) { c.Addressing, c.Network = address.IP, netip.MustParsePrefix("10.64.0.1/10") },
			[]string{"device-network: 10.64.0.1/10: want 10.64.0.0/10, the network that this address is in"}},
		"network of one address": {func(c *Config) { c.Network = netip.MustParsePrefix("10.64.0.0/10") },
			[]string{"device-network: 10.64.0.0/10: want ip addressing"}},
		"network of others": {func(c *Config) { c.Addressing, c.Network = address.IP, netip.MustParsePrefix("10.64.0.0/10") },
			[]string{"device-network: 10.64.0.0/10: want remote access allowed"}},
		"addressing": {func(c *Config) { c.Addressing = "IP" }, []string{`addressing: "IP": want ip, port or path`}},
		"no port":    {func(c *Config) { c.Listen = "127.0.0.1" }, []string{`listen: "127.0.0.1": want HOST:PORT`}},
		"a large port": {func(c *Config) { c.Listen = "127.0.0.1:65536" },
			[]string{`listen: "127.0.0.1:65536": want HOST:PORT`}},
		"a host name": {func(c *Config) { c.Listen = "device.example:80" },
			[]string{`listen: "device.example:80": want HOST:PORT, an IP address`}},
		"not loopback": {func(c *Config) { c.Listen = "192.0.2.1:80" },
			[]string{`listen: "192.0.2.1:80": want a loopback address`}},
		"every address": {func(c *Config) { c.ControlListen = ":80" },
			[]string{`control-listen: ":80": want a loopback address`}},
		"version": {func(c *Config) { c.InitialVersion = "1\n" },
			[]string{`initial-version: "1\n": want 1 to 128 bytes`}},
		"spaced": {func(c *Config) { c.InitialVersion = "1.0 " },
			[]string{`initial-version: "1.0 ": want 1 to 128 bytes of UTF-8 without control characters or space`}},
		"C1": {func(c *Config) { c.InitialVersion = "1\u009b0" },
			[]string{`initial-version: "1\u009b0": want 1 to 128 bytes`}},
		"beyond C1":    {func(c *Config) { c.InitialVersion = "1\u00a00" }, nil},
		"long version": {func(c *Config) { c.InitialVersion = strings.Repeat("1", 129) }, []string{"initial-version"}},
		"token":        {func(c *Config) { c.Token = "a secret" }, []string{"token: [redacted]: want up to 512 visible"}},
		"connections":  {func(c *Config) { c.MaxConnections = -1 }, []string{"max-connections: -1: want 0 to"}},
		"capacity": {func(c *Config) { c.Capacity = -1 },
			[]string{"capacity: -1: want updates a second from 0 to 1000000"}},
		"behavior": {func(c *Config) { c.Behavior = behavior.Behavior{FailStatus: 200} }, []string{"fail_status: 200: want"}},
		"everything": {func(c *Config) {
			*c = Config{Devices: -1, Listen: "x", ControlListen: "y", InitialVersion: "\x00", MaxConnections: -1,
				Behavior: behavior.Behavior{FailFirst: -1, FailStatus: 1}}
		}, []string{"devices", "listen", "control-listen", "initial-version", "fail_first", "fail_status",
			"max-connections"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := good
			test.change(&cfg)
			err := cfg.Validate()
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			var bad *ConfigError
			require.ErrorAs(t, err, &bad)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(test.want))
			for i, line := range lines {
				require.True(t, strings.HasPrefix(line, "mockfleet: "+test.want[i]), line)
			}
			_, err = Start(t.Context(), cfg)
			require.ErrorAs(t, err, &bad)
		})
	}
}

func TestAddressing(t *testing.T) {
	const base = "http://127.0.0.1:8080"
	tests := []struct {
		addressing address.Mode
		device     int
		want       string // "" if there is an error
	}{
		{address.IP, 0, "http://127.1.0.0:8080"},
		{address.IP, 255, "http://127.1.0.255:8080"},
		{address.IP, 256, "http://127.1.1.0:8080"},
		{address.IP, 65536, "http://127.2.0.0:8080"},
		{address.IP, 16_711_678, "http://127.255.255.254:8080"},
		{address.IP, 16_711_679, ""},
		{address.IP, -1, ""},
		{address.Port, 0, "http://127.0.0.1:8080"},
		{address.Port, 4999, "http://127.0.0.1:13079"},
		{address.Port, 5000, ""},
		{address.Path, 0, "http://127.0.0.1:8080/d/0"},
		{address.Path, 16_711_678, "http://127.0.0.1:8080/d/16711678"},
		{address.Path, 16_711_679, ""},
		{"other", 0, ""},
	}
	for _, test := range tests {
		got, err := address.DeviceAddress(base, test.addressing, netip.Prefix{}, test.device)
		require.Equal(t, test.want, got)
		require.Equal(t, test.want == "", err != nil)
	}
	for _, bad := range []string{"", "127.0.0.1:80", "http://localhost:80", "http://127.0.0.1", "http://127.0.0.1:65536",
		"http://[::1"} {
		_, err := address.DeviceAddress(bad, address.Path, netip.Prefix{}, 0)
		require.Error(t, err, bad)
	}
	_, err := address.DeviceAddress("http://127.0.0.1:65535", address.Port, netip.Prefix{}, 1)
	require.ErrorContains(t, err, "port 65536 is beyond 65535")
	v6, err := address.DeviceAddress("http://[::1]:80", address.Port, netip.Prefix{}, 2)
	require.NoError(t, err)
	require.Equal(t, "http://[::1]:82", v6)

	for _, i := range []int{0, 1, 255, 256, 70_000, 16_711_678} {
		require.Equal(t, i, address.DeviceOfIP(netip.Prefix{}, address.DeviceIP(netip.Prefix{}, i)))
	}
	require.Equal(t, "device-00000042", address.DeviceID(42))
	require.Equal(t, "device-16711678", address.DeviceID(16_711_678))

	want := address.Path
	if runtime.GOOS == "linux" {
		want = address.IP
	}
	require.Equal(t, want, address.DefaultMode())
	for _, a := range []address.Mode{address.IP, address.Port, address.Path} {
		got, err := address.ParseMode(string(a))
		require.NoError(t, err)
		require.Equal(t, a, got)
	}
	_, err = address.ParseMode("")
	require.Error(t, err)
}

func TestAFleetHasNoDevicesBeyondItsIndices(t *testing.T) {
	f := startFleet(t, Config{Devices: 2, Addressing: address.Path})
	require.Empty(t, f.DeviceAddress(-1))
	require.Empty(t, f.DeviceAddress(2))
	_, err := f.Device(2)
	require.EqualError(t, err, "mockfleet: device 2: the fleet has devices 0 to 1")
	require.Error(t, f.SetFaults(-1, behavior.Behavior{}))
	require.Error(t, f.SetFaults(0, behavior.Behavior{FailStatus: 1}))
	client := newClient(t)
	for _, path := range []string{"/d/2/version", "/d/00/version", "/d/-1/version", "/d/1x/version", "/d//version",
		"/d/99999999999999999999/version", "/version", "/d/1"} {
		response, err := client.Get(f.Ready().Address + path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, 404, response.StatusCode, path)
	}
}

func TestABehaviorSurvivesARoundTrip(t *testing.T) {
	const asJSON = `{"latency":"lognormal(p50=5ms, p99=50ms)","fail_first":2,"fail_status":500}`
	latency, err := random.ParseDuration("lognormal(p50=5ms, p99=50ms)")
	require.NoError(t, err)
	want := behavior.Behavior{Latency: latency, FailFirst: 2, FailStatus: 500}

	var got behavior.Behavior
	require.NoError(t, json.Unmarshal([]byte(asJSON), &got))
	require.Equal(t, want, got)
	written, err := json.Marshal(want)
	require.NoError(t, err)
	require.Equal(t, asJSON, string(written))

	got = behavior.Behavior{}
	require.NoError(t, yaml.UnmarshalWithOptions([]byte("latency: lognormal(p50=5ms, p99=50ms)\nfail_first: 2\nfail_status: 500\n"), &got, yaml.Strict()))
	require.Equal(t, want, got)
	written, err = yaml.Marshal(want)
	require.NoError(t, err)
	got = behavior.Behavior{}
	require.NoError(t, yaml.Unmarshal(written, &got))
	require.Equal(t, want, got)

	require.Error(t, yaml.Unmarshal([]byte("latency: sometimes\n"), &got))
}

func TestAConfigErrorShowsItsCause(t *testing.T) {
	cause := errors.New("cause")
	err := fmt.Errorf("outer: %w", &ConfigError{Field: "listen", Value: "v", Want: "w", Err: cause})
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "outer: mockfleet: listen: v: cause: w")
}
