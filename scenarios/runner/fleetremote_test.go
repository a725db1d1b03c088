package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/scenarios"
)

func TestReadDevices(t *testing.T) {
	list, err := ReadDevices("d", strings.NewReader("127.0.0.1:80\nhttps://[::1]:8443/x till-17\n"))
	require.NoError(t, err)
	require.Equal(t, []delivery.Device{{Address: "http://127.0.0.1:80"}, {ID: "till-17", Address: "https://[::1]:8443/x"}}, slices.Collect(list.All()))
	list, err = ReadDevices("d", strings.NewReader("\xff\xfea\x00:\x008\x000\x00\n\x00"))
	require.NoError(t, err, "UTF-16, as PowerShell writes it")
	require.Equal(t, []delivery.Device{{Address: "http://a:80"}}, slices.Collect(list.All()))
	for text, want := range map[string]string{
		"":                                  "devices d: holds no device",
		"# nobody\n":                        "devices d: holds no device",
		"127.0.0.1:80\nftp://x\n":           "devices d:2: device address",
		"127.0.0.1:80 a b\n":                "devices d:1: 3 words",
		"127.0.0.1:99999\n":                 "devices d:1: device address",
		"a\n" + strings.Repeat("x", 1<<17):  "devices d:2",
		"http://a:80\nb\nHTTP://A/\n":       "devices d:3: http://A/ is the device of line 1: want each once",
		"https://a/x\nhttps://a.:443/x/ id": "devices d:2: https://a.:443/x/ is the device of line 1",
		"[::1]:80\n[0:0:0:0:0:0:0:1]":       "devices d:2: http://[0:0:0:0:0:0:0:1] is the device of line 1",
		"127.0.0.1\n[::ffff:127.0.0.1]":     "devices d:2: http://[::ffff:127.0.0.1] is the device of line 1",
		"a/x\na/%78":                        "devices d:2: device address",
		"a/x#y":                             "devices d:1: device address",
	} {
		_, err := ReadDevices("d", strings.NewReader(text))
		require.ErrorContains(t, err, want)
	}
}

// Addresses that differ are of different devices, however alike they look.
func TestReadDevices_alike(t *testing.T) {
	list, err := ReadDevices("d", strings.NewReader("a/x/y\na/x\nA/X/y\nhttps://a/x/y\na:8080/x/y\n"))
	require.NoError(t, err)
	require.Equal(t, 5, list.Len())
}

// Lists come from editors and exports of all kinds.
func TestReadDevices_forms(t *testing.T) {
	list, err := ReadDevices("d", strings.NewReader("\ufeffHTTP://127.0.0.1:80 till#7 # the first\r\n#comment\r\n\t# another\r\nHttpS://a/x\t#z\r\na:81\r\na:82"))
	require.NoError(t, err)
	require.Equal(t, []delivery.Device{
		{ID: "till#7", Address: "http://127.0.0.1:80"}, {Address: "https://a/x"}, {Address: "http://a:81"}, {Address: "http://a:82"},
	}, slices.Collect(list.All()))
}

// Who can ask the control port needn't be told the addressing; who says another is told of it.
func TestAddressingIsAgreed(t *testing.T) {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled, s.Fleet.Devices = 1, 0, 0, 3
	for _, at := range []mockfleet.Addressing{mockfleet.AddressPath, mockfleet.AddressPort} {
		cfg := s.FleetConfig()
		cfg.Addressing = at
		f, err := mockfleet.Start(t.Context(), cfg)
		require.NoError(t, err)
		o := options(t, s)
		o.Fleet, o.FleetControl, o.FleetToken = f.Ready().Address, f.Ready().Control, f.Ready().Token
		res, err := Run(t.Context(), o)
		require.NoError(t, err)
		require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
		require.Equal(t, string(at), res.Run.Addressing)
		require.Equal(t, 3, res.Run.Counts.Updated)

		o.Spec.Fleet.Addressing = mockfleet.AddressIP
		_, err = Run(t.Context(), o)
		require.ErrorContains(t, err, fmt.Sprintf("it has %s addressing, the scenario ip: leave the addressing out, or start the fleet with --addressing ip", at))
		require.NoError(t, f.Close())
	}
}

func FuzzReadDevices(f *testing.F) {
	f.Add("127.0.0.1:80 till # x\n\nhttps://[::1]\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ReadDevices("d", strings.NewReader(text))
		if err != nil {
			return
		}
		require.Positive(t, list.Len())
		for d := range list.All() {
			require.NoError(t, d.Validate())
		}
	})
}

// TestNoSecretIsShown: an address with a password in it is refused before anything is
// written, and no error quotes it.
func TestNoSecretIsShown(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"fleet":                func(o *Options) { o.Fleet = "http://user:hunter2@127.0.0.1:1" },
		"fleet that can't be":  func(o *Options) { o.Fleet = "http://user:hunter2%zz@127.0.0.1:1" },
		"fleet without scheme": func(o *Options) { o.Fleet = "user:hunter2@127.0.0.1:1" },
		"control":              func(o *Options) { o.FleetControl = "http://user:hunter2@127.0.0.1:1" },
		"control that can't be": func(o *Options) {
			o.Fleet, o.FleetControl = "http://127.0.0.1:1", "http://user:hunter2@127.0.0.1:port"
		},
		"listed":                   func(o *Options) { o.DevicesFrom = "http://user:hunter2@127.0.0.1:80" },
		"listed, cut by a comment": func(o *Options) { o.DevicesFrom = "http://user:hunter2#@127.0.0.1:80" },
		"listed, no scheme":        func(o *Options) { o.DevicesFrom = "user:hunter2@127.0.0.1:80 till" },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, small())
			o.Command = "fleetmark run --fleet http://user:hunter2@127.0.0.1:1"
			change(&o)
			if o.DevicesFrom != "" {
				list := filepath.Join(t.TempDir(), "devices")
				require.NoError(t, os.WriteFile(list, []byte("127.0.0.1:80\n"+o.DevicesFrom+"\n"), 0o600))
				o.DevicesFrom = list
			}
			_, err := Run(t.Context(), o)
			require.ErrorAs(t, err, new(*scenarios.UsageError))
			require.ErrorContains(t, err, "user or a password")
			require.NotContains(t, err.Error(), "hunter2")
			require.NoDirExists(t, o.Out)
		})
	}
}
