package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/scenarios"
)

func newScenarios(c console) *cobra.Command {
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
				enc := json.NewEncoder(c.out)
				enc.SetIndent("", "  ")
				return enc.Encode(all)
			}
			for _, s := range all {
				if _, err := fmt.Fprintf(c.out, "%-20s %s\n", s.Name, s.Description); err != nil {
					return err
				}
			}
			return nil
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
			_, err = c.out.Write(text)
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
			_, err = c.out.Write(text)
			return err
		},
	}
	return group("scenarios", "List, show and check scenarios", list, show, newValidate(c), schema)
}
