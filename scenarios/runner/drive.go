package runner

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// A drive is the load of one repetition: an executor, what it drives, and where it counts.
type drive struct {
	task     task
	executor load.Executor
	env      load.Env
	expect   load.Expectation // what is known of the load before it begins
	waves    *waves           // the waves of a rollout; nil for other loads

	// before is what the client had counted when the load began. It is nil until then, and if the
	// client doesn't count.
	before *delivery.Stats

	began    atomic.Pointer[time.Time] // when the load began; nil before
	notSent  atomic.Int64              // at the end of the last interval
	overflow atomic.Int64              // times that were too long to be recorded
	reset    atomic.Bool               // somebody else reset the fleet
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
	if s.onBegin != nil {
		d.env.OnBegin = func(at time.Time) { s.onBegin(d.task.Repetition, at) }
	}
	d.env.ExactIntervals = s.isPart
	d.executor = executorOf(t.load, s.maxWorkers, s.loadShard(), onEvent)
	if s.service != nil {
		d.executor = s.service.executor(s, u)
	}
	d.expect = d.executor.Expect(devices.Len())
	d.task.Planned = d.expect.Operations
	return d
}

// loadShard returns the part of the load that the session does.
func (s *Session) loadShard() load.Shard {
	if s.whole.Shard.IsWhole() {
		return load.Shard{}
	}
	return load.Shard{Index: s.whole.Shard.Index, Count: s.whole.Shard.Count, Devices: s.whole.Fleet.Devices}
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

// interval notes what is shown of an interval that has ended.
func (d *drive) interval(v *load.Interval) {
	d.notSent.Store(v.NotSent)
	for _, times := range v.Times {
		d.overflow.Add(times.Overflow)
	}
}

// progress returns how far the load is, elapsed after its start. It doesn't say whether the run is
// certain to be invalid.
func (d *drive) progress(window *load.LatencyWindow, elapsed time.Duration) Progress {
	record := d.env.Record
	t := record.Totals()
	v := Progress{
		Stage: Load, Done: t.Succeeded, Failed: t.Failed, Retries: t.Retries, Elapsed: elapsed,
		InFlight: record.InFlight(), NotSent: d.notSent.Load(),
		Waves: d.waves.rows(), WaveCount: len(d.task.load.Rollout.Waves),
	}
	v.P50, v.P99 = window.Sample(record)
	if d.expect.RateAt != nil {
		v.PlannedRate = d.expect.RateAt(elapsed)
	}
	if v.Failed > 0 {
		v.Classes = record.Failures.ByClass()
	}
	v.Failing = d.task.windows.Failing()
	switch left, soaking := d.waves.soakLeft(); {
	case soaking:
		v.Stage, v.SoakLeft = Soaking, left
	case d.isDraining(v):
		v.Stage = Draining
	}
	return v
}

// isDraining reports whether a load is only waiting for operations to end.
func (d *drive) isDraining(v Progress) bool {
	if plan := d.task.load.TotalDuration(); plan > 0 {
		return v.Elapsed > plan
	}
	planned := d.expect.Operations
	return d.task.load.IsOpen() && planned > 0 && v.Done+v.Failed+v.InFlight >= planned
}

// What Progress.Invalid says about a running load that can no longer keep its plan, in a run and in
// one trial of a search.
const (
	behindForCertain = "the run is invalid already: the plan is over, and operations of it are not sent yet"
	beyondForCertain = "the rate is beyond the limit: its time is over, and operations of it are not sent yet"
)

// invalidAlready begins what Progress.Invalid says for other reasons.
const invalidAlready = "the run is invalid already: "

// certainlyInvalid returns why the run is certain to be invalid, whatever the rest of the load
// does. It returns "" if that isn't certain. c is the client of the repetition.
func (s *Session) certainlyInvalid(ctx context.Context, d *drive, c repetitionClient, elapsed time.Duration) string {
	if s.invalid != "" {
		return invalidAlready + s.invalid
	}
	if cause := context.Cause(ctx); isTargetLost(cause) || errors.Is(cause, errClientHangs) {
		return invalidAlready + cause.Error()
	}
	if d.reset.Load() {
		return invalidAlready + "somebody reset the fleet while a repetition was under way"
	}
	if d.task.Phase != Timed { // the rest makes only a timed repetition invalid
		return ""
	}
	behind := d.env.Record.Behind(elapsed)
	if d.task.isTrial() { // which may fail for any of these reasons
		if behind {
			return beyondForCertain + d.whatIsSent()
		}
		return ""
	}
	switch errs := c.dialer.errors(); {
	case errs.noPort > 0:
		return invalidAlready + fmt.Sprintf("%d connections found no free local port or address", errs.noPort)
	case errs.noDescriptor > 0:
		return invalidAlready + fmt.Sprintf("%d connections found no free file descriptor", errs.noDescriptor)
	case behind:
		return behindForCertain + d.whatIsSent()
	case d.overflow.Load() > 0:
		return invalidAlready + fmt.Sprintf("%d times were over %v, more than is recorded",
			d.overflow.Load(), d.env.Record.Longest())
	}
	return ""
}

// whatIsSent says whether a load that is behind its plan goes on.
func (d *drive) whatIsSent() string {
	if d.task.load.Drain == 0 {
		return "; nothing more is sent"
	}
	return ""
}

// watchForReset asks the fleet every interval whether somebody else has reset it since it had the
// given generation, until ctx ends. It returns once that is so.
func (d *drive) watchForReset(ctx context.Context, fleet target.Witness, generation uint64, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		// A fleet that doesn't answer is the watchdog's concern.
		if now, err := fleet.Status(ctx); err == nil && now.Generation != generation {
			d.reset.Store(true)
			return
		}
	}
}
