package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/scenarios"
)

func newFleet(c console) *cobra.Command {
	var cfg mockfleet.Config
	var addressing, scenario string
	var driven bool
	cmd := &cobra.Command{
		Use:   "fleet --devices N",
		Short: "Run the simulated devices alone, for any HTTP client",
		Long: `Runs simulated devices until it is interrupted. The first line on standard output
is JSON: where the devices are, where the control port is, and its token.

With path addressing device 7 is at ADDRESS/d/7; with port addressing at ADDRESS
with the port plus 7; with ip addressing (Linux) at 127.1.0.7 and the same port.
Every address is a loopback address unless --allow-remote is given.

A session with curl:

  fleetmark fleet --devices 10 --addressing path --listen 127.0.0.1:8080 &
  curl --data-binary @firmware.bin -H 'X-Update-Version: 2.0.0' http://127.0.0.1:8080/d/7/update
  curl http://127.0.0.1:8080/d/7/version
  curl -H "Authorization: Bearer $TOKEN" $CONTROL/ledger`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if driven {
				return scenarios.ServeFleet(cmd.Context(), c.in, c.out)
			}
			if scenario != "" {
				s, err := scenarios.Find(scenario)
				if err != nil {
					return err
				}
				from := s.FleetConfig()
				cfg.Behavior = from.Behavior
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
				a, err := mockfleet.ParseAddressing(addressing)
				if err != nil {
					return &exitError{exitUsage, fmt.Sprintf("--addressing %v", err)}
				}
				cfg.Addressing = a
			}
			return serve(cmd, cfg, c)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&cfg.Devices, "devices", 100, "how many devices")
	flags.StringVar(&cfg.Listen, "listen", "127.0.0.1:0", "host:port of the devices (port 0: any that is free)")
	flags.StringVar(&addressing, "addressing", "", "ip, port or path (default ip on Linux, else path)")
	flags.StringVar(&scenario, "scenario", "", "behave as in this scenario: a name or a file")
	flags.StringVar(&cfg.ControlListen, "control-listen", "127.0.0.1:0", "host:port of the control port")
	flags.Uint64Var(&cfg.Seed, "seed", 1, "of the devices' behaviour")
	flags.StringVar((*string)(&cfg.TLS), "tls", "", "speak TLS: good, expired, wrong-name, unknown-ca, tls-1.1 or stall; the first line has the CA")
	flags.BoolVar(&cfg.AllowRemote, "allow-remote", false, "let other machines in: listen on addresses that aren't loopback")
	flags.BoolVar(&driven, "driven", false, "take orders on standard input and end with it")
	if err := flags.MarkHidden("driven"); err != nil { // it is defined right above
		panic(err)
	}
	return cmd
}

// serve runs a fleet until the context ends.
func serve(cmd *cobra.Command, cfg mockfleet.Config, c console) error {
	f, err := mockfleet.Start(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(c.out).Encode(f.Ready()); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(c.err, "%d devices, the first at %s; Ctrl-C ends them\n", f.Devices(), f.DeviceAddress(0)) // for a person, if there is one
	<-cmd.Context().Done()
	return f.Close()
}
