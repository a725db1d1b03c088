package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// tokenVariable holds the control token of a fleet that somebody else started. It
// is no flag: flags are seen by everyone on the machine.
const tokenVariable = "FLEETMARK_FLEET_TOKEN"

// runFlags are the flags of run that are not fields of a scenario.
type runFlags struct {
	sets        []string
	fleet       string
	control     string
	devicesFrom string
	out         string
	baseline    string
	json        bool
	noProgress  bool
}

// specFlags are the flags that stand for a field of the scenario.
func specFlags() []struct{ flag, field, usage string } {
	return []struct{ flag, field, usage string }{
		{"devices", "fleet.devices", "how many devices"},
		{"addressing", "fleet.addressing", "how a device is told from another: ip, port or path (default ip on Linux, else path)"},
		{"artifact", "artifact.file", "push this file"},
		{"size", "artifact.size", "push this much made from the seed, such as 64KiB"},
		{"transport", "client.transport", "lean or nethttp"},
		{"workers", "load.workers", "operations at the same time, at most"},
		{"rate", "load.rate", "operations per second planned, such as 500/s, whatever the answers (an open model)"},
		{"duration", "load.duration", "how long a repetition lasts, such as 5s (0s: each device once)"},
		{"repeat", "repetitions", "timed repetitions"},
		{"warmup", "warmup", "repetitions before them that aren't recorded"},
		{"profiled", "profiled", "repetitions after them that are profiled and not timed"},
		{"seed", "seed", "of the artifact, the devices' behaviour and the retries"},
	}
}

func newRun(c console) *cobra.Command {
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
		flags.String(s.flag, "", s.usage)
	}
	flags.StringArrayVar(&f.sets, "set", nil, "KEY=VALUE: set any field of the scenario, such as load.workers=64")
	flags.StringVar(&f.fleet, "fleet", scenarios.FleetProcess, "process, inprocess, or the address of a fleet that is up")
	flags.StringVar(&f.control, "fleet-control", "", "that fleet's control port, for its ledger (token in "+tokenVariable+")")
	flags.StringVar(&f.devicesFrom, "devices-from", "", "drive the devices of this file: an address a line, and an ID if there is one")
	flags.StringVar(&f.out, "out", "runs", "where run directories are made")
	flags.StringVar(&f.baseline, "baseline", "", "compare with this page, and fail if that can't be (default "+results.BaselineFile+", where it is)")
	flags.BoolVar(&f.json, "json", false, "print a JSON object per scenario instead of the table")
	flags.BoolVar(&f.noProgress, "no-progress", false, "show no progress")
	return cmd
}

// run runs the scenarios one after another. Everything that can be refused is
// looked at before the first begins. The exit code is the worst one's.
func (f *runFlags) run(cmd *cobra.Command, names []string, c console) error {
	specs := make([]scenarios.Spec, len(names))
	for i, name := range names {
		var err error
		if specs[i], err = f.spec(cmd, name); err != nil {
			return err
		}
	}
	base, missing, err := f.openBaseline()
	if err != nil {
		return err
	}
	machine, err := results.ThisMachine(cmd.Context())
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	s := session{
		runFlags: f, term: c, base: base, machine: machine,
		program: program, revision: revision(cmd.Context()), command: commandLine(os.Args[1:]),
	}
	worst := exitPass
	for _, spec := range specs {
		code, err := s.scenario(cmd.Context(), spec)
		if err != nil {
			return err
		}
		if rank(code) > rank(worst) {
			worst = code
		}
	}
	if missing != "" {
		_, _ = fmt.Fprintln(c.err, "fleetmark:", missing) // a note, for a person
	}
	if worst != exitPass {
		return &exitError{code: worst}
	}
	return nil
}

// rank orders exit codes by how much they say: that nothing can be believed before
// that something is worse before that nobody knows.
func rank(code int) int {
	for i, c := range []int{exitPass, exitInconclusive, exitRegressed, exitInvalid, exitInterrupted} {
		if c == code {
			return i
		}
	}
	return 0
}

// spec is a scenario with the command line's changes. A mistake in a changed field
// is told in the words of the flag that changed it.
func (f *runFlags) spec(cmd *cobra.Command, name string) (scenarios.Spec, error) {
	s, err := scenarios.Find(name)
	if err != nil {
		return s, err
	}
	changed := map[string]string{} // field to flag
	var errs []error
	for _, flag := range specFlags() {
		if !cmd.Flags().Changed(flag.flag) {
			continue
		}
		value := cmd.Flags().Lookup(flag.flag).Value.String()
		changed[flag.field] = "--" + flag.flag
		errs = append(errs, inFlagsWords(s.Set(flag.field+"="+value), changed))
		if flag.field == "load.rate" {
			s.Load.Model = scenarios.Constant
		}
	}
	for _, set := range f.sets {
		errs = append(errs, s.Set(set))
	}
	if strings.Contains(f.fleet, "://") && s.Fleet.Addressing == "" {
		s.Fleet.Addressing = "path" // what any client can use, and so what an outside fleet has unless said otherwise
	}
	if err := errors.Join(errs...); err != nil {
		return s, err
	}
	return s, inFlagsWords(s.Validate(), changed)
}

func inFlagsWords(err error, flags map[string]string) error {
	if err == nil {
		return nil
	}
	var all []error
	for _, e := range flatten(err) {
		if mistake, ok := errors.AsType[*scenarios.SpecError](e); ok && flags[mistake.Field] != "" {
			e = &scenarios.UsageError{What: flags[mistake.Field] + " " + mistake.Problem}
		}
		all = append(all, e)
	}
	return errors.Join(all...)
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// openBaseline reads the baseline before anything runs. One that isn't there is no
// error: the run goes on, and the second value says so. One that can't be read is.
func (f *runFlags) openBaseline() (*results.Baseline, string, error) {
	path := f.baseline
	if path == "" {
		path = results.BaselineFile
	}
	base, err := results.ReadBaseline(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "baseline " + path + ": there is none: nothing to compare with; `fleetmark baseline` writes one", nil
	case err != nil:
		return nil, "", err
	}
	return base, "", nil
}

// demanded: a judgement was asked for by name.
func (f *runFlags) demanded() bool { return f.baseline != "" }

// commandLine is how the user may do this again.
func commandLine(args []string) string {
	words := make([]string, 0, len(args)+1)
	words = append(words, "fleetmark")
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\$`*?[]{}()<>|&;#~!") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}
