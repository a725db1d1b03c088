package app

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/scenarios"
)

func newScenarios(c cli.Console) *cobra.Command {
	var asJSON, comments bool
	list := &cobra.Command{
		Use: "list", Short: "List the catalog", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var all []scenarios.Spec
			for _, name := range scenarios.CatalogNames() {
				s, err := scenarios.Find(name)
				if err != nil {
					return err
				}
				all = append(all, s)
			}
			if asJSON {
				return c.PrintJSON(all)
			}
			t := texttable.Table{
				Header: []string{"scenario", "description"}, Headless: true,
				Fold: []texttable.Fold{{}, {Cut: 1, End: true}},
			}
			for _, s := range all {
				t.Rows = append(t.Rows, []string{s.Name, s.Description})
			}
			return cli.TableStyle(c.Out).Write(c.Out, t)
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	show := &cobra.Command{
		Use: "show NAME|FILE.yaml", Short: "Print a scenario whole, its defaults written out", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := scenarios.Find(args[0])
			if err != nil {
				return err
			}
			write := s.YAML
			if comments {
				write = s.CommentedYAML
			}
			text, err := write()
			if err != nil {
				return err
			}
			_, err = c.Out.Write(text)
			return err
		},
	}
	show.Flags().BoolVar(&comments, "comments", false, "say above each key what it is")
	schema := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of scenario files, for editors", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := scenarios.Schema()
			if err != nil {
				return err
			}
			_, err = c.Out.Write(text)
			return err
		},
	}
	return cli.Group("scenarios", "List, show and check scenarios", list, show, newValidate(c), schema)
}

func newValidate(c cli.Console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "validate FILE.yaml ...", Short: "Check scenario files; every mistake with its line and column",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			all := []*scenarios.SpecError{} // for JSON: a list, not null
			for _, file := range files {
				_, err := scenarios.LoadFile(file)
				found := scenarios.Problems(file, err)
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
		if _, err := fmt.Fprintln(c.Err, mistake.Excerpt()); err != nil {
			return err
		}
	}
	return nil
}
