package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/profiles"
)

// authorizationVariable holds what a service wants to see before it gives a profile: an argument could be
// read by anybody on the machine.
const authorizationVariable = "FLEETMARK_PROFILE_AUTHORIZATION"

func newProfileCapture(c console) *cobra.Command {
	var cfg profiles.RemoteConfig
	var kinds []string
	dir, repetition, operations := "profiles", 1, int64(0)
	cmd := &cobra.Command{
		Use: "capture URL", Short: "Take profiles of any running Go service that serves net/http/pprof",
		Long: `Takes profiles of a running Go service, all over the same time, and writes them as those of a run: DIR/KIND.N.pb.gz.
URL is where it serves net/http/pprof, such as http://127.0.0.1:6060/debug/pprof. If it wants an Authorization header,
put that into ` + authorizationVariable + `. With --operations the profiles say of how many operations they are, and can be
held against others by diff and explain; for explain, capture several times, with --repetition 1, 2, 3 and so on.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, k := range kinds {
				kind, err := profiles.ParseKind(k)
				if err != nil {
					return &exitError{exitUsage, fmt.Sprintf("--kind %v", err)}
				}
				cfg.Kinds = append(cfg.Kinds, kind)
			}
			if operations < 0 {
				return &exitError{exitUsage, fmt.Sprintf("--operations %d: want 1 or more, or none", operations)}
			}
			if operations > 0 {
				cfg.Labels = map[string]string{profiles.OperationsLabel: fmt.Sprint(operations)}
			}
			cfg.Authorization = os.Getenv(authorizationVariable)
			client := &http.Client{
				Transport: &http.Transport{DisableKeepAlives: true},
				// What it authorizes is this address, and no other that it may point to.
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			fmt.Fprintf(c.err, "profiling for %v\n", cfg.For)
			files, err := profiles.CaptureRemote(cmd.Context(), client, args[0], dir, repetition, cfg)
			for _, f := range files {
				if _, err := fmt.Fprintln(c.out, f.Path); err != nil {
					return err
				}
				if f.Samples == 0 {
					fmt.Fprintf(c.err, "%s holds no samples: %s\n", f.Path, whyNone(f.Kind))
				}
			}
			if err != nil && cmd.Context().Err() == nil {
				return &exitError{exitUsage, err.Error()}
			}
			return cmd.Context().Err()
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

// whyNone is why a service's profile may hold nothing.
func whyNone(k profiles.Kind) string {
	switch k {
	case profiles.Mutex:
		return "nobody held anybody up, or the service doesn't call runtime.SetMutexProfileFraction"
	case profiles.Block:
		return "nobody waited, or the service doesn't call runtime.SetBlockProfileRate"
	}
	return "the service was idle"
}
