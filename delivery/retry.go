package delivery

import (
	"bytes"
	"cmp"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
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

// Validate reports everything that is wrong with the policy, a line each.
func (r Retry) Validate() error {
	m := mistakes{of: "delivery: retry."}
	checkMost(&m, "max_attempts", r.MaxAttempts, maxAttempts)
	checkMost(&m, "good_reads", r.GoodReads, maxAttempts)
	checkMost(&m, "base", r.Base, maxTimeout)
	checkMost(&m, "cap", r.Cap, maxTimeout)
	checkMost(&m, "poll", r.Poll, maxTimeout)
	checkMost(&m, "poll_for", r.PollFor, maxTimeout)
	return m.err()
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

// maxRetryAfter bounds what a device may ask for; more is taken as this much.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the values of Retry-After, a line each, and returns the longest wait
// (RFC 9110 §10.2.3). A value is a number of seconds, however large, or a date, which is
// read against the answer's own Date, because the device's clock need not be ours; without
// one it is read against now (§6.6.1). It returns 0 if nothing usable was said.
func retryAfter(values, date []byte, now time.Time) time.Duration {
	longest := time.Duration(0)
	for value := range bytes.Lines(values) {
		longest = max(longest, oneRetryAfter(string(bytes.TrimSpace(value)), date, now))
	}
	return longest
}

func oneRetryAfter(value string, date []byte, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		if err != nil || seconds > uint64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		// A proxy may have made a list of two (RFC 9110 §5.3).
		if first, rest, list := strings.Cut(value, ","); list {
			return max(oneRetryAfter(first, date, now), oneRetryAfter(strings.TrimSpace(rest), date, now))
		}
		return 0
	}
	if said, err := http.ParseTime(string(date)); err == nil {
		now = said
	}
	return max(0, min(until.Sub(now), maxRetryAfter))
}
