package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/batch"
	"github.com/fleetmark/fleetmark/scenarios/exporter"
	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// tokenEnv names the environment variable with the control token of a fleet that somebody else
// started. There is no flag for it, since everybody on the machine can see a command's flags.
const tokenEnv = "FLEETMARK_FLEET_TOKEN"

// runFlags are the flags of run that are not fields of a scenario.
type runFlags struct {
	sets         []string
	fleet        string
	control      string
	devicesFrom  string
	out          string
	baseline     string
	json         bool
	all          bool
	by           report.By
	profileFleet bool
	noProgress   bool
	progress     string

	metrics       string // the address to serve metrics on; empty: none
	metricsLinger time.Duration

	agents agentsFlags
}

func newRun(c cli.Console) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [SCENARIO|FILE.yaml ...]",
		Short: "Run scenarios (default: rollout) and compare them with the baseline",
		Example: `  fleetmark run
  fleetmark run throughput --workers 16 --size 4KiB
  fleetmark run --artifact firmware.bin --devices 50 --repeat 3
  fleetmark run my.yaml --set client.answer_timeout=2s --json
  fleetmark run --agents 3 --local`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 {
				names = []string{"rollout"}
			}
			return f.run(cmd, names, c)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	for _, f := range scenarios.FlagFields() {
		flags.String(f.Flag, "", f.Usage)
	}
	flags.StringArrayVar(&f.sets, "set", nil, "KEY=VALUE: set any field of the scenario, such as load.workers=64")
	flags.StringVar(&f.fleet, "fleet", target.OwnProcess,
		"process, inprocess, or the address of a fleet that is up")
	flags.StringVar(&f.control, "fleet-control", "",
		"that fleet's control port, for its ledger (token in "+tokenEnv+")")
	flags.StringVar(&f.devicesFrom, "devices-from", "",
		"drive the devices of this file: an address a line, and an ID if there is one")
	flags.BoolVar(&f.profileFleet, "profile-fleet", false,
		"profile the fleet's process too, into RUN/profiles/"+target.ProfilesFolder)
	flags.StringVar(&f.out, "out", "runs", "where run directories are made")
	flags.StringVar(&f.baseline, "baseline", "",
		"compare with this page, and fail if that can't be (default "+baseline.FileName+", where it is)")
	flags.BoolVar(&f.json, "json", false, "print a JSON object per scenario instead of the table")
	cli.AllFlag(flags, &f.all)
	cli.ByFlag(flags, &f.by, "show the results of each part of a run, too: group or wave")
	flags.StringVar(&f.progress, "progress", string(progress.Auto),
		"how the run is shown on standard error: bars, lines, json (an object a second), none, or auto")
	flags.BoolVar(&f.noProgress, "no-progress", false, "show no progress, as --progress none does")
	flags.StringVar(&f.metrics, "metrics", "",
		"serve live metrics for Prometheus here, at "+exporter.Path+"; :9464 is port 9464 of 127.0.0.1")
	flags.DurationVar(&f.metricsLinger, "metrics-linger", 0,
		"how long the metrics are served after the last scenario, 10m0s at most")
	f.agents.addAgents(flags)
	return cmd
}

// maxMetricsLinger is the longest time for which metrics are served after the last scenario.
const maxMetricsLinger = 10 * time.Minute

// run runs the scenarios. Errors that can be found in advance are found before the first scenario
// begins. The worst verdict decides the exit code.
func (f *runFlags) run(cmd *cobra.Command, names []string, c cli.Console) (failed error) {
	if err := f.check(cmd); err != nil {
		return err
	}
	specs, suite, err := batch.Resolve(names)
	if err != nil {
		return err
	}
	list, err := f.options(cmd, specs, c)
	if err != nil {
		return err
	}
	base, missing, err := f.openBaseline()
	if err != nil {
		return err
	}
	mode := progress.Mode(f.progress)
	if f.noProgress {
		mode = progress.None
	}
	screen := progress.NewScreen(c.Err, mode)
	view := screen.View
	var done []*batch.Result
	if f.metrics != "" {
		stop, err := f.serveMetrics(cmd.Context(), list, &view, c)
		if err != nil {
			return err
		}
		defer func() { stop(len(done) > 0) }()
	}
	o, err := c.Batch(cmd.Context(), f.out, view)
	if err != nil {
		return err
	}
	if f.agents.o.Agents > 0 {
		noted := c
		noted.Err = screen // what is noted during the run doesn't destroy what is shown of it
		start, closeAgents, err := f.agents.open(cmd.Context(), f.out, noted)
		if err != nil {
			return err
		}
		defer func() { failed = errors.Join(failed, closeAgents()) }()
		o.Start = start
	}
	o.Baseline = base
	if f.baseline != "" { // a baseline that was named must be usable
		o.Policy.Unjudged = judge.RequireVerdict
	}
	var unshown error
	o.Done = func(r *batch.Result) {
		// A table that can't be written, as on a full disk, doesn't keep the other scenarios from
		// being measured. Nobody has seen the verdicts then, so whatever they are, that is an
		// error.
		if suite == "" || f.json || f.by != "" || r.Interrupted() {
			unshown = errors.Join(unshown, f.show(r, c))
		}
	}
	done, err = cli.RunBatch(cmd.Context(), o, list, "")
	err = errors.Join(err, unshown)
	if suite != "" && !f.json {
		err = errors.Join(err, showSuite(suite, done, c))
	}
	if err != nil {
		return err
	}
	if missing != "" {
		_, _ = fmt.Fprintln(c.Err, "fleetmark:", missing) // a note, for a person
	}
	var worst results.Verdict
	for _, r := range done {
		worst = results.Worst(worst, r.Judgement.Verdict)
	}
	return cli.VerdictError(worst, "")
}

// serveMetrics begins to serve the metrics of the scenarios in list, and has view pass on to them
// what it is told. stop ends that; if linger is set, after the time for which the metrics are to
// stay.
func (f *runFlags) serveMetrics(
	ctx context.Context, list []runner.Options, view *func() batch.View, c cli.Console,
) (stop func(linger bool), err error) {
	e := exporter.New()
	server, err := e.Listen(ctx, f.metrics)
	if err != nil {
		return nil, cli.Usagef("--metrics %s: %v", f.metrics, err)
	}
	note := func(format string, args ...any) {
		_, _ = fmt.Fprintf(c.Err, "fleetmark: "+format+"\n", args...) // for a person
	}
	note("metrics: %s", server.URL())
	if !server.Loopback() {
		note("--metrics %s: other machines can read the metrics, without a password", f.metrics)
	}
	for i := range list {
		e.Attach(&list[i])
	}
	shown := *view
	*view = func() batch.View {
		v := shown()
		return exportedView{e.Observer(v), v}
	}
	return func(linger bool) {
		if linger && f.metricsLinger > 0 && ctx.Err() == nil {
			note("metrics: served for %v more", f.metricsLinger)
			select {
			case <-time.After(f.metricsLinger):
			case <-ctx.Done():
			}
		}
		if err := server.Close(); err != nil {
			note("%v", err)
		}
	}, nil
}

// An exportedView is a view whose observer also tells an exporter.
type exportedView struct {
	runner.Observer
	view batch.View
}

// Close implements batch.View.
func (v exportedView) Close() { v.view.Close() }

// check returns an error for flags that contradict each other, so that none is silently ignored.
func (f *runFlags) check(cmd *cobra.Command) error {
	err := cli.RejectEmpty(cmd, "artifact", "fleet", "fleet-control", "devices-from", "out", "baseline", "metrics")
	if err != nil {
		return err
	}
	if err := cli.CheckBy(f.by); err != nil {
		return err
	}
	if err := f.agents.check(cmd); err != nil {
		return err
	}
	if f.by != "" && f.json {
		return cli.Usagef("--by and --json: the object has all groups and waves; leave --by out")
	}
	changed := cmd.Flags().Changed
	if mode := progress.Mode(f.progress); !mode.Known() {
		return cli.Usagef("--progress %q: want auto, bars, lines, json or none", f.progress)
	}
	if f.noProgress && changed("progress") {
		return cli.Usagef("--progress and --no-progress: leave one of the two out")
	}
	if f.devicesFrom != "" {
		for _, name := range []string{"fleet", "fleet-control", "devices", "addressing"} {
			if changed(name) {
				return cli.Usagef("--%s and --devices-from: the file says which devices there are; "+
					"leave one of the two out",
					name)
			}
		}
	}
	if f.control != "" && !f.remoteFleet() {
		return cli.Usagef("--fleet-control: the fleet of --fleet %s has a control port of its own; "+
			"give an outside fleet's address in --fleet, or leave this out", f.fleet)
	}
	if f.metrics != "" {
		if _, _, err := exporter.SplitAddress(f.metrics); err != nil {
			return cli.Usagef("--metrics %q: %v", f.metrics, err)
		}
	} else if changed("metrics-linger") {
		return cli.Usagef("--metrics-linger: no metrics are served; add --metrics ADDRESS, or leave this out")
	}
	if f.metricsLinger < 0 || f.metricsLinger > maxMetricsLinger {
		return cli.Usagef("--metrics-linger %v: want 0s to %v", f.metricsLinger, maxMetricsLinger)
	}
	if changed("artifact") && changed("size") {
		return cli.Usagef("--artifact and --size: a file has the size that it has; leave one of the two out")
	}
	return nil
}

// remoteFleet reports whether somebody else started the fleet.
func (f *runFlags) remoteFleet() bool { return strings.Contains(f.fleet, "://") }

// options returns the options of each scenario of the batch, with the changes of the command line.
func (f *runFlags) options(cmd *cobra.Command, specs []scenarios.Spec, c cli.Console) ([]runner.Options, error) {
	list := make([]runner.Options, len(specs))
	for i, s := range specs {
		s, typed, err := specWithFlags(cmd, s, f.sets)
		if err != nil {
			return nil, err
		}
		if f.remoteFleet() && f.control == "" && s.Fleet.Addressing == "" {
			s.Fleet.Addressing = address.Path // any client can use this addressing, so it is a remote fleet's default
		}
		list[i] = runner.Options{
			Spec: s, Command: c.CommandLine(), Target: target.Options{
				Address: f.fleet, Control: f.control, Token: os.Getenv(tokenEnv), DeviceFile: f.devicesFrom, Profile: f.profileFleet,
			},
		}
		checked := list[i]
		if n := f.agents.o.Agents; n > 0 {
			checked.Spec.Shard = scenarios.ShardSpec{Count: n}
		}
		if err := typed.rephrase(checked.Validate()); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// openBaseline reads the baseline. If there is none, it returns nil and a note that says so; the
// run needs none.
func (f *runFlags) openBaseline() (*baseline.Page, string, error) {
	path := cmp.Or(f.baseline, baseline.FileName)
	base, err := baseline.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		missing := "baseline " + path + ": there is none: nothing to compare with; `fleetmark baseline` writes one"
		return nil, missing, nil
	}
	return base, "", err
}

// show prints a run, as tables or as a JSON object with the exit code. It says on standard error if
// operations failed, since a run whose operations failed may still exit 0.
func (f *runFlags) show(r *batch.Result, c cli.Console) error {
	if failures := r.Document.Results[0].Failures(); failures != "" {
		_, _ = fmt.Fprintln(c.Err, "fleetmark:", plaintext.Line(failures)) // a note; the run directory has it all
	}
	r.Document.ExitCode = cli.CodeOf(cmp.Or(cli.EndError(r, ""), cli.VerdictError(r.Judgement.Verdict, "")))
	outputs, err := cli.Render(r.Document, cli.PrintedForm(c.Out, f.json, f.all), cli.ByForm(c.Out, f.by))
	if err != nil {
		return err
	}
	for i := range outputs[1:] { // the tables by part are a paragraph of their own
		outputs[i+1].Data = append([]byte("\n"), outputs[i+1].Data...)
	}
	return c.Write(outputs)
}

// showSuite prints a table of those scenarios of a suite that ran to their end, if there are any.
func showSuite(name string, done []*batch.Result, c cli.Console) error {
	var rows batch.Suite
	for _, r := range done {
		if r.Err == nil && !r.Interrupted() {
			rows = append(rows, r.SuiteRow())
		}
	}
	if len(rows) == 0 {
		return nil
	}
	var page bytes.Buffer
	if err := rows.Write(&page, cli.TableStyle(c.Out)); err != nil {
		return err
	}
	passed, took := rows.Totals()
	fmt.Fprintf(&page, "\n%s: %d of %d passed in %s\n", name, passed, len(rows), took.Round(100*time.Millisecond))
	_, err := c.Out.Write(page.Bytes())
	return err
}
