package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

var (
	// errTargetSilent ends a run whose fleet doesn't answer, although it hasn't ended.
	errTargetSilent = errors.New("the fleet was lost")
	// errClientHangs ends a run whose client waits for something that doesn't come.
	errClientHangs = errors.New("the client hangs")
)

// A watchdog notices a fleet that doesn't answer any more, and a client of another module that hangs.
//
// If a process was stopped or its machine hangs, connections aren't refused: every operation would
// wait for its deadline, and with many devices the run would take hours. A client whose operations
// have no deadline would wait for ever for a device that doesn't answer, as devices of some scenarios
// do.
type watchdog struct {
	interval time.Duration // how often it checks whether anything came from the devices
	timeout  time.Duration // how long the control port may then take to answer
	hang     time.Duration // how long operations of a client may run without a byte sent or received
}

// The times of a run's watchdog. While anything comes from the devices, it sends no request to the
// fleet. The timeout is longer than a fleet with too little processor time takes to answer.
const (
	watchInterval = 5 * time.Second
	watchTimeout  = 20 * time.Second
	watchHang     = time.Minute
)

// newWatchdog returns the watchdog of a session.
func newWatchdog(s *Session) watchdog {
	c := s.spec.Client
	return watchdog{watchInterval, watchTimeout, max(watchHang, 2*c.TotalTimeout.Std(), 2*c.AnswerTimeout.Std())}
}

// watch waits until nothing has come from the devices for an interval and the control port doesn't
// answer, or until the client hangs. Then it calls lost and returns. It also returns when ctx ends.
func (w watchdog) watch(ctx context.Context, s *Session, lost func(error)) {
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	var last uint64
	var traffic mockfleet.Traffic
	moved := time.Now() // when the fleet's traffic last changed
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if now := s.activity(); now != last {
			last, moved = now, time.Now()
			continue
		}
		status, err := w.ping(ctx, s.target.Witness())
		if err != nil && ctx.Err() == nil {
			lost(err)
			return
		}
		running := s.running()
		if now := status.Traffic; now != traffic || running == 0 || !s.isForeign {
			traffic, moved = now, time.Now()
			continue
		}
		if time.Since(moved) >= w.hang {
			lost(fmt.Errorf("%w: %s of it run, and for %v nothing was sent or received: "+
				"give its requests a deadline, such as that of client.total_timeout",
				errClientHangs, plaintext.Count(int(running), "operation"), w.hang))
			return
		}
	}
}

// activity returns a number that changes when something comes from the devices: bytes that the
// client read, or operations that ended if it doesn't count bytes.
func (s *Session) activity() uint64 {
	c := s.current.Load()
	if c == nil {
		return 0
	}
	if stats := c.stats(); stats != nil {
		return stats.BytesRead
	}
	t := s.recording.Totals()
	return uint64(t.Succeeded + t.Failed)
}

// running returns how many operations of the client run, in the load or to prepare it.
func (s *Session) running() int64 {
	n := s.recording.InFlight()
	if updating := s.updating.Load(); updating != nil {
		n += updating.InFlight()
	}
	return n
}

// ping asks the control port for the fleet's status, to see whether it answers.
func (w watchdog) ping(ctx context.Context, fleet target.Witness) (s mockfleet.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	s, err = fleet.Status(ctx)
	switch {
	case err == nil:
		return s, nil
	case ctx.Err() != nil:
		return s, fmt.Errorf("%w: nothing comes from its devices, and its control port did not answer within %v",
			errTargetSilent, w.timeout)
	}
	return s, fmt.Errorf("%w: nothing comes from its devices, and its control port can't be asked: %w", errTargetSilent, err)
}
