package profilecmd

import (
	"bytes"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/profiles"
)

func newFlame(c cli.Console) *cobra.Command {
	var f flags
	out := "flame.html"
	cmd := &cobra.Command{
		Use:   "flame [BASE] RUN|FILE",
		Short: "A flame graph as one page of HTML; of two, coloured by what got more or less",
		Long: `A flame graph as one page of HTML, which fetches nothing; of two, what NOW has more is red, and what it has less
green. A page is 5 MB at most: where all stacks don't fit, functions with a small share of the whole are drawn as
"(left out)", and a note says how small, and how much they are together.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			base, now, o, err := f.flame(cmd, args)
			if err != nil {
				return err
			}
			if err := cli.RejectEmpty(cmd, "out"); err != nil {
				return err
			}
			if err := cli.CheckOutputs(cmd, "", "out"); err != nil {
				return err
			}
			var page bytes.Buffer
			notes, err := profiles.Flame(cmd.Context(), &page, base, now, o)
			if err != nil {
				return err
			}
			printNotes(c, notes)
			err = cli.Output{Flag: "out", File: out, Data: page.Bytes()}.Write(c)
			if err != nil || out == cli.Stdout {
				return err
			}
			_, err = fmt.Fprintln(c.Out, out)
			return err
		},
	}
	f.add(cmd)
	f.addRaw(cmd)
	cmd.Flags().StringVarP(&out, "out", "o", out, "where the page is written (- is standard output)")
	return cmd
}

// flame returns the profiles of a flame graph and its options. base is nil if there is only one
// argument.
func (f *flags) flame(
	cmd *cobra.Command, args []string,
) (base, now []string, o profiles.FlameOptions, err error) {
	files, err := f.files(cmd, args)
	if err != nil {
		return nil, nil, o, err
	}
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = strings.TrimSuffix(filepath.Base(filepath.Clean(a)), ".pb.gz")
	}
	now = files[len(files)-1]
	o = profiles.FlameOptions{DiffOptions: f.diff, Title: names[len(names)-1]}
	if o.Kind != "" {
		o.Title = string(o.Kind) + " of " + o.Title
	}
	if len(files) == 2 {
		base = files[0]
		o.Title += ", less " + names[0]
		switch {
		case f.diff.Raw:
			o.Note = "The files as they are. Red is more, green less."
		case f.diff.Normalize:
			o.Note = "Differences of shares. Red is more, green less."
		default:
			o.Note = "Of a million operations of either side: 1s is a microsecond an operation, 1MB a byte. " +
				"Red is more, green less."
		}
	}
	return base, now, o, nil
}

func newWeb(c cli.Console) *cobra.Command {
	var f flags
	port := 0
	cmd := &cobra.Command{
		Use: "web [BASE] RUN|FILE", Args: cobra.RangeArgs(1, 2),
		Short: "pprof's own pages of a run, or of two, on this machine's loopback until Ctrl-C",
		RunE: func(cmd *cobra.Command, args []string) error {
			base, now, o, err := f.flame(cmd, args)
			if err != nil {
				return err
			}
			var l net.ListenConfig
			listener, err := l.Listen(cmd.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				return cli.Usagef("--port %d: %v", port, err)
			}
			if _, err := fmt.Fprintf(c.Out, "http://%s/ until Ctrl-C\n", listener.Addr()); err != nil {
				return err
			}
			return profiles.Serve(cmd.Context(), listener, base, now, o)
		},
	}
	f.add(cmd)
	f.addRaw(cmd)
	cmd.Flags().IntVar(&port, "port", 0, "of the loopback address (0: a free one)")
	return cmd
}
