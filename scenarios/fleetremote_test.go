package scenarios

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

func TestReadDevices(t *testing.T) {
	list, err := ReadDevices("d", strings.NewReader("127.0.0.1:80\nhttps://[::1]:8443/x till-17\n"))
	require.NoError(t, err)
	require.Equal(t, []delivery.Device{{Address: "http://127.0.0.1:80"}, {ID: "till-17", Address: "https://[::1]:8443/x"}}, slices.Collect(list.All()))
	for text, want := range map[string]string{
		"":                                 "devices d: holds no device",
		"# nobody\n":                       "devices d: holds no device",
		"127.0.0.1:80\nftp://x\n":          "devices d:2: device address",
		"127.0.0.1:80 a b\n":               "devices d:1: 3 words",
		"127.0.0.1:99999\n":                "devices d:1: device address",
		"a\n" + strings.Repeat("x", 1<<17): "devices d:2",
	} {
		_, err := ReadDevices("d", strings.NewReader(text))
		require.ErrorContains(t, err, want)
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
			require.ErrorAs(t, err, new(*UsageError))
			require.ErrorContains(t, err, "user or a password")
			require.NotContains(t, err.Error(), "hunter2")
			require.NoDirExists(t, o.Out)
		})
	}
}
