package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestAddressingIsAgreed checks that a run learns the addressing from the fleet's control port, and
// that a scenario with another addressing is an error.
func TestAddressingIsAgreed(t *testing.T) {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled, s.Fleet.Devices = 1, 0, 0, 3
	for _, at := range []address.Mode{address.Path, address.Port} {
		cfg := s.FleetConfig()
		cfg.Addressing = at
		f, err := mockfleet.Start(t.Context(), cfg)
		require.NoError(t, err)
		o := options(t, s)
		o.Target.Address, o.Target.Control, o.Target.Token = f.Ready().Address, f.Ready().Control, f.Ready().Token
		res, err := Run(t.Context(), o)
		require.NoError(t, err)
		require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
		require.Equal(t, string(at), res.Run.Addressing)
		require.Equal(t, 3, res.Run.Counts.Updated)

		o.Spec.Fleet.Addressing = address.IP
		_, err = Run(t.Context(), o)
		require.ErrorContains(t, err, fmt.Sprintf("it has %s addressing, the scenario ip: leave the addressing out, or start the fleet with fleet.addressing ip", at))
		require.NoError(t, f.Close())
	}
}

// TestNoSecretIsShown checks that an address with a password is rejected before anything is
// written, and that no error quotes it.
func TestNoSecretIsShown(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"fleet":                func(o *Options) { o.Target.Address = "http://user:hunter2@127.0.0.1:1" },
		"fleet that can't be":  func(o *Options) { o.Target.Address = "http://user:hunter2%zz@127.0.0.1:1" },
		"fleet without scheme": func(o *Options) { o.Target.Address = "user:hunter2@127.0.0.1:1" },
		"control":              func(o *Options) { o.Target.Control = "http://user:hunter2@127.0.0.1:1" },
		"control that can't be": func(o *Options) {
			o.Target.Address, o.Target.Control = "http://127.0.0.1:1", "http://user:hunter2@127.0.0.1:port"
		},
		"listed":                   func(o *Options) { o.Target.DeviceFile = "http://user:hunter2@127.0.0.1:80" },
		"listed, cut by a comment": func(o *Options) { o.Target.DeviceFile = "http://user:hunter2#@127.0.0.1:80" },
		"listed, no scheme":        func(o *Options) { o.Target.DeviceFile = "user:hunter2@127.0.0.1:80 till" },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, small())
			o.Command = "fleetmark run --fleet http://user:hunter2@127.0.0.1:1"
			change(&o)
			if o.Target.DeviceFile != "" {
				list := filepath.Join(t.TempDir(), "devices")
				require.NoError(t, os.WriteFile(list, []byte("127.0.0.1:80\n"+o.Target.DeviceFile+"\n"), 0o600))
				o.Target.DeviceFile = list
			}
			_, err := Run(t.Context(), o)
			if o.Target.DeviceFile == "" {
				require.ErrorAs(t, err, new(*scenarios.OptionError))
			}
			require.ErrorContains(t, err, "user or a password")
			require.NotContains(t, err.Error(), "hunter2")
			require.NoDirExists(t, o.Out)
		})
	}
}
