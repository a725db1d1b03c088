package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/scenarios/target"
)

// errTargetSilent ends a run whose fleet doesn't answer, although it hasn't ended.
var errTargetSilent = errors.New("the fleet was lost")

// A watchdog notices a fleet that doesn't answer any more. If a process was stopped or its machine
// hangs, connections aren't refused: every operation would wait for its deadline, and with many
// devices the run would take hours.
type watchdog struct {
	interval time.Duration // how often it checks whether anything came from the devices
	timeout  time.Duration // how long the control port may then take to answer
}

// The times of a run's watchdog. While anything comes from the devices, it sends no request to the
// fleet. The timeout is longer than a fleet with too little processor time takes to answer.
const (
	watchInterval = 5 * time.Second
	watchTimeout  = 20 * time.Second
)

// watch waits until nothing has come from the devices for an interval and the control port doesn't
// answer. Then it calls lost and returns. It also returns when ctx ends.
func (w watchdog) watch(ctx context.Context, s *Session, lost func(error)) {
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	var last uint64
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if now := s.activity(); now != last {
			last = now
			continue
		}
		if err := w.ping(ctx, s.target.Witness()); err != nil && ctx.Err() == nil {
			lost(err)
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

// ping sends a request to the control port to see whether it answers.
func (w watchdog) ping(ctx context.Context, fleet target.Witness) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	_, err := fleet.Status(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: nothing comes from its devices, and its control port did not answer within %v",
			errTargetSilent, w.timeout)
	}
	return fmt.Errorf("%w: nothing comes from its devices, and its control port can't be asked: %w", errTargetSilent, err)
}
