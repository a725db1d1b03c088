package load

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
)

// A standIn is a client whose operations take a given time of a synctest bubble's clock.
type standIn struct {
	takes func(n int64) time.Duration
	fails func(n int64) bool
	n     atomic.Int64
	busy  atomic.Int64
	most  atomic.Int64
}

func (s *standIn) Push(ctx context.Context, _ delivery.Device, _ *delivery.Update) error {
	n := s.n.Add(1) - 1
	busy := s.busy.Add(1)
	defer s.busy.Add(-1)
	for most := s.most.Load(); busy > most && !s.most.CompareAndSwap(most, busy); most = s.most.Load() {
	}
	if s.takes != nil {
		timer := time.NewTimer(s.takes(n))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.fails != nil && s.fails(n) {
		return errors.New("no")
	}
	return nil
}

func (s *standIn) Verify(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	return s.Push(ctx, d, u)
}

func (s *standIn) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	return delivery.Report{Pushes: 3, Verifies: 2, Push: 2 * time.Millisecond, Verify: time.Millisecond}, s.Push(ctx, d, u)
}

func (s *standIn) Close() error { return nil }

// nothing is a client that does nothing.
type nothing struct{}

func (nothing) Push(context.Context, delivery.Device, *delivery.Update) error   { return nil }
func (nothing) Verify(context.Context, delivery.Device, *delivery.Update) error { return nil }
func (nothing) Deliver(context.Context, delivery.Device, *delivery.Update) (delivery.Report, error) {
	return delivery.Report{}, nil
}
func (nothing) Close() error { return nil }

// someDevices is a number of devices without IDs or addresses.
type someDevices int

func (n someDevices) Len() int               { return int(n) }
func (n someDevices) At(int) delivery.Device { return delivery.Device{} }

// each returns a function that gives every operation the same time.
func each(d time.Duration) func(int64) time.Duration { return func(int64) time.Duration { return d } }

// newEnv returns an environment for an executor, with a recording.
func newEnv(x Executor, op delivery.Op, devices int, c Client) Env {
	config := RecordingConfig{Op: op, Devices: devices}
	switch x := x.(type) {
	case ClosedLoop:
		config.Workers = x.Workers
	case ArrivalRate:
		config.Planned, config.Workers = true, max(x.Workers, x.MaxWorkers)
	}
	return Env{Client: c, Op: op, Devices: someDevices(devices), Record: NewRecording(config), Seed: 1}
}

// run runs a load of pushes to so many devices.
func run(ctx context.Context, x Executor, devices int, c Client) (Result, *Recording) {
	e := newEnv(x, delivery.OpPush, devices, c)
	result, err := x.Run(ctx, e)
	if err != nil {
		panic(err)
	}
	return result, e.Record
}
