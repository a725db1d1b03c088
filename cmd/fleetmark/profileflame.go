package main

import (
	"bytes"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
)

func newProfileFlame(c console) *cobra.Command {
	var f profileFlags
	out := "flame.html"
	cmd := &cobra.Command{
		Use: "flame [BASE] RUN|FILE", Short: "A flame graph as one page of HTML; of two, coloured by what got more or less", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			base, now, o, err := f.flame(args)
			if err != nil {
				return err
			}
			if err := results.CanWrite(out); err != nil {
				return &exitError{exitUsage, fmt.Sprintf("--out %s: %v", out, err)}
			}
			var page bytes.Buffer
			if err := profiles.Flame(cmd.Context(), &page, base, now, o); err != nil {
				return err
			}
			if err := results.AtomicWriteFile(out, page.Bytes()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.out, out)
			return err
		},
	}
	f.add(cmd)
	f.addRaw(cmd)
	cmd.Flags().StringVarP(&out, "out", "o", out, "where the page is written")
	return cmd
}

// flame is what a flame graph of one or two arguments is of.
func (f *profileFlags) flame(args []string) (base, now []string, o profiles.FlameOptions, err error) {
	files, err := f.files(args)
	if err != nil {
		return nil, nil, o, err
	}
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = strings.TrimSuffix(filepath.Base(filepath.Clean(a)), ".pb.gz")
	}
	now = files[len(files)-1]
	o = profiles.FlameOptions{SampleIndex: f.top.SampleIndex, Raw: f.raw, Title: f.kind + " of " + names[len(names)-1]}
	if len(files) == 2 {
		base = files[0]
		o.Title += ", less " + names[0]
		if o.Note = "Of a million operations of either side: 1s is a microsecond an operation, 1MB a byte. Red is more, green less."; f.raw {
			o.Note = "The files as they are. Red is more, green less."
		}
	}
	return base, now, o, nil
}

func newProfileWeb(c console) *cobra.Command {
	var f profileFlags
	port := 0
	cmd := &cobra.Command{
		Use: "web [BASE] RUN|FILE", Short: "pprof's own pages of a run, or of two, on this machine's loopback until Ctrl-C", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			base, now, o, err := f.flame(args)
			if err != nil {
				return err
			}
			var l net.ListenConfig
			listener, err := l.Listen(cmd.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				return &exitError{exitUsage, fmt.Sprintf("--port %d: %v", port, err)}
			}
			if _, err := fmt.Fprintf(c.out, "http://%s/ until Ctrl-C\n", listener.Addr()); err != nil {
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
