package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/scenarios/batch"
	"github.com/fleetmark/fleetmark/scenarios/cluster"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// agentsFlags are the flags of run that are about agents.
type agentsFlags struct {
	busFlags
	local   bool
	listen  string
	network string
	o       cluster.Options

	started *cluster.LocalAgents // of --local, once they are started; else nil
}

func (f *agentsFlags) addAgents(flags *pflag.FlagSet) {
	flags.IntVar(&f.o.Agents, "agents", 0, "have so many agents do the run together, each its share; see fleetmark agent")
	flags.BoolVar(&f.local, "local", false, "start the agents on this machine")
	flags.StringVar(&f.listen, "cluster-listen", "", "where agents find this program (default "+bus.DefaultAddress+")")
	f.add(flags)
	flags.DurationVar(&f.o.Wait, "agents-wait", time.Minute, "how long to wait for the agents to come")
	flags.DurationVar(&f.o.Lease, "lease", 5*time.Second, "how long an agent may be silent before it counts as lost")
	flags.StringVar(&f.network, "device-network", "",
		"have as many further agents be the devices, each with an address of this network")
}

// check returns an error for flags that contradict each other, or that need --agents.
func (f *agentsFlags) check(cmd *cobra.Command) error {
	changed := cmd.Flags().Changed
	if !changed("agents") {
		for _, name := range []string{
			"local", "cluster-listen", "nats", "keys", "creds", "agents-wait", "lease", "device-network",
		} {
			if changed(name) {
				return cli.Usagef("--%s is for a run with agents: say how many with --agents, or leave it out", name)
			}
		}
		return nil
	}
	if err := cli.RejectEmpty(cmd, "cluster-listen", "nats", "keys", "creds", "device-network"); err != nil {
		return err
	}
	for _, name := range []string{"fleet", "fleet-control", "devices-from", "profile-fleet"} {
		if changed(name) {
			return cli.Usagef("--%s and --agents: each agent has its own fleet; leave one of the two out", name)
		}
	}
	for _, of := range [][2]string{
		{"local", "nats"}, {"local", "cluster-listen"}, {"local", "keys"}, {"local", "device-network"},
		{"nats", "cluster-listen"},
	} {
		if changed(of[0]) && changed(of[1]) {
			return cli.Usagef("--%s and --%s: leave one of the two out", of[0], of[1])
		}
	}
	if changed("creds") && !changed("nats") {
		return cli.Usagef("--creds is for a NATS cluster that others run: say which with --nats, or leave it out")
	}
	if f.network != "" {
		var err error
		if f.o.Network, err = netip.ParsePrefix(f.network); err != nil {
			return cli.Usagef("--device-network %q: want an IPv4 network such as 10.64.0.0/10", f.network)
		}
	}
	if f.o.Wait == 0 || f.o.Lease == 0 { // in Options, 0 is the default
		return cli.Usagef("--agents-wait and --lease: want more than 0s")
	}
	if err := f.o.Validate(); err != nil {
		return cli.Usagef("%v", err)
	}
	return nil
}

// open opens what runs with agents need. start begins a run, and end ends everything.
func (f *agentsFlags) open(ctx context.Context, out string, c cli.Console) (
	start func(context.Context, runner.Options) (batch.Running, error), end func() error, err error,
) {
	var closers []func() error
	closeAll := func() error {
		var all error
		for i := len(closers) - 1; i >= 0; i-- {
			all = errors.Join(all, closers[i]())
		}
		return all
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll())
		}
	}()
	conn, closeBus, err := f.openBus(ctx, out, c)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, closeBus)
	o := f.o
	if o.Host, err = os.Hostname(); err != nil {
		o.Host = "unknown"
	}
	o.Note = func(line string) { _, _ = fmt.Fprintln(c.Err, "fleetmark:", line) } // for a person
	controller, err := cluster.NewController(ctx, conn, o)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, o runner.Options) (batch.Running, error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		if f.started != nil { // nobody waits for an agent that has ended
			defer f.started.WhenEnded(cancel)()
		}
		r, err := controller.Start(ctx, o)
		if err != nil {
			return nil, err // don't return r, since a nil *Running isn't a nil Running
		}
		return r, nil
	}, closeAll, nil
}

// openBus connects to NATS, which it starts unless the flags say where it is. It starts the agents
// that are to be on this machine.
func (f *agentsFlags) openBus(ctx context.Context, out string, c cli.Console) (
	_ *nats.Conn, _ func() error, err error,
) {
	if f.nats != "" {
		conn, err := bus.Connect(ctx, f.connect(f.nats, bus.Controller, "controller", os.Getenv(clusterTokenEnv), c))
		if err != nil {
			return nil, nil, err
		}
		return conn, func() error { conn.Close(); return nil }, nil
	}
	o := bus.ServerOptions{Listen: f.listen, Keys: f.keys, Token: os.Getenv(clusterTokenEnv)}
	if f.local {
		o.Listen, o.Token = "127.0.0.1:0", newToken()
	}
	server, err := bus.Serve(o)
	if err != nil {
		return nil, nil, err
	}
	conn, err := server.Connect(ctx, f.connect(server.URL(), bus.Controller, "controller", o.Token, c))
	if err != nil {
		return nil, nil, errors.Join(err, server.Close())
	}
	closeAll := func() error { conn.Close(); return server.Close() }
	if !f.local {
		_, _ = fmt.Fprintf(c.Err, "fleetmark: agents join at %s\n", server.Addr()) // for a person
		return conn, closeAll, nil
	}
	command, err := agentCommand(server.Addr(), out)
	if err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	if f.started, err = cluster.StartLocal(command, f.o.Agents, o.Token, c.Err); err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return conn, func() error { return errors.Join(f.started.Close(), closeAll()) }, nil
}

// agentCommand returns the program and arguments that start this program as an agent, but for its
// name.
func agentCommand(address, out string) ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{program, "agent", "--join", address, "--out", out, "--with-parent", "--name"}, nil
}

// newToken returns a random word.
func newToken() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never returns an error
	return hex.EncodeToString(b)
}
