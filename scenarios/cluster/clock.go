package cluster

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// A clock is the monotonic clock of a process, in nanoseconds since some moment. The clocks of two
// processes differ by an offset, which changes slowly: by some 50 µs a second at most.
type clock struct{ base time.Time }

// newClock returns a clock that begins now, at the time of day, so that times of different
// processes are alike.
func newClock() clock { return clock{time.Now()} }

// now returns the time.
func (c clock) now() int64 { return c.at(time.Now()) }

// at returns the time at a moment of this process.
func (c clock) at(t time.Time) int64 { return c.base.UnixNano() + int64(t.Sub(c.base)) }

// moment returns the moment of this process at a time of the clock.
func (c clock) moment(at int64) time.Time { return c.base.Add(time.Duration(at - c.base.UnixNano())) }

// An offset is the difference between another process's clock and this one's.
type offset struct {
	theirs time.Duration // what is added to this process's time to get the other's
	within time.Duration // how far off that may be
	taken  time.Time     // when it was measured
}

// How often the clock is read for an offset: at first, and again before each start.
const (
	firstExchanges = 200
	nextExchanges  = 40
)

// clockDrift is how fast two clocks may move apart: quartz clocks are within 100 parts in a
// million.
const clockDrift = 100e-6

// measureOffset asks for the other process's time n times, and returns the offset by the exchange
// that took least: the other clock was read within it, so the offset is off by half of it at most.
// ask returns the other clock's time.
func measureOffset(ctx context.Context, c clock, n int, ask func(context.Context) (int64, error)) (offset, error) {
	best := offset{within: time.Hour}
	var failed error
	for range n {
		sent := time.Now()
		theirs, err := ask(ctx)
		took := time.Since(sent)
		if ctx.Err() != nil {
			return offset{}, context.Cause(ctx)
		}
		if err != nil {
			failed = err
			continue
		}
		if took/2 < best.within {
			best = offset{time.Duration(theirs - c.at(sent.Add(took/2))), took / 2, sent}
		}
	}
	if best.taken.IsZero() {
		return offset{}, fmt.Errorf("the controller's clock can't be read: %w", failed)
	}
	return best, nil
}

// error returns how far off the offset may be at a moment, since the clocks may have moved apart.
func (o offset) error(now time.Time) time.Duration {
	return o.within + time.Duration(clockDrift*float64(now.Sub(o.taken)))
}

// A clock's time in a message is 8 bytes.
func appendTime(dst []byte, at int64) []byte { return binary.BigEndian.AppendUint64(dst, uint64(at)) }

func readTime(b []byte) (int64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("a time of %d bytes: want 8", len(b))
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// preciseWait is how long before a moment sleepUntil stops to sleep, since timers may be a
// millisecond late.
const preciseWait = 1500 * time.Microsecond

// sleepUntil waits until a moment, as exactly as the scheduler allows. It returns ctx's cause if
// ctx ends first.
func sleepUntil(ctx context.Context, moment time.Time) error {
	if wait := time.Until(moment) - preciseWait; wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	for ctx.Err() == nil && time.Until(moment) > 0 {
		// A busy wait: it is over in 1.5 ms, before anything is measured.
	}
	return context.Cause(ctx)
}
