package delivery

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Retry bounds how Deliver tries again. A zero field takes its default.
type Retry struct {
	// MaxAttempts is how often an update may be pushed to one device in one Deliver,
	// and how often one verification may fail to be answered. Default 4.
	MaxAttempts int
	// Base is the widest first wait; each further one may be twice as wide, up to
	// Cap. The wait itself is drawn uniformly from 0 to that width (full jitter), so
	// that devices which failed together don't come back together.
	// Defaults 100 ms and 10 s.
	Base, Cap time.Duration
	// Poll is the wait between two looks at a device that is installing or rebooting,
	// and PollFor how long Deliver looks before it reports ClassPending.
	// Defaults 1 s and 5 min.
	Poll, PollFor time.Duration
	// GoodReads is how many answers in a row must say that the device runs the update,
	// a Poll apart, before it counts. A device that was seen to install, reboot or be
	// gone after its push takes two at least: it may come up right and then go back.
	// Default 1.
	GoodReads int
}

const maxAttempts = 1000

func (r Retry) withDefaults() Retry {
	if r.MaxAttempts == 0 {
		r.MaxAttempts = 4
	}
	if r.GoodReads == 0 {
		r.GoodReads = 1
	}
	for _, f := range []struct {
		d  *time.Duration
		to time.Duration
	}{{&r.Base, 100 * time.Millisecond}, {&r.Cap, 10 * time.Second}, {&r.Poll, time.Second}, {&r.PollFor, 5 * time.Minute}} {
		if *f.d == 0 {
			*f.d = f.to
		}
	}
	return r
}

// Validate reports everything that is wrong with the policy, a line each.
func (r Retry) Validate() error {
	var errs []error
	if r.MaxAttempts < 0 || r.MaxAttempts > maxAttempts {
		errs = append(errs, fmt.Errorf("delivery: retry.max_attempts %d: want 0 (the default) to %d", r.MaxAttempts, maxAttempts))
	}
	if r.GoodReads < 0 || r.GoodReads > maxAttempts {
		errs = append(errs, fmt.Errorf("delivery: retry.good_reads %d: want 0 (the default) to %d", r.GoodReads, maxAttempts))
	}
	for _, f := range []struct {
		name string
		d    time.Duration
	}{{"base", r.Base}, {"cap", r.Cap}, {"poll", r.Poll}, {"poll_for", r.PollFor}} {
		if f.d < 0 || f.d > maxTimeout {
			errs = append(errs, fmt.Errorf("delivery: retry.%s %v: want 0 (the default) to %v", f.name, f.d, maxTimeout))
		}
	}
	return errors.Join(errs...)
}

// Delay is the wait before retry n (the first is 1), for a draw from [0, 1). Full
// jitter: uniform from 0 to min(Cap, Base·2^(n−1)). It is pure, so a table tests it.
func (r Retry) Delay(n int, draw float64) time.Duration {
	width := r.Base
	for i := 1; i < n && width < r.Cap; i++ {
		width *= 2 // width < Cap <= 24 h, so it can't overflow
	}
	return time.Duration(draw * float64(min(width, r.Cap)))
}

// dice makes a random source safe for concurrent use.
type dice struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func newDice(src rand.Source) *dice { return &dice{rnd: rand.New(src)} }

// draw gives a number from [0, 1).
func (d *dice) draw() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.Float64()
}
