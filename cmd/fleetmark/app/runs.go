package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
)

func newRuns(c cli.Console) *cobra.Command {
	var filter rundir.Filter
	var since string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "runs [DIR]",
		Short: "List the runs in a folder (default: runs), newest first",
		Long: `Lists what the run directories in a folder say of themselves; their samples aren't
read, and nothing is changed or deleted. A directory that can't be read as a run is
listed with why, whatever the filter.`,
		Example: `  fleetmark runs
  fleetmark runs --scenario 'rollout*' --verdict regressed --since 7d
  fleetmark runs --json | jq -r 'select(.bytes > 1000000) | .run'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cli.RejectEmpty(cmd, "scenario", "revision", "verdict", "since"); err != nil {
				return err
			}
			folder := "runs"
			if len(args) > 0 {
				folder = args[0]
			}
			var err error
			if since != "" {
				if filter.Since, err = parseSince(since, time.Now()); err != nil {
					return cli.Usagef("--since %v", err)
				}
			}
			if err := filter.Check(); err != nil {
				return cli.Usagef("--%v", err)
			}
			runs, err := rundir.List(folder, filter)
			if err != nil {
				return err
			}
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return showRuns(runs, folder, filter, asJSON, c)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&filter.Scenario, "scenario", "",
		"only runs of this scenario; a pattern such as 'rollout*' may stand for several")
	flags.StringVar(&filter.Revision, "revision", "", "only runs of a revision that begins so")
	flags.StringVar((*string)(&filter.Verdict), "verdict", "",
		"only runs with this verdict: pass, improved, regressed, inconclusive, invalid or none")
	flags.StringVar(&since, "since", "",
		"only runs that began then or later: 24h or 7d ago, 2026-01-31, or a time as in RFC 3339")
	flags.BoolVar(&asJSON, "json", false, "print a JSON object a run, one on a line")
	return cmd
}

// showRuns prints the runs, and says on standard error what can't be read.
func showRuns(runs []rundir.Entry, folder string, filter rundir.Filter, asJSON bool, c cli.Console) error {
	unreadable := 0
	for _, r := range runs {
		if r.Problem != "" {
			unreadable++
		}
	}
	var page bytes.Buffer
	switch {
	case asJSON:
		for _, r := range runs {
			line, err := json.Marshal(r)
			if err != nil {
				return err
			}
			page.Write(append(line, '\n'))
		}
	case len(runs) == 0 && filter == rundir.Filter{}:
		fmt.Fprintf(&page, "%s: no runs\n", folder)
	case len(runs) == 0:
		fmt.Fprintf(&page, "%s: no run that the filter takes\n", folder)
	default:
		if err := report.WriteRuns(&page, runs, cli.TableStyle(c.Out)); err != nil {
			return err
		}
	}
	if _, err := c.Out.Write(page.Bytes()); err != nil {
		return err
	}
	if unreadable > 0 { // on standard error, since the list may be piped on
		_, _ = fmt.Fprintf(c.Err, "fleetmark: %s: %d of %d directories can't be read as runs\n",
			folder, unreadable, len(runs))
	}
	return nil
}

// parseSince returns the time that text names: a duration before now, a day in UTC, or a time as in
// RFC 3339.
func parseSince(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	ago, err := time.ParseDuration(text)
	if days, found := strings.CutSuffix(text, "d"); found {
		var n float64
		if n, err = strconv.ParseFloat(days, 64); err == nil {
			ago = time.Duration(n * float64(24*time.Hour))
		}
	}
	if err != nil || ago <= 0 {
		return time.Time{}, fmt.Errorf("%q: want how long ago, such as 24h or 7d, a day such as 2026-01-31, "+
			"or a time such as 2026-01-31T15:04:05Z",
			text)
	}
	return now.UTC().Add(-ago), nil
}
