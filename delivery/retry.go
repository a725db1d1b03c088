package delivery

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// Retry bounds how Deliver tries again. A zero field takes its default.
type Retry struct {
	// MaxAttempts is how often an update may be pushed to one device in one Deliver,
	// and how often one verification may fail to be answered. Default 4.
	MaxAttempts int
	// Base is the widest first wait; each further one may be twice as wide, up to Cap. The wait
	// itself is drawn uniformly from 0 to that width (full jitter), so that devices which failed
	// together don't come back together. Defaults 100 ms and 10 s.
	Base, Cap time.Duration
	// Poll is the wait between two looks at a device that is installing or rebooting, and PollFor
	// how long Deliver looks before it reports ClassPending. Defaults 1 s and 5 min.
	Poll, PollFor time.Duration
	// GoodReads is how many answers in a row must say that the device runs the update, a Poll
	// apart, before it counts. A device that was seen to install, reboot or be gone after its push
	// takes two at least: it may come up right and then go back. Default 1.
	GoodReads int
}

const maxAttempts = 1000

func (r Retry) withDefaults() Retry {
	r.MaxAttempts, r.GoodReads = cmp.Or(r.MaxAttempts, 4), cmp.Or(r.GoodReads, 1)
	r.Base, r.Cap = cmp.Or(r.Base, 100*time.Millisecond), cmp.Or(r.Cap, 10*time.Second)
	r.Poll, r.PollFor = cmp.Or(r.Poll, time.Second), cmp.Or(r.PollFor, 5*time.Minute)
	return r
}

// Validate returns an error with a line for each mistake in the policy, or nil if there is none.
func (r Retry) Validate() error {
	m := check.Mistakes{Prefix: "delivery: retry."}
	check.AtMost(&m, "max_attempts", r.MaxAttempts, maxAttempts)
	check.AtMost(&m, "good_reads", r.GoodReads, maxAttempts)
	check.AtMost(&m, "base", r.Base, check.MaxTimeout)
	check.AtMost(&m, "cap", r.Cap, check.MaxTimeout)
	check.AtMost(&m, "poll", r.Poll, check.MaxTimeout)
	check.AtMost(&m, "poll_for", r.PollFor, check.MaxTimeout)
	return m.Err()
}

// Delay returns the wait before retry n (the first is 1), for a draw from [0, 1), with full jitter:
// uniform from 0 to min(Cap, Base·2^(n−1)). It is a pure function, so a table tests it.
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

// draw returns a random number from [0, 1).
func (d *dice) draw() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.Float64()
}

// RetryBudget bounds the retries of all devices together, so that a failing fleet doesn't get
// several times its load. Within any TTL, the retries are at most Share of the deliveries that
// succeeded, plus PerSecond for each second. It is a variant of Finagle's RetryBudget
// (com.twitter.finagle.service), which counts requests instead of deliveries that succeeded.
//
// A retry is a further push, or a further verification of a device that didn't answer the last one.
// These are not retries: the first verification after a push, the polls of a device that is
// installing, and the verifications of a rollout before its push. If the budget is empty, a Deliver
// that doesn't belong to a rollout ends. A Deliver of a rollout waits for a retry, and leaves its
// worker to other devices meanwhile, if the budget grants retries by time (PerSecond times TTL is 1
// or more).
type RetryBudget struct {
	// Share of the successful deliveries. Default 0.2; −1: none.
	Share float64
	// PerSecond is a floor for quiet times and small fleets. Default 10; −1: none.
	PerSecond float64
	// TTL is how long a success counts, and a retry. Default 10 s.
	TTL time.Duration
	// Off lets every delivery try again as Retry says.
	Off bool
}

// ErrRetryBudget is what errors.Is finds in the error of a Deliver that the retry
// budget ended; its class is that of the last failure.
var ErrRetryBudget = errors.New("delivery: retry budget is empty")

func (b RetryBudget) withDefaults() RetryBudget {
	for _, f := range []struct {
		v  *float64
		to float64
	}{{&b.Share, 0.2}, {&b.PerSecond, 10}} {
		switch *f.v {
		case 0:
			*f.v = f.to
		case -1:
			*f.v = 0
		}
	}
	b.TTL = cmp.Or(b.TTL, 10*time.Second)
	return b
}

// Validate returns an error with a line for each mistake in the budget, or nil if there is none.
func (b RetryBudget) Validate() error {
	m := check.Mistakes{Prefix: "delivery: budget."}
	for _, f := range []struct {
		name string
		v    float64
		most float64
	}{{"share", b.Share, 1000}, {"per_second", b.PerSecond, 1e6}} {
		if math.IsNaN(f.v) || f.v != -1 && (f.v < 0 || f.v > f.most) {
			m.Add("%s %v: want -1 (none), 0 (the default) to %v", f.name, f.v, f.most)
		}
	}
	check.AtMost(&m, "ttl", b.TTL, check.MaxTimeout)
	return m.Err()
}

// budgetSlots is how finely a budget forgets: a tenth of its TTL at a time.
const budgetSlots = 10

// budget implements a RetryBudget. Its methods are given the time, which must not go back.
type budget struct {
	limits RetryBudget

	queue chan struct{} // holds the waiter that is next; others wait to send
	more  chan struct{} // holds 1: a delivery has succeeded

	mu    sync.Mutex
	since time.Time // of the first slot
	slots [budgetSlots]struct {
		number             int64
		successes, retries int64
	}
}

func newBudget(limits RetryBudget, now time.Time) *budget {
	b := &budget{limits: limits, since: now, queue: make(chan struct{}, 1), more: make(chan struct{}, 1)}
	for i := range b.slots {
		b.slots[i].number = -1
	}
	return b
}

// success counts a delivery that succeeded.
func (b *budget) success(now time.Time) {
	b.mu.Lock()
	b.slots[b.slot(now)].successes++
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default: // nobody waits, or a waiter is about to look
	}
}

// retry takes a retry from the budget, if there is one.
func (b *budget) retry(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left(now) < 1 {
		return false
	}
	b.slots[b.slot(now)].retries++
	return true
}

// refills reports whether the budget grants retries by time alone, so that waiting for one ends.
func (b *budget) refills() bool {
	return b.limits.Off || b.limits.PerSecond*b.limits.TTL.Seconds() >= 1
}

// isAwaited reports whether somebody waits for a retry.
func (b *budget) isAwaited() bool { return len(b.queue) > 0 }

// await waits until the budget has a retry, and takes it. Waiters are served in the order in which
// they came. It returns false if the context ended first.
func (b *budget) await(ctx context.Context) bool {
	select {
	case b.queue <- struct{}{}:
		defer func() { <-b.queue }()
	case <-ctx.Done():
		return false
	}
	for now := time.Now(); !b.retry(now); now = time.Now() {
		if !pacing.Wait(ctx, b.nextSlot(now), b.more) {
			return false
		}
	}
	return true
}

// nextSlot returns how long it takes until the budget forgets some of its retries.
func (b *budget) nextSlot(now time.Time) time.Duration {
	slot := max(1, b.limits.TTL/budgetSlots)
	return max(time.Millisecond, slot-now.Sub(b.since)%slot)
}

// balance returns how many retries are left.
func (b *budget) balance(now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left(now)
}

func (b *budget) left(now time.Time) float64 {
	if b.limits.Off {
		return math.MaxInt32
	}
	number := b.number(now)
	var successes, retries int64
	for i := range b.slots {
		if s := &b.slots[i]; s.number >= 0 && s.number > number-budgetSlots {
			successes += s.successes
			retries += s.retries
		}
	}
	return max(0, b.limits.PerSecond*b.limits.TTL.Seconds()+b.limits.Share*float64(successes)-float64(retries))
}

func (b *budget) number(now time.Time) int64 {
	return int64(now.Sub(b.since) / max(1, b.limits.TTL/budgetSlots))
}

// slot returns the index of the slot of now. It clears what was counted there a TTL ago.
func (b *budget) slot(now time.Time) int64 {
	number := b.number(now)
	i := number % budgetSlots
	if s := &b.slots[i]; s.number != number {
		s.number, s.successes, s.retries = number, 0, 0
	}
	return i
}
