package app

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/scenarios/cluster"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
	"github.com/fleetmark/fleetmark/scenarios/doctor"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// clusterTokenEnv names the environment variable with the token of a NATS server that has no keys.
const clusterTokenEnv = "FLEETMARK_CLUSTER_TOKEN"

// A busFlags are the flags that say where NATS is, and who one is there.
type busFlags struct{ nats, keys, creds string }

func (f *busFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.nats, "nats", "", "the NATS cluster that carries the messages, such as tls://nats.example.com:4222")
	flags.StringVar(&f.keys, "keys", "", "directory of the keys that fleetmark cluster keys has made")
	flags.StringVar(&f.creds, "creds", "", "a .creds file, for a NATS cluster with accounts of its own")
}

// connect returns the options of a connection to url.
func (f *busFlags) connect(url string, role bus.Role, name, token string, c cli.Console) bus.ConnectOptions {
	note := func(err error) { _, _ = fmt.Fprintln(c.Err, "fleetmark:", err) } // for a person
	return bus.ConnectOptions{
		URL: url, Keys: f.keys, Creds: f.creds, Token: token, Role: role, Name: name,
		OnError: note, OnState: func(connected bool, err error) {
			switch {
			case err != nil:
				note(err)
			case connected:
				note(fmt.Errorf("connected to NATS again"))
			}
		},
	}
}

func newAgent(c cli.Console) *cobra.Command {
	var f busFlags
	var join, network, listen string
	var withParent bool
	o := cluster.AgentOptions{Role: cluster.Both}
	cmd := &cobra.Command{
		Use:   "agent [--join HOST:PORT | --nats URL]",
		Short: "Take part in runs of fleetmark run --agents, from this machine",
		Long: `Waits for a controller, which is fleetmark run --agents N on this machine or another,
and does its part of each run: it drives its share of the devices, which it starts
itself, or with --role driver or fleet one of the two. It keeps a run directory of its
own for each run.

It finds the controller's own server at HOST:PORT (--join), or both meet in a NATS
cluster (--nats). It waits until the server is there. Another machine's server needs
keys, which fleetmark cluster keys makes.`,
		Example: `  fleetmark agent
  fleetmark agent --join controller.example.com:4242 --keys keys
  fleetmark agent --nats tls://nats.example.com:4222 --creds agent.creds --name rack-7`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.RejectEmpty(cmd, "nats", "join", "keys", "creds", "name", "out"); err != nil {
				return err
			}
			if f.nats != "" && cmd.Flags().Changed("join") {
				return cli.Usagef("--nats and --join: leave one of the two out")
			}
			if f.creds != "" && f.nats == "" {
				return cli.Usagef("--creds is for a NATS cluster that others run: say which with --nats, or leave it out")
			}
			var err error
			if network != "" {
				if o.Network, err = netip.ParsePrefix(network); err != nil {
					return cli.Usagef("--device-network %q: want an IPv4 network such as 10.64.0.0/10", network)
				}
			}
			if listen != "" {
				if o.Listen, err = netip.ParseAddr(listen); err != nil {
					return cli.Usagef("--listen %q: want an IP address of this machine", listen)
				}
			}
			url := f.nats
			if url == "" {
				url = urlOf(join, f.keys != "")
			}
			ctx, token := cmd.Context(), os.Getenv(clusterTokenEnv)
			if withParent {
				orders := bufio.NewReader(c.In)
				line, err := orders.ReadBytes('\n')
				var order cluster.LocalOrder
				if err = cmp.Or(err, json.Unmarshal(line, &order)); err != nil {
					return cli.Usagef("--with-parent is for run --local, which starts such agents: %v", err)
				}
				var cancel context.CancelFunc
				ctx, cancel = context.WithCancel(ctx)
				defer cancel()
				go func() { // ends with the parent, or with this process
					_, _ = io.Copy(io.Discard, orders)
					cancel()
				}()
				token = order.Token
			} else {
				o.Note = func(line string) {
					_, _ = fmt.Fprintf(c.Err, "%s %s\n", time.Now().Format(time.TimeOnly), line) // for a person
				}
				if o.Facts, err = unfit(ctx, o.Network); err != nil {
					return err
				}
			}
			return serveAgent(ctx, o, f.connect(url, bus.Agent, o.Name, token, c), c)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&join, "join", bus.DefaultAddress, "HOST:PORT of the controller, as in its --cluster-listen")
	f.add(flags)
	flags.StringVar(&o.Name, "name", "", "name of this agent, another for each (default the machine's name)")
	flags.StringVar((*string)(&o.Role), "role", string(cluster.Both),
		"both, driver or fleet: whether it drives devices, is the devices that a driver drives, or both over loopback")
	flags.StringVar(&network, "device-network", "", "for --role fleet: the network of all devices, as for the controller")
	flags.StringVar(&listen, "listen", "",
		"for --role fleet: the address of this machine for the driver (default: that towards the server)")
	flags.StringVar(&o.Out, "out", "runs", "where run directories are made")
	flags.IntVar(&o.Runs, "runs", 0, "end after so many runs; 0 is never")
	flags.BoolVar(&withParent, "with-parent", false, "end when standard input ends")
	if err := flags.MarkHidden("with-parent"); err != nil { // it is defined right above
		panic(err)
	}
	return cmd
}

// unfit returns a line for each setting of this machine that makes it less fit to measure on. Runs
// note them.
func unfit(ctx context.Context, network netip.Prefix) (lines []string, err error) {
	facts, err := doctor.GatherSettings(ctx, network)
	if err != nil {
		return nil, err
	}
	for _, check := range doctor.ExamineSettings(facts, doctorAdvice()) {
		if check.State == doctor.Warning || check.State == doctor.Problem {
			lines = append(lines, check.String())
		}
	}
	return lines, nil
}

// urlOf returns the URL of a controller's own server.
func urlOf(address string, keys bool) string {
	if keys {
		return "tls://" + address
	}
	return "nats://" + address
}

// serveAgent is an agent until ctx ends.
func serveAgent(ctx context.Context, o cluster.AgentOptions, connect bus.ConnectOptions, c cli.Console) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	o.Host, o.Name = host, cmp.Or(o.Name, nameOf(host))
	b, err := c.Batch(ctx, o.Out, nil)
	if err != nil {
		return err
	}
	o.Revision, o.Machine, o.Client = b.Revision, b.Machine, cluster.ClientName(b.RunnerOptions())
	o.Options = func() runner.Options { return b.RunnerOptions() }
	if err := o.Validate(); err != nil {
		return cli.Usagef("%v", err)
	}
	connect.Wait, connect.Name = true, o.Name
	conn, err := bus.Connect(ctx, connect)
	if ctx.Err() != nil {
		return nil // it was ended, as agents are
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	return cluster.ServeAgent(ctx, conn, o)
}

// notOfNames are the characters that names of agents don't have.
var notOfNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// nameOf returns the name of an agent on a machine.
func nameOf(host string) string {
	host, _, _ = strings.Cut(host, ".")
	name := strings.Trim(notOfNames.ReplaceAllString(host, "-"), "-_")
	return cmp.Or(name[:min(len(name), 63)], "agent")
}
