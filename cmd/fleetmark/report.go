package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
)

func newReport(c console) *cobra.Command {
	var markdown, baseline string
	cmd := &cobra.Command{
		Use: "report RUN", Short: "Write a run's report again, against a baseline of today", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := refuseEmpty(cmd, "markdown", "baseline"); err != nil {
				return err
			}
			run, err := results.LoadRun(args[0])
			if err != nil {
				return err
			}
			base, err := results.ReadBaseline(baseline)
			if errors.Is(err, fs.ErrNotExist) {
				base, err = nil, nil
			}
			if err != nil {
				return err
			}
			var page bytes.Buffer
			if err := report.Markdown(&page, report.OfRun(*run, results.JudgeRun(base, run.Run, run.Records))); err != nil {
				return err
			}
			if err := cmd.Context().Err(); err != nil { // an interrupted command writes nothing
				return err
			}
			if markdown == "" {
				_, err = c.out.Write(page.Bytes())
				return err
			}
			if err := results.AtomicWriteFile(markdown, page.Bytes()); err != nil {
				return &exitError{exitUsage, fmt.Sprintf("--markdown %s: %v", markdown, err)}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&markdown, "markdown", "", "write it to this file (default: standard output)")
	cmd.Flags().StringVar(&baseline, "baseline", results.BaselineFile, "the page to hold the run against")
	return cmd
}
