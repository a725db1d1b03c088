package app

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/scenarios"
)

func newScenarios(c cli.Console) *cobra.Command {
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List the catalogue", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var all []scenarios.Spec
			for _, name := range scenarios.Names() {
				s, err := scenarios.Find(name)
				if err != nil {
					return err
				}
				all = append(all, s)
			}
			if asJSON {
				enc := json.NewEncoder(c.Out)
				enc.SetIndent("", "  ")
				return enc.Encode(all)
			}
			t := texttable.Table{Header: []string{"scenario", "description"}, Fold: []texttable.Fold{{}, {Cut: 1, End: true}}, Headless: true}
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
			text, err := s.YAML()
			if err != nil {
				return err
			}
			_, err = c.Out.Write(text)
			return err
		},
	}
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
