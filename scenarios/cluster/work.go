package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// work does the agent's part: it drives its shard of the devices, or is the fleet that another
// agent drives.
func (j *job) work(ctx context.Context) (err error) {
	if j.offer.Artifact != nil && j.offer.Role != Fleet {
		dir, err := scratch.New("", "fleetmark-artifact")
		if err != nil {
			return fmt.Errorf("a place for the artifact: %w", err)
		}
		defer func() { err = errors.Join(err, dir.Close()) }()
		j.doing("getting the artifact", 0, 0)
		j.spec.Artifact.File = filepath.Join(dir.Path, "artifact")
		if err := fetchArtifact(ctx, j.js, j.offer.Run, *j.offer.Artifact, j.spec.Artifact.File); err != nil {
			return err
		}
	}
	if j.offer.Role == Fleet {
		return j.serveFleet(ctx)
	}
	return j.drive(ctx)
}

// drive runs the scenario.
func (j *job) drive(ctx context.Context) error {
	a := j.agent
	o := a.Options()
	o.Spec, o.Out, o.Command, o.Revision, o.Machine = j.spec, a.Out, j.offer.Command, a.Revision, a.Machine
	if f := j.offer.Fleet; f != nil {
		o.Target.Address, o.Target.Control, o.Target.Token, o.Target.CA = f.Address, f.Control, f.Token, f.CA
	}
	o.Observer = jobObserver{j}
	var began, within, late int64 // of the repetition that runs
	o.Gate = j.gate
	o.OnBegin = func(_ runner.Repetition, at time.Time) {
		began, within = j.controllersTime(at)
		j.mu.Lock()
		defer j.mu.Unlock()
		late = max(0, began-j.controller.Start)
	}
	writer := portion.NewIntervalWriter()
	o.OnInterval = func(rep runner.Repetition, v *load.Interval, counted *delivery.Stats) {
		j.out.addInterval(func(dst []byte) []byte {
			dst = fmt.Appendf(dst, `{"repetition":{"phase":%q,"number":%d},"interval":`, rep.Phase, rep.Number)
			return append(writer.Append(dst, v, counted), '}')
		})
	}
	o.OnPortion = func(rep runner.Repetition, p *portion.Portion) {
		p.StartLateNS = late
		j.out.add(portionKind, encode(portionMessage{keyOf(rep), began, within, encode(p)}))
	}
	if err := o.Validate(); err != nil {
		return err
	}
	if j.offer.Role == Both {
		j.doing("starting its fleet", 0, 0)
	} else {
		j.doing("opening its fleet", 0, 0)
	}
	r, err := runner.Start(ctx, o)
	if err != nil {
		return causeOf(ctx, err)
	}
	j.directory = r.Directory()
	err = j.report(ctx, r)
	if err != nil {
		ctx = canceled(ctx, err)
	}
	result, measured := r.Measure(ctx)
	verdict := results.Verdict("") // only the run of all agents is judged
	if !result.Run.Valid {
		verdict = results.Invalid
	}
	err = errors.Join(err, measured, r.Finish(verdict))
	j.update(func(s *agentState) { s.Status = string(result.Run.Status) })
	if err == nil && result.Run.Status == results.StatusInterrupted {
		err = context.Cause(ctx)
	}
	return err
}

// causeOf returns why ctx ended, if it did, or else err.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// canceled returns a context that has ended with a cause.
func canceled(ctx context.Context, cause error) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	cancel(cause)
	return ctx
}

// report tells the controller that the agent is ready for the first repetition, and with what.
func (j *job) report(ctx context.Context, r *runner.Running) error {
	plan, err := planDigest(j.spec, j.offer.Artifact)
	if err != nil {
		return err
	}
	j.doing("comparing clocks", 0, 0)
	if err := j.measureOffset(ctx, firstExchanges); err != nil {
		return err
	}
	j.mu.Lock()
	o := j.offset
	j.mu.Unlock()
	j.doing("", 0, 0)
	j.update(func(s *agentState) {
		s.Phase = ready
		s.Ready = &readiness{
			Plan: plan, Artifact: r.ArtifactDigest(), Offset: int64(o.theirs), Error: int64(o.within),
			Run: filepath.Base(r.Directory()), Devices: r.Devices(), Client: r.Client(), FleetKind: r.FleetKind(),
		}
	})
	return nil
}

// offsetAge is how old an offset may be when a repetition begins: the clocks may have moved apart
// by 0.1 ms.
const offsetAge = time.Second

// gate waits until the controller starts a repetition, for all agents at the same moment.
func (j *job) gate(ctx context.Context, rep runner.Repetition) error {
	key := keyOf(rep)
	j.mu.Lock()
	old := time.Since(j.offset.taken) > offsetAge
	j.mu.Unlock()
	if old {
		if err := j.measureOffset(ctx, nextExchanges); err != nil {
			return err
		}
	}
	j.update(func(s *agentState) { s.Phase, s.AtGate, s.Armed = running, key, 0 })
	s, err := j.await(ctx, func(s controllerState) bool { return s.Repetition == key && s.Start != 0 })
	if err != nil {
		return err
	}
	j.update(func(a *agentState) { a.Armed = s.Start })
	j.mu.Lock()
	o := j.offset
	j.mu.Unlock()
	return sleepUntil(ctx, j.agent.clock.moment(s.Start-int64(o.theirs)))
}

// controllersTime returns a moment by the controller's clock, and how far off that may be, in
// nanoseconds.
func (j *job) controllersTime(at time.Time) (theirs, within int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.agent.clock.at(at) + int64(j.offset.theirs), int64(j.offset.error(at))
}

// A jobObserver tells the controller what is done outside a load. The load itself is in the
// intervals.
type jobObserver struct{ j *job }

func (o jobObserver) Doing(_ runner.Repetition, a runner.Activity) {
	o.j.doing(string(a.Stage), a.Done, a.Of)
}
func (jobObserver) Begin(runner.Repetition)                     {}
func (jobObserver) Progress(runner.Repetition, runner.Progress) {}
func (jobObserver) End(runner.Repetition, runner.Progress)      {}
