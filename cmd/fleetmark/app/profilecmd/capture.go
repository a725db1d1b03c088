package profilecmd

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/profiles"
)

// AuthorizationVariable is the environment variable with the Authorization header for the profiled
// service. A flag wouldn't do, since every user of the machine can read a process's arguments.
const AuthorizationVariable = "FLEETMARK_PROFILE_AUTHORIZATION"

func newCapture(c cli.Console) *cobra.Command {
	var cfg profiles.RemoteConfig
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
			fmt.Fprintf(c.Err, "profiling for %v\n", cfg.For)
			files, err := profiles.CaptureRemote(cmd.Context(), client, args[0], dir, repetition, cfg)
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
	cmd.Flags().DurationVar(&cfg.For, "for", 10*time.Second, "how long: 1s to 1h")
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
