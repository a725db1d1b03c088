package load

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
)

// A Rollout is the client's own rollout over all devices. The client must be a [Rollouter].
type Rollout struct {
	Options rollout.Options // OnEvent, if not nil, is called for every event, too
}

// Expect implements [Executor].
func (r Rollout) Expect(devices int) Expectation { return Expectation{Operations: int64(devices)} }

// Run implements [Executor]. A rollout that stops because too many devices failed is no error: that
// is what it is for, and Result.Stopped says why.
func (r Rollout) Run(ctx context.Context, e Env) (Result, error) {
	client, ok := e.Client.(Rollouter)
	if !ok {
		return Result{}, errors.New("the client has no rollout")
	}
	index := make(map[string]int, e.Devices.Len())
	for i := range e.Devices.Len() {
		index[e.Devices.At(i).Address] = i
	}
	l := newLoop(e, 0, 0, 0)
	onEvent := r.Options.OnEvent
	r.Options.OnEvent = func(event rollout.Event) {
		if onEvent != nil {
			onEvent(event)
		}
		l.recordEvent(event, index[event.Device.Address])
	}
	if err := l.awaitStart(ctx); err != nil {
		return Result{}, err
	}
	if e.OnReady != nil {
		e.OnReady()
	}
	l.begun = make([]bool, e.Devices.Len())
	l.startClock()
	stopIntervals := l.startIntervals()
	report, err := client.Rollout(ctx, all(e.Devices), e.Update, r.Options)
	elapsed := time.Since(l.start)
	stopIntervals(elapsed)
	result := l.result(elapsed, 0)
	if _, aborted := errors.AsType[*rollout.AbortError](err); aborted {
		result.Stopped = fmt.Errorf("%w; %v", err, report)
		return result, nil
	}
	if ctx.Err() != nil {
		err = nil // ended by the caller, which is no error
	}
	return result, err
}

// recordEvent records what happened to device i. Only one goroutine calls it at a time.
//
// Only the event that ends a device counts. Its report covers all attempts at the device, so it
// includes what earlier events for attempts that are to be repeated (rollout.DeviceWaiting)
// reported.
func (l *loop) recordEvent(e rollout.Event, i int) {
	r, outcomes, took := l.Record.recorder(0), l.Record.Outcomes, e.Report.Push+e.Report.Verify+e.Report.Waited
	wave := int32(e.Progress.Wave)
	l.Record.wave.Store(wave)
	switch e.Kind {
	case rollout.DeviceBegun:
		l.begin(r, i)
		return
	case rollout.DeviceHadIt:
		l.begin(r, i)
		r.begun.Add(-1) // it was only asked, which is no operation
	case rollout.DeviceUpdated:
		l.begin(r, i)
		outcomes.Succeed(i)
		r.recordSuccess(&success{
			device: i, done: time.Since(l.start), response: took, service: took, wave: wave, report: e.Report,
		})
		l.Record.countRetries(r, i, e.Report.Retries())
	case rollout.DeviceFailed:
		l.begin(r, i)
		outcomes.Fail(i)
		r.recordFailure(0, took)
		l.Record.countRetries(r, i, e.Report.Retries())
		l.Record.Failures.add(i, e.Device, delivery.OpDeliver, wave, e.Report, took, e.Err)
	case rollout.DeviceInterrupted:
		l.begin(r, i)
		l.Record.countBrokenOff(i)
	default:
		return
	}
	outcomes.Sent(i, e.Report.Pushes, e.Report.Verifies)
}

// begin records that the operation of device i has begun, unless it had begun before. A device that
// waits for another turn counts as running.
func (l *loop) begin(r *recorder, i int) {
	if !l.begun[i] {
		l.begun[i] = true
		r.begun.Add(1)
	}
}

func all(d Devices) iter.Seq[delivery.Device] {
	return func(yield func(delivery.Device) bool) {
		for i := range d.Len() {
			if !yield(d.At(i)) {
				return
			}
		}
	}
}
