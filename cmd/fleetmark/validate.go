package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/scenarios"
)

func newValidate(c console) *cobra.Command {
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
				if err := tell(c, file, found); err != nil {
					return err
				}
			}
			if asJSON {
				enc := json.NewEncoder(c.out)
				enc.SetEscapeHTML(false)
				enc.SetIndent("", "  ")
				if err := enc.Encode(all); err != nil {
					return err
				}
			}
			if len(all) > 0 {
				return &exitError{code: exitUsage} // they have been told
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON list of the mistakes: file, line, column, field, problem")
	return cmd
}

// tell says that a file is well, or what is wrong with it.
func tell(c console, file string, found []*scenarios.SpecError) error {
	if len(found) == 0 {
		_, err := fmt.Fprintf(c.out, "%s: ok\n", file)
		return err
	}
	for _, mistake := range found {
		if _, err := fmt.Fprintln(c.err, mistake.Report()); err != nil {
			return err
		}
	}
	return nil
}

// inFile reports whether the mistake is one that a person finds in a file, rather than one in
// the command line.
func inFile(mistake *scenarios.SpecError) bool {
	return mistake.File != "" && !strings.HasPrefix(mistake.File, "--")
}
