package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

func newFleet(c cli.Console) *cobra.Command {
	var cfg mockfleet.Config
	var addressing, scenario, network, shard string
	var driven, quiet bool
	cmd := &cobra.Command{
		Use:   "fleet --devices N",
		Short: "Run the simulated devices alone, for any HTTP client",
		Long: `Runs simulated devices until it is interrupted. The first line on standard output
is JSON: where the devices are, where the control port is, and its token (drawn, or
what FLEETMARK_FLEET_TOKEN holds). How the fleet does is shown on standard error.

With path addressing device 7 is at ADDRESS/d/7; with port addressing at ADDRESS
with the port plus 7; with ip addressing (Linux) at 127.1.0.7 and the same port.
Every address is a loopback address unless --allow-remote is given.

With --device-network 10.64.0.0/10 and --allow-remote, device 7 is at 10.64.0.8, for
drivers on other machines. The addresses must be this machine's own: sudo ip route add
local 10.64.0.0/10 dev lo (see "Devices on a network" in the documentation).

A session with curl:

  export FLEETMARK_FLEET_TOKEN=$(head -c 16 /dev/urandom | sha256sum | cut -c1-32)
  fleetmark fleet --devices 1000 --addressing path \
      --listen 127.0.0.1:8080 --control-listen 127.0.0.1:8081 &

  # Update device 7, and see what it runs.
  curl --data-binary @firmware.bin -H 'X-Update-Version: 2.0.0' http://127.0.0.1:8080/d/7/update
  curl http://127.0.0.1:8080/d/7/version

  # Everything else is the control port's.
  control() { curl -sS -H "Authorization: Bearer $FLEETMARK_FLEET_TOKEN" "$@"; }
  at=http://127.0.0.1:8081
  control $at/fleet                                         # counts, and whether it keeps up
  control $at/groups                                        # who is in which stage
  control -X PUT -d '{"faults": [{"kind": "status-503", "first": 2}]}' $at/groups/all/faults
  control -X PUT -d '{"share": "10%"}' $at/groups/all/offline
  control -X POST $at/groups/all/heal
  control "$at/ledger?has=applied&limit=3"                  # what devices saw, a JSON object a line
  control $at/ledger/summary
  control $at/metrics                                       # for Prometheus
  control -X POST $at/reset
  kill %1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			defer lowerGCPercent()()
			if driven {
				err := target.Serve(cmd.Context(), c.In, c.Out)
				if errors.Is(err, target.ErrNotDriven) {
					err = fmt.Errorf("fleet --driven: %w", err)
				}
				return err
			}
			if scenario != "" {
				s, err := scenarios.Find(scenario)
				if err != nil {
					return err
				}
				from := s.FleetConfig()
				cfg.Behavior, cfg.Groups = from.Behavior, from.Groups
				cfg.Shard = from.Shard
				if !cmd.Flags().Changed("devices") {
					cfg.Devices = from.Devices
				}
				if addressing == "" {
					cfg.Addressing = from.Addressing
				}
				if !cmd.Flags().Changed("seed") {
					cfg.Seed = from.Seed
				}
			}
			if addressing != "" {
				a, err := address.ParseMode(addressing)
				if err != nil {
					return cli.Usagef("--addressing %v", err)
				}
				cfg.Addressing = a
			}
			var err error
			if cfg.Network, err = deviceNetwork(network); err != nil {
				return err
			}
			if shard != "" {
				s, err := address.ParseShard(shard)
				if err != nil {
					return cli.Usagef("--shard %v", err)
				}
				cfg.Shard = s
			}
			cfg.Token = mockfleet.Secret(os.Getenv(tokenEnv))
			return serve(cmd, cfg, quiet, c)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&cfg.Devices, "devices", 100, "how many devices")
	flags.StringVar(&shard, "shard", "",
		"have only this part of the devices: INDEX/COUNT, such as 0/4 for the first of four")
	flags.StringVar(&cfg.Listen, "listen", "127.0.0.1:0", "host:port of the devices (port 0: any that is free)")
	flags.StringVar(&addressing, "addressing", "", "ip, port or path (default ip on Linux, else path)")
	flags.StringVar(&network, address.NetworkField, "",
		"give devices the addresses of this network (a `CIDR`), with ip addressing (default 127.0.0.0/8)")
	flags.StringVar(&scenario, "scenario", "", "behave as in this scenario: a name or a file")
	flags.StringVar(&cfg.ControlListen, "control-listen", "127.0.0.1:0", "host:port of the control port")
	flags.Uint64Var(&cfg.Seed, "seed", 1, "of the devices' behavior")
	flags.StringVar((*string)(&cfg.TLS), "tls", "",
		"speak TLS: good, expired, wrong-name, unknown-ca, tls-1.1 or stall; the first line has the CA")
	flags.BoolVar(&cfg.AllowRemote, "allow-remote", false,
		"let other machines in: listen on addresses that aren't loopback")
	flags.StringVar(&cfg.InitialVersion, "initial-version", "",
		"the version that every device starts with (default 1.0.0)")
	flags.IntVar(&cfg.MaxConnections, "max-connections", 0,
		"open connections at most (default 65536, or what the descriptor limit allows)")
	flags.BoolVar(&quiet, "no-progress", false, "don't show how the fleet does")
	flags.BoolVar(&driven, "driven", false, "take orders on standard input and end with it")
	if err := flags.MarkHidden("driven"); err != nil { // it is defined right above
		panic(err)
	}
	return cmd
}

// deviceNetwork returns the network that --device-network names, or the zero Prefix if text is
// empty.
func deviceNetwork(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, cli.Usagef("--%s %q: want an IPv4 network such as 10.64.0.0/10", address.NetworkField, text)
	}
	if bad, ok := errors.AsType[*mockfleet.ConfigError](address.CheckNetwork(p)); ok {
		return p, cli.Usagef("--%s %s: want %s", address.NetworkField, text, bad.Want)
	}
	return p, nil
}

// lowerGCPercent makes the garbage collector run when the garbage is half as large as live memory,
// unless GOGC is set. It returns a function that restores the old percentage. A fleet's live memory
// is its devices, an array without pointers that costs a collection nothing; waiting for as much
// garbage as that would double the memory of a million devices.
func lowerGCPercent() (restore func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(50)
	return func() { debug.SetGCPercent(before) }
}

// serve runs a fleet until the command's context ends.
func serve(cmd *cobra.Command, cfg mockfleet.Config, quiet bool, c cli.Console) error {
	f, err := mockfleet.Start(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(c.Out).Encode(f.Ready()); err != nil {
		return errors.Join(err, f.Close())
	}
	_, _ = fmt.Fprintf(c.Err, "%d devices, the first at %s; Ctrl-C ends them\n",
		f.Devices(), f.DeviceAddress(0)) // a note for a person
	progress.WatchFleet(cmd.Context(), f, c.Err, quiet)
	return f.Close()
}
