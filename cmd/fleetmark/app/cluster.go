package app

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
)

func newCluster(c cli.Console) *cobra.Command {
	return cli.Group("cluster", "Prepare runs on more than one machine", newClusterKeys(c))
}

func newClusterKeys(c cli.Console) *cobra.Command {
	o := bus.KeyOptions{For: bus.DefaultKeyLife}
	cmd := &cobra.Command{
		Use: "keys DIR", Args: cobra.ExactArgs(1),
		Short: "Make the keys with which a controller and its agents recognize each other",
		Long: `Makes the keys with which a controller and its agents recognize each other: an authority,
certificates that it signs, a nkey for each role, and a configuration for a nats-server
of your own. Then it says which files go to which machine. It prints no key.

A controller that listens on the network takes only agents with a key of the same set.
The keys end after --for; make a new set in a new directory then.

It never replaces a file. If one of the files exists, it writes none.`,
		Example: `  fleetmark cluster keys keys --host bench-1.example.com --host 192.0.2.7
  fleetmark cluster keys keys --host bench-1 --for 720h`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if dir == "" {
				return cli.Usagef("DIR is empty: give the directory for the keys")
			}
			if err := cli.CheckBetween("for", o.For, time.Hour, bus.MaxKeyLife); err != nil {
				return err
			}
			if err := bus.MakeKeys(dir, o); err != nil {
				return err
			}
			return printKeys(c, dir, o)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.Hosts, "host", nil,
		"a name or IP address under which agents reach the controller, or the nats-server; may be repeated "+
			"(this machine's own names for itself are always there)")
	flags.DurationVar(&o.For, "for", o.For, "how long the keys are valid, from 1h to 17520h (two years)")
	return cmd
}

// printKeys prints which files of a set go where. It reads none of them.
func printKeys(c cli.Console, dir string, o bus.KeyOptions) error {
	var b strings.Builder
	fmt.Fprintf(&b, "made keys in %s, valid for %v\n\n", dir, o.For)
	for _, machine := range []struct {
		role bus.Role
		name string
	}{
		{bus.Controller, "on the controller's machine"},
		{bus.Agent, "on each agent's machine"},
		{bus.NATS, "with a nats-server of your own, if you have one"},
	} {
		fmt.Fprintf(&b, "%s:\n  %s\n", machine.name, strings.Join(bus.Bundle(machine.role), " "))
	}
	fmt.Fprintf(&b, "\nFiles that end in .key or .nk are secret. No machine needs %s: keep it or remove it.\n",
		filepath.Join(dir, "ca.key"))
	_, err := c.Out.Write([]byte(b.String()))
	return err
}
