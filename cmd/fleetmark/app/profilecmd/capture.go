package profilecmd

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
)

// AuthorizationVariable is the environment variable with the Authorization header for the profiled
// service. A flag wouldn't do, since every user of the machine can read a process's arguments.
const AuthorizationVariable = "FLEETMARK_PROFILE_AUTHORIZATION"

func newCapture(c cli.Console) *cobra.Command {
	var cfg capture.RemoteConfig
	var kinds []string
	dir, repetition, operations := "profiles", 1, int64(0)
	cmd := &cobra.Command{
		Use: "capture URL", Short: "Take profiles of any running Go service that serves net/http/pprof",
		Long: `Takes profiles of a running Go service, all over the same time, and writes them as those of a run: DIR/KIND.N.pb.gz.
URL is where it serves net/http/pprof, such as http://127.0.0.1:6060/debug/pprof. If it wants an Authorization header,
put that into ` + AuthorizationVariable + `. With --operations the profiles say of how many operations they are, and can be
held against others by diff and explain; for explain, capture several times, with --repetition 1, 2, 3 and so on.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, k := range kinds {
				kind, err := profiles.ParseKind(k)
				if err != nil {
					return cli.Usagef("--kind %v", err)
				}
				cfg.Kinds = append(cfg.Kinds, kind)
			}
			if operations < 0 {
				return cli.Usagef("--operations %d: want 1 or more, or none", operations)
			}
			if operations > 0 {
				cfg.Labels = map[string]string{profiles.OperationsLabel: fmt.Sprint(operations)}
			}
			cfg.Authorization = os.Getenv(AuthorizationVariable)
			client := &http.Client{
				Transport: &http.Transport{DisableKeepAlives: true},
				// The header authorizes requests to this address, not to one that it redirects to.
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			fmt.Fprintf(c.Err, "profiling for %v\n", cfg.Duration)
			files, err := capture.Remote(cmd.Context(), client, args[0], dir, repetition, cfg)
			for _, f := range files {
				if _, err := fmt.Fprintln(c.Out, f.Path); err != nil {
					return err
				}
				if f.Samples == 0 {
					fmt.Fprintf(c.Err, "%s holds no samples: %s\n", f.Path, emptyReason(f.Kind))
				}
			}
			return cmp.Or(cmd.Context().Err(), err)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&dir, "out", dir, "the directory that they go to")
	cmd.Flags().IntVar(&repetition, "repetition", repetition, "N in the files' names")
	cmd.Flags().StringSliceVar(&kinds, "kind", nil, "cpu, heap, allocs, goroutine, mutex, block (default all)")
	cmd.Flags().DurationVar(&cfg.Duration, "for", 10*time.Second, "how long: 1s to 1h")
	cmd.Flags().BoolVar(&cfg.Trace, "trace", false, "an execution trace of the first second as well, DIR/trace.N.out")
	cmd.Flags().Int64Var(&operations, "operations", 0, "of how many operations they are")
	return cmd
}

// emptyReason returns why a service's profile may hold no samples.
func emptyReason(k profiles.Kind) string {
	switch k {
	case profiles.Mutex:
		return "nobody held anybody up, or the service doesn't call runtime.SetMutexProfileFraction"
	case profiles.Block:
		return "nobody waited, or the service doesn't call runtime.SetBlockProfileRate"
	}
	return "the service was idle"
}

func newTake(c cli.Console) *cobra.Command {
	quiet := false
	cmd := &cobra.Command{
		Use: "take DIR",
		Short: "Profiles of a push with this delivery package, as " + abtest.BaselineProfiles +
			" has them, to hold against those",
		Long: `Takes eight CPU and eight allocation profiles of a push with this delivery package, as fleetmark baseline took those in
` + abtest.BaselineProfiles + `, in some twenty seconds: with "fleetmark profile explain ` + abtest.BaselineProfiles + ` DIR" a change is
explained without running the old code. Allocations are counted one by one, and are the same on any machine.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if files, err := os.ReadDir(dir); err == nil && len(files) > 0 {
				return cli.Usagef("%s: holds something already: name a new directory", dir)
			}
			fleet, err := cli.FleetCommand()
			if err != nil {
				return err
			}
			err = abtest.TakePushProfiles(cmd.Context(), abtest.PushProfileOptions{
				FleetCommand: fleet, Dir: dir, Stderr: c.Err,
				Progress: func(kind profiles.Kind, done, of int) {
					if !quiet {
						fmt.Fprintf(c.Err, "%s: %d of %d\n", kind, done, of)
					}
				},
			})
			if err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
			base := filepath.FromSlash(abtest.BaselineProfiles)
			_, err = fmt.Fprintf(c.Out, "fleetmark profile explain %s %s\n", base, dir)
			return err
		},
	}
	cmd.Flags().BoolVar(&quiet, "no-progress", false, "show no progress")
	return cmd
}

func newOverhead(c cli.Console) *cobra.Command {
	var budget time.Duration
	asJSON, quiet := false, false
	cmd := &cobra.Command{
		Use: "overhead", Short: "What a CPU profile at 100 Hz costs a push here: with and without it, by turns",
		Long: `Measures what a CPU profile at 100 Hz costs the program that it is taken of, on this machine: pushes with and without it, by
turns of a fraction of a second, as gate --base does. Timed repetitions are never profiled: this is what profiled ones,
and a service that is profiled in production, are slower by.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckBetween("budget", budget, time.Second, 24*time.Hour); err != nil {
				return err
			}
			fleet, err := cli.FleetCommand()
			if err != nil {
				return err
			}
			view := progress.NewLine(c.Err, quiet)
			list, err := abtest.MeasureOverhead(cmd.Context(), abtest.Options{
				FleetCommand: fleet, Budget: budget, Seed: 1, Stderr: c.Err, Progress: view.Progress,
			})
			view.Close()
			if unmeasured, ok := errors.AsType[*abtest.OverheadError](err); ok {
				return cli.VerdictError(unmeasured.Verdict, overheadText(unmeasured))
			}
			if err != nil {
				return err
			}
			return showOverhead(list, asJSON, c)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().DurationVar(&budget, "budget", time.Minute, "how long is measured at most")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&quiet, "no-progress", false, "show no progress")
	return cmd
}

// overheadText returns a line that says why the overhead of profiling couldn't be measured.
func overheadText(err *abtest.OverheadError) string {
	if err.Judgement == nil {
		return err.Error() + ": allow more time (--budget)"
	}
	return err.Error() + ": " + report.Sentence(err.Judgement)
}

// showOverhead prints how a profile changes each metric.
func showOverhead(list []abtest.Overhead, asJSON bool, c cli.Console) error {
	if asJSON {
		return c.PrintJSON(list)
	}
	var page bytes.Buffer
	for _, o := range list {
		estimate, low, high := o.Percent()
		fmt.Fprintf(&page, "%-9s %+.1f%% (%+.1f to %+.1f) with a CPU profile, %d pairs of blocks\n",
			o.Unit, estimate, low, high, o.Pairs)
	}
	_, err := c.Out.Write(page.Bytes())
	return err
}
