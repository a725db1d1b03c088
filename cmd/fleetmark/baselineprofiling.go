package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// profilingWithin is how long what profiling costs is measured.
const profilingWithin = 40 * time.Second

func (f *baselineFlags) findProfiling(ctx context.Context, s *session, found *findings) error {
	f.say(s, "what profiling costs")
	list, err := measureOverhead(ctx, overheadTurns(profilingWithin), s.term, func(versus.Progress) {})
	if said := new(exitError); errors.As(err, &said) && said.code == exitInvalid {
		found.leaveOut(said.text, "profiling")
		return nil
	}
	found.profiling = list
	return err
}

// writeProfiling is the table of what a CPU profile costs a push.
func writeProfiling(w *results.SectionWriter, f *findings) {
	w.Text("Pushes with a CPU profile at 100 Hz and without one, by turns of a block of 40 ms, in pairs. Timed repetitions are never profiled; this is what profiled ones are slower by.")
	var rows [][]string
	for _, o := range f.profiling {
		estimate, low, high := o.columns()
		rows = append(rows, []string{o.Unit, fmt.Sprintf("%+.1f%%", estimate), fmt.Sprintf("%+.1f%% to %+.1f%%", low, high), fmt.Sprint(o.Pairs)})
		w.Figure("push "+o.Unit+" percent more", estimate)
	}
	w.Table("lrrr", []string{"metric", "with a profile", "interval", "pairs of blocks"}, rows)
	w.Command("Measured with", fmt.Sprintf("fleetmark profile overhead --budget %v", profilingWithin))
}
