package app

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/doctor"
)

func newDoctor(c cli.Console) *cobra.Command {
	var asJSON, quiet bool
	var networkText string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say whether this machine is fit to measure on, and what to change",
		Long: `Looks at this machine for some ten seconds: cores, limits, clock, timers, governor,
what else runs, and how different the same work comes out from one moment to the next.
Each check says what was found, why it matters, and what to change.

With --device-network it also looks whether devices can have addresses of that network
here, or whether a driver on this machine can reach them.

Exit codes: 0 fit, perhaps with warnings; 3 a problem, so that times can't be judged
here; 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			network, err := deviceNetwork(networkText)
			if err != nil {
				return err
			}
			view := progress.NewSteps(c.Err, "doctor", quiet)
			facts, err := doctor.Gather(cmd.Context(), network, view.Show)
			view.Close()
			if err != nil {
				return err
			}
			checks := doctor.Examine(facts, doctorAdvice())
			if asJSON {
				object := doctorJSON{doctor.Fit(checks), doctorSummary(checks), checks, facts}
				err = json.NewEncoder(c.Out).Encode(object)
			} else {
				err = writeDoctorTable(c.Out, checks, cli.TableStyle(c.Out))
			}
			if err == nil && !doctor.Fit(checks) {
				err = cli.VerdictError(results.Inconclusive, "") // the table says it already
			}
			return err
		},
	}
	cmd.Flags().StringVar(&networkText, address.NetworkField, "",
		"a network (a `CIDR`) that devices are to have the addresses of, as with fleetmark fleet")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object: checks and the facts that they were judged by")
	cmd.Flags().BoolVar(&quiet, "no-progress", false, "don't show what is looked at")
	return cmd
}

// doctorAdvice returns the parts of doctor's advice that name flags and commands of this program.
func doctorAdvice() doctor.Advice {
	return doctor.Advice{
		FewerWorkers: "use fewer --workers here", LongerRuns: "--duration, --repeat",
		PathAddressing: "fleetmark run --addressing path", StartFleet: "fleetmark fleet --devices 2",
	}
}

// doctorJSON is the object that `doctor --json` prints, a contract with scripts.
type doctorJSON struct {
	Fit     bool           `json:"fit"`
	Verdict string         `json:"verdict"`
	Checks  []doctor.Check `json:"checks"`
	Facts   doctor.Facts   `json:"facts"`
}
