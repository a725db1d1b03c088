package load

import (
	"context"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
)

// A Witnessed is a load that somebody else makes, such as a service that updates all devices once
// it was told to. Operation n is the update of device n. No operation is sent from here: a witness
// says when each began and ended. Its response time counts from when the load began.
type Witnessed struct {
	// Watch begins the load, and returns when it is over, or soon after ctx ended. It tells what
	// happened to the devices by the methods of the Sightings.
	Watch func(ctx context.Context, s *Sightings) error
}

// Expect implements [Executor].
func (w Witnessed) Expect(devices int) Expectation { return Expectation{Operations: int64(devices)} }

// Run implements [Executor]. If ctx ends, devices whose update began and isn't over count as broken
// off.
func (w Witnessed) Run(ctx context.Context, e Env) (Result, error) {
	l := newLoop(e, 0, 0, 0)
	l.begun = make([]bool, e.Devices.Len())
	s := &Sightings{loop: l, recorder: e.Record.recorder(0), ended: make([]bool, e.Devices.Len())}
	if err := l.awaitStart(ctx); err != nil {
		return Result{}, err
	}
	if e.OnReady != nil {
		e.OnReady()
	}
	l.startClock()
	intervals := &e.Record.intervals
	if e.OnInterval != nil {
		intervals.receive, intervals.align = e.OnInterval, e.AlignIntervals
		s.next = intervals.end(0)
		e.Record.tally.startIntervals(s.next, 0)
	}
	err := w.Watch(ctx, s)
	elapsed := time.Since(l.start)
	if ctx.Err() != nil {
		err = nil // ended by the caller, which is no error
		for i, begun := range l.begun {
			if begun && !s.ended[i] {
				e.Record.countBrokenOff(i)
			}
		}
	}
	if e.OnInterval != nil {
		e.Record.endInterval(max(elapsed, intervals.v.End), never, true)
	}
	result := l.result(elapsed, 0)
	result.Workers = 1
	return result, err
}

// Sightings records what a witness saw of a load. One goroutine may use it.
type Sightings struct {
	loop     *loop
	recorder *recorder
	ended    []bool
	next     time.Duration // when the interval that goes on ends
}

// Start sets when the load began, which is otherwise when Watch was called. It must come before all
// other sightings.
func (s *Sightings) Start(t time.Time) { s.loop.start = t }

// Began records that the update of device i has begun. Further calls do nothing.
func (s *Sightings) Began(i int) { s.loop.begin(s.recorder, i) }

// Updated records that device i runs the update, since a time after the load's start. Further calls
// do nothing.
func (s *Sightings) Updated(i int, at time.Duration) {
	if s.ended[i] {
		return
	}
	s.ended[i] = true
	s.Began(i)
	at = max(at, 1) // a response time of 0 is none
	s.loop.Record.Outcomes.Succeed(i)
	s.recorder.recordSuccess(&success{device: i, done: at, response: at, service: at})
}

// Failed records that device i doesn't run the update at the end of the load, at a time after its
// start.
func (s *Sightings) Failed(i int, at time.Duration, class, format string, args ...any) {
	if s.ended[i] {
		return
	}
	s.ended[i] = true
	s.Began(i)
	s.loop.Record.Outcomes.Fail(i)
	s.recorder.recordFailure(0, at)
	s.loop.Record.Failures.add(i, s.loop.Devices.At(i), delivery.OpDeliver, 0, delivery.Report{}, at,
		sightedError{class, fmt.Sprintf(format, args...)})
}

// Until says that all sightings before a time were recorded, so that intervals until then are over.
func (s *Sightings) Until(t time.Duration) {
	if s.loop.OnInterval == nil {
		return
	}
	for s.next <= t {
		end := s.next
		s.next = s.loop.Record.intervals.end(end)
		s.loop.Record.endInterval(end, s.next, false)
	}
}

// A sightedError says what a witness saw of a device that wasn't updated.
type sightedError struct{ class, text string }

func (e sightedError) Error() string { return e.text }

// Class returns the class by which the failure is counted.
func (e sightedError) Class() string { return e.class }
