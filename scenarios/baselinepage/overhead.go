package baselinepage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// overhead says what a CPU profile costs a push.
type overhead struct {
	heading
	fromMeasurement
	ratios []versus.Overhead // processor time first
}

// overheadBudget is how long the overhead is measured.
const overheadBudget = 40 * time.Second

func (o *overhead) measure(ctx context.Context, b *Builder) (err error) {
	b.options.Log("what profiling costs")
	o.ratios, err = versus.MeasureOverhead(ctx, versus.Options{
		FleetCommand: b.options.FleetCommand, Budget: overheadBudget, Seed: 1, Stderr: b.options.Stderr,
	})
	if unmeasured, ok := errors.AsType[*versus.OverheadError](err); ok {
		why := unmeasured.Error()
		if unmeasured.Judgement != nil {
			why += ": " + report.Sentence(unmeasured.Judgement)
		}
		return &skippedError{why}
	}
	return err
}

func (o *overhead) write(w *baseline.SectionWriter, _ content) {
	w.Text("Pushes with a CPU profile at 100 Hz and without one, by turns of a block of 40 ms, in pairs. Timed " +
		"repetitions are never profiled; this is what profiled ones are slower by.")
	var rows [][]string
	for _, r := range o.ratios {
		estimate, low, high := r.Percent()
		rows = append(rows, []string{r.Unit, fmt.Sprintf("%+.1f%%", estimate),
			fmt.Sprintf("%+.1f%% to %+.1f%%", low, high), fmt.Sprint(r.Pairs)})
		w.Figure("push "+r.Unit+" percent more", estimate)
	}
	w.Table("lrrr", []string{"metric", "with a profile", "interval", "pairs of blocks"}, rows)
	w.Command("Measured with", fmt.Sprintf("fleetmark profile overhead --budget %v", overheadBudget))
}
