package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/internal/shell"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/scenarios"
)

// tokenVariable holds the control token of a fleet that somebody else started. It
// is no flag: flags are seen by everyone on the machine.
const tokenVariable = "FLEETMARK_FLEET_TOKEN"

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
	profileFleet bool
	noProgress   bool
	progress     string
}

func newRun(c cli.Console) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [SCENARIO|FILE.yaml ...]",
		Short: "Run scenarios (default: rollout) and compare them with the baseline",
		Example: `  fleetmark run
  fleetmark run throughput --workers 16 --size 4KiB
  fleetmark run --artifact firmware.bin --devices 50 --repeat 3
  fleetmark run my.yaml --set client.answer_timeout=2s --json`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 {
				names = []string{"rollout"}
			}
			return f.run(cmd, names, c)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	for _, s := range specFlags() {
		flags.String(s.name, "", s.usage)
	}
	flags.StringArrayVar(&f.sets, "set", nil, "KEY=VALUE: set any field of the scenario, such as load.workers=64")
	flags.StringVar(&f.fleet, "fleet", scenarios.FleetProcess, "process, inprocess, or the address of a fleet that is up")
	flags.StringVar(&f.control, "fleet-control", "", "that fleet's control port, for its ledger (token in "+tokenVariable+")")
	flags.StringVar(&f.devicesFrom, "devices-from", "", "drive the devices of this file: an address a line, and an ID if there is one")
	flags.BoolVar(&f.profileFleet, "profile-fleet", false, "profile the fleet's process too, into RUN/profiles/"+scenarios.FleetProfiles)
	flags.StringVar(&f.out, "out", "runs", "where run directories are made")
	flags.StringVar(&f.baseline, "baseline", "", "compare with this page, and fail if that can't be (default "+baseline.FileName+", where it is)")
	flags.BoolVar(&f.json, "json", false, "print a JSON object per scenario instead of the table")
	cli.AllFlag(flags, &f.all)
	flags.StringVar(&f.progress, "progress", string(progress.Auto), "how the run is shown on standard error: bars, lines, json (an object a second), none, or auto")
	flags.BoolVar(&f.noProgress, "no-progress", false, "show no progress, as --progress none does")
	return cmd
}

// run runs the scenarios one after another. Everything that can be refused is
// looked at before the first begins. The exit code is the worst one's.
func (f *runFlags) run(cmd *cobra.Command, names []string, c cli.Console) error {
	ctx := cmd.Context()
	if err := f.check(cmd); err != nil {
		return err
	}
	names, of, err := expand(names)
	if err != nil {
		return err
	}
	specs := make([]scenarios.Spec, len(names))
	for i, name := range names {
		if specs[i], err = f.spec(cmd, name); err != nil {
			return err
		}
	}
	runs := make([]scenarios.Options, len(specs))
	for i, spec := range specs {
		runs[i] = scenarios.Options{
			Spec: spec, ProfileFleet: f.profileFleet, Fleet: f.fleet, FleetControl: f.control, FleetToken: os.Getenv(tokenVariable),
			DevicesFrom: f.devicesFrom, Command: commandLine(os.Args[1:]),
		}
		if err := runs[i].Validate(); err != nil {
			return err
		}
	}
	base, missing, err := f.openBaseline()
	if err != nil {
		return err
	}
	s, err := newSession(ctx, c, f.out, f.form())
	if err != nil {
		return err
	}
	s.base = base
	if f.baseline != "" { // a judgement was asked for by name
		s.policy.Unjudged = judge.RequireVerdict
	}
	worst, err := f.measure(ctx, s, runs, of)
	if of != nil && len(of.rows) > 0 && !f.json {
		err = errors.Join(err, of.show(s.term))
	}
	if err != nil {
		return err
	}
	if missing != "" {
		_, _ = fmt.Fprintln(c.Err, "fleetmark:", missing) // a note, for a person
	}
	if code := cli.CodeOfVerdict(worst); code != cli.ExitPass {
		return &cli.ExitError{Code: code}
	}
	return nil
}

// measure runs and shows the scenarios, as far as it comes, and returns their worst verdict.
func (f *runFlags) measure(ctx context.Context, s *session, runs []scenarios.Options, of *suite) (results.Verdict, error) {
	var worst results.Verdict
	var unshown error
	for _, o := range runs {
		m, err := s.measure(ctx, o)
		code := m.codeOf(err)
		if m != nil {
			// A table that can't be written, as on a full disk, doesn't keep the
			// others from being measured. Then, whatever the verdicts, nobody heard
			// them: an error.
			if of == nil || f.json || m.Run.Status == results.StatusInterrupted {
				unshown = errors.Join(unshown, m.show(s.term, f.json, f.all, code))
			}
		}
		switch {
		case m != nil && m.Run.Status == results.StatusInterrupted:
			return "", errors.Join(&cli.ExitError{Code: cli.ExitInterrupted}, err) // the table has said it
		case err != nil:
			return "", errors.Join(m.broken(err), unshown)
		}
		if of != nil {
			of.add(m)
		}
		worst = results.Worst(worst, m.judgement.Verdict)
	}
	return worst, unshown
}

// check refuses flags that contradict each other, rather than leave one out of
// account.
func (f *runFlags) check(cmd *cobra.Command) error {
	if err := cli.RejectEmpty(cmd, "artifact", "fleet", "fleet-control", "devices-from", "out", "baseline"); err != nil {
		return err
	}
	changed := cmd.Flags().Changed
	if form := progress.Mode(f.progress); !form.Known() {
		return cli.Usagef("--progress %q: want auto, bars, lines, json or none", f.progress)
	}
	if f.noProgress && changed("progress") {
		return cli.Usagef("--progress and --no-progress: leave one of the two out")
	}
	if f.devicesFrom != "" {
		for _, name := range []string{"fleet", "fleet-control", "devices", "addressing"} {
			if changed(name) {
				return cli.Usagef("--%s and --devices-from: the file says which devices there are; leave one of the two out", name)
			}
		}
	}
	if f.control != "" && !f.outside() {
		return cli.Usagef("--fleet-control: the fleet of --fleet %s has a control port of its own; give an outside fleet's address in --fleet, or leave this out", f.fleet)
	}
	if changed("artifact") && changed("size") {
		return cli.Usagef("--artifact and --size: a file has the size that it has; leave one of the two out")
	}
	return nil
}

// form is how progress is shown.
func (f *runFlags) form() progress.Mode {
	if f.noProgress {
		return progress.None
	}
	return progress.Mode(f.progress)
}

// outside reports whether the fleet is one that somebody else started.
func (f *runFlags) outside() bool { return strings.Contains(f.fleet, "://") }

// spec is the scenario with the command line's changes.
func (f *runFlags) spec(cmd *cobra.Command, name string) (scenarios.Spec, error) {
	s, err := specWithFlags(cmd, name, f.sets)
	if err == nil && f.outside() && f.control == "" && s.Fleet.Addressing == "" {
		s.Fleet.Addressing = mockfleet.AddressPath // what any client can use, and so what an outside fleet has unless said otherwise
	}
	return s, err
}

// openBaseline reads the baseline before anything runs. One that isn't there is no
// error: the run goes on, and the second value says so. One that can't be read is.
func (f *runFlags) openBaseline() (*baseline.Page, string, error) {
	path := f.baseline
	if path == "" {
		path = baseline.FileName
	}
	base, err := baseline.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "baseline " + path + ": there is none: nothing to compare with; `fleetmark baseline` writes one", nil
	case err != nil:
		return nil, "", err
	}
	return base, "", nil
}

// commandLine is how the user may do this again.
func commandLine(args []string) string { return shell.Join(append([]string{"fleetmark"}, args...)...) }
