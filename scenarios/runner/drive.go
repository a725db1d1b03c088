package runner

import (
	"context"
	"errors"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// A drive is the load of one repetition: an executor, what it drives, and where it counts.
type drive struct {
	task     task
	executor load.Executor
	env      load.Env
	expect   load.Expectation // what is known of the load before it begins
	waves    *waves           // the waves of a rollout; nil for other loads
}

// newDrive prepares the load of a task, with the client of this repetition.
func (s *Session) newDrive(t task, c load.Client, u *delivery.Update) *drive {
	devices := s.target.Devices()
	d := &drive{task: t, env: load.Env{
		Client: c, Op: t.load.Operation, Devices: devices, Update: u, Record: s.recording,
		NewHook: t.hook, Seed: s.repetitionSeed(t.Repetition), SystemClock: true,
	}}
	var onEvent func(rollout.Event)
	if t.load.Model == scenarios.Rollout {
		d.waves = &waves{spec: t.load.Rollout, sizes: waveSizes(t.load.Rollout, devices.Len())}
		onEvent = d.waves.event
	}
	d.executor = executorOf(t.load, s.maxWorkers, onEvent)
	d.expect = d.executor.Expect(devices.Len())
	return d
}

// run runs the load. It ends the last wave of a rollout, unless the rollout was interrupted.
func (d *drive) run(ctx context.Context) (load.Result, error) {
	result, err := d.executor.Run(ctx, d.env)
	if d.waves != nil && err == nil && (ctx.Err() == nil || result.Stopped != nil) {
		abort, _ := errors.AsType[*rollout.AbortError](result.Stopped)
		d.waves.end(abort)
	}
	return result, err
}

// progress returns how far the load is, elapsed after its start.
func (d *drive) progress(window *load.LatencyWindow, elapsed time.Duration) Progress {
	record := d.env.Record
	t := record.Totals()
	v := Progress{Done: t.Succeeded, Failed: t.Failed, Retries: t.Retries, Elapsed: elapsed, Waves: d.waves.rows()}
	v.P50, v.P99 = window.Sample(record)
	if d.expect.RateAt != nil {
		v.PlannedRate = d.expect.RateAt(elapsed)
	}
	if v.Failed > 0 {
		v.Classes = record.Failures.ByClass()
	}
	if record.Behind(elapsed) {
		v.Invalid = behindForCertain
		if d.task.isTrial() {
			v.Invalid = beyondForCertain
		}
		if d.task.load.Drain == 0 {
			v.Invalid += "; nothing more is sent"
		}
	}
	return v
}

// What Progress.Invalid says about a running load that can no longer keep its plan, in a run and in
// one trial of a search.
const (
	behindForCertain = "the run is invalid already: the plan is over, and operations of it are not sent yet"
	beyondForCertain = "the rate is beyond the limit: its time is over, and operations of it are not sent yet"
)
