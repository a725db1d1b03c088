package delivery

import (
	"cmp"
	"container/list"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
)

// Breaker stops the operations (Push, Verify or Deliver) on a device that can't be reached, to
// spare the device and the callers that wait for it. After Failures failed operations in a row,
// further ones fail at once with ErrBreakerOpen. After CoolDown one operation is let through: if it
// fails as well, the breaker stays open for another CoolDown; otherwise it closes.
//
// The class of an operation's error decides whether it counts as failed. ClassNotSent,
// ClassTimeout, ClassAmbiguous and ClassProtocol count: nothing answered, or the answer came from a
// device that doesn't work (408; 5xx except 501, 503 and 505), or it didn't follow the device
// interface. Any other answer shows that a device is there, even if it refuses (404), asks for a
// pause (429, 503) or runs something else. Such an answer resets the count, as a success does. An
// operation that its caller ended doesn't change the count. Neither does one that got no answer and
// can't get one, such as one with a refused certificate.
type Breaker struct {
	// Failures is how many operations in a row open it. Default 5; -1: never.
	Failures int
	// CoolDown is how long it stays open. Default 30 s.
	CoolDown time.Duration
	// Devices bounds how many failing addresses are remembered, some 200 bytes each;
	// the one that failed longest ago is forgotten. Default 16384.
	Devices int
}

// ErrBreakerOpen is wrapped in an *Error of ClassNotSent.
var ErrBreakerOpen = errors.New("breaker is open: the device failed too often in a row")

const maxBreakerDevices = 1 << 20

func (b Breaker) withDefaults() Breaker {
	b.Failures, b.CoolDown, b.Devices = cmp.Or(b.Failures, 5), cmp.Or(b.CoolDown, 30*time.Second), cmp.Or(b.Devices, 16<<10)
	return b
}

// Validate returns an error with a line for each mistake in the breaker, or nil if there is none.
func (b Breaker) Validate() error {
	m := check.Mistakes{Prefix: "delivery: breaker."}
	if b.Failures < -1 || b.Failures > maxAttempts {
		m.Add("failures %d: want -1 (never), 0 (the default) to %d", b.Failures, maxAttempts)
	}
	check.AtMost(&m, "cool_down", b.CoolDown, check.MaxTimeout)
	check.AtMost(&m, "devices", b.Devices, maxBreakerDevices)
	return m.Err()
}

// outcome is what the end of an operation shows about a device.
type outcome uint8

const (
	neutral outcome = iota // nothing
	alive
	dead
)

// outcomeOf returns the outcome of an operation that ended with e. ended reports whether its caller
// ended it.
func outcomeOf(e *Error, ended bool) outcome {
	switch {
	case e == nil:
		return alive
	case ended:
		return neutral
	case e.Class == ClassNotSent || e.Class == ClassTimeout || e.Class == ClassAmbiguous || e.Class == ClassProtocol:
		return dead
	case e.Status != 0:
		return alive
	default:
		return neutral
	}
}

// breakers remembers the addresses that failed lately. Its methods are given the time, and read no
// clock.
type breakers struct {
	limits Breaker
	any    atomic.Bool // any address is remembered; if not, an operation takes no lock
	opened atomic.Uint64

	mu     sync.Mutex
	byAddr map[string]*list.Element // of failing
	recent list.List                // the one that failed last is in front
}

type failing struct {
	address  string
	failures int
	until    time.Time // open until then; afterwards one operation may try
	trying   bool
}

func newBreakers(limits Breaker) *breakers {
	return &breakers{limits: limits, byAddr: map[string]*list.Element{}}
}

// allow reports whether an operation may begin. If it may, its end must be passed to record.
func (b *breakers) allow(address string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.find(address)
	if f == nil || f.failures < b.limits.Failures {
		return true
	}
	if f.trying || now.Before(f.until) {
		return false
	}
	f.trying = true
	return true
}

// record notes the outcome of an operation that has ended.
func (b *breakers) record(address string, now time.Time, o outcome) {
	if b.limits.Failures < 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.find(address)
	switch {
	case o == alive:
		b.forget(b.byAddr[address])
	case o == neutral:
		if f != nil {
			f.trying = false
		}
	case f == nil:
		if b.recent.Len() >= b.limits.Devices {
			b.forget(b.recent.Back())
		}
		address = strings.Clone(address) // it may be part of a larger string, which it would keep in memory
		f = &failing{address: address}
		b.byAddr[address] = b.recent.PushFront(f)
		b.any.Store(true)
		b.fail(f, now)
	default:
		b.recent.MoveToFront(b.byAddr[address])
		b.fail(f, now)
	}
}

func (b *breakers) fail(f *failing, now time.Time) {
	f.failures++
	f.trying = false
	if f.failures >= b.limits.Failures {
		f.until = now.Add(b.limits.CoolDown)
	}
	if f.failures == b.limits.Failures {
		b.opened.Add(1)
	}
}

func (b *breakers) find(address string) *failing {
	if e := b.byAddr[address]; e != nil {
		if f, ok := e.Value.(*failing); ok {
			return f
		}
	}
	return nil
}

func (b *breakers) forget(e *list.Element) {
	if e == nil {
		return
	}
	if f, ok := b.recent.Remove(e).(*failing); ok {
		delete(b.byAddr, f.address)
	}
	b.any.Store(b.recent.Len() > 0)
}
