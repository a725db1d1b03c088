package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// measureClock returns how long a reading of the clock takes. It takes the median of several
// batches, since an interrupt may disturb one.
func measureClock() time.Duration {
	const batches, readings = 21, 5000
	var costs []time.Duration
	for range batches {
		began := time.Now()
		for range readings {
			_ = time.Now()
		}
		costs = append(costs, time.Since(began)/readings)
	}
	slices.Sort(costs)
	return costs[batches/2]
}

const (
	timerWait  = time.Millisecond
	timerTurns = 500
	timerLimit = 2 * time.Second // long enough to notice timers that are very late
)

// measureTimers waits for a timer of a millisecond timerTurns times, or until timerLimit has
// passed.
func measureTimers(ctx context.Context) (Timer, error) {
	var late []time.Duration
	timer := time.NewTimer(timerWait)
	defer timer.Stop()
	for began := time.Now(); len(late) < timerTurns && time.Since(began) < timerLimit; {
		expected := time.Now().Add(timerWait)
		timer.Reset(timerWait)
		select {
		case <-timer.C:
			late = append(late, time.Since(expected))
		case <-ctx.Done():
			return Timer{}, ctx.Err()
		}
	}
	return summarize(late), nil
}

// summarize returns percentiles of how late timers were.
func summarize(late []time.Duration) Timer {
	slices.Sort(late)
	at := func(percent int) time.Duration { return late[(len(late)-1)*percent/100] }
	return Timer{P50: at(50), P99: at(99), Turns: len(late)}
}

// tryLoopback starts a fleet with the addressing that a run would use, and checks whether ::1
// exists.
func tryLoopback(ctx context.Context) Loopback {
	addressing := address.DefaultMode()
	l := Loopback{Addressing: string(addressing)}
	if err := pingSecondDevice(ctx, addressing); err != nil {
		l.Refused = err.Error()
	}
	var config net.ListenConfig
	six, err := config.Listen(ctx, "tcp6", "[::1]:0")
	if err == nil {
		err = six.Close()
	}
	if err != nil {
		l.NoIPv6 = err.Error()
	}
	return l
}

// pingSecondDevice requests the health of a fleet's second device, since the first may have the
// address 127.0.0.1, which always works.
func pingSecondDevice(ctx context.Context, addressing address.Mode) (err error) {
	fleet, err := mockfleet.Start(ctx, mockfleet.Config{Devices: 2, Addressing: addressing})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fleet.DeviceAddress(1)+"/health", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<10))
	if answer.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("GET /health answers %s", answer.Status))
	}
	return errors.Join(err, answer.Body.Close())
}
