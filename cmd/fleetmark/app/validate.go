package app

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/scenarios"
)

func newValidate(c cli.Console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "validate FILE.yaml ...", Short: "Check scenario files; every mistake with its line and column", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			all := []*scenarios.SpecError{} // for JSON: a list, not null
			for _, file := range files {
				_, err := scenarios.LoadFile(file)
				found := scenarios.Mistakes(file, err)
				all = append(all, found...)
				if asJSON {
					continue
				}
				if err := printMistakes(c, file, found); err != nil {
					return err
				}
			}
			if asJSON {
				enc := json.NewEncoder(c.Out)
				enc.SetEscapeHTML(false)
				enc.SetIndent("", "  ")
				if err := enc.Encode(all); err != nil {
					return err
				}
			}
			if len(all) > 0 {
				return &cli.ExitError{Code: cli.ExitUsage} // they have been printed
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON list of the mistakes: file, line, column, field, problem")
	return cmd
}

// printMistakes prints the mistakes in a file, or that there are none.
func printMistakes(c cli.Console, file string, found []*scenarios.SpecError) error {
	if len(found) == 0 {
		_, err := fmt.Fprintf(c.Out, "%s: ok\n", file)
		return err
	}
	for _, mistake := range found {
		if _, err := fmt.Fprintln(c.Err, mistake.Report()); err != nil {
			return err
		}
	}
	return nil
}

// hasFilePosition reports whether the mistake is in a file, rather than in the command line.
func hasFilePosition(mistake *scenarios.SpecError) bool {
	return mistake.File != "" && !strings.HasPrefix(mistake.File, "--")
}
