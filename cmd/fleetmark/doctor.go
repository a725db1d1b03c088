package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/scenarios/doctor"
)

func newDoctor(c console) *cobra.Command {
	var asJSON, quiet bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say whether this machine is fit to measure on, and what to change",
		Long: `Looks at this machine for some ten seconds: cores, limits, clock, timers, governor,
what else runs, and how different the same work comes out from one moment to the next.
Each check says what was found, why it matters, and what to change.

Exit codes: 0 fit, perhaps with warnings; 3 a problem, so that times can't be judged
here; 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			view := newDoctorView(c.err, quiet)
			facts, err := doctor.Gather(cmd.Context(), doctor.Options{Progress: view.show})
			view.close()
			if err != nil {
				return err
			}
			checks := doctor.Examine(facts)
			if asJSON {
				err = json.NewEncoder(c.out).Encode(doctorJSON{doctor.Fit(checks), doctor.Verdict(checks), checks, facts})
			} else {
				err = doctor.WriteTable(c.out, checks, tableOptions(c.out))
			}
			if err == nil && !doctor.Fit(checks) {
				err = &exitError{code: exitInconclusive} // the table has said it
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object: checks and the facts that they were judged by")
	cmd.Flags().BoolVar(&quiet, "no-progress", false, "don't show what is looked at")
	return cmd
}

// doctorJSON is the object that `doctor --json` prints, a contract with scripts.
type doctorJSON struct {
	Fit     bool           `json:"fit"`
	Verdict string         `json:"verdict"`
	Checks  []doctor.Check `json:"checks"`
	Facts   doctor.Facts   `json:"facts"`
}

// doctorView shows what is looked at: on a terminal in a line that changes, elsewhere in
// a line each.
type doctorView struct {
	w    io.Writer
	line *fleetLine // on a terminal; else nil
	off  bool
}

func newDoctorView(w io.Writer, off bool) *doctorView {
	v := &doctorView{w: w, off: off}
	if !off && isTerminal(w) && !isDumb() {
		v.line = newFleetLine(w)
	}
	return v
}

func (v *doctorView) show(doing string, n, of int) {
	text := fmt.Sprintf("doctor %d/%d: %s", n, of, doing)
	switch {
	case v.off:
	case v.line != nil:
		v.line.show(text, true)
	default:
		_, _ = fmt.Fprintln(v.w, text) // for a person, if there is one
	}
}

func (v *doctorView) close() {
	if v.line != nil {
		v.line.close()
	}
}
