package exchange

import (
	"sync"
	"time"
)

// An Event ends a phase of a request.
type Event uint8

// The events, in their order.
const (
	Prepared  Event = iota // from here on the request waits for a connection
	Connected              // a new TCP connection is open; TLS may follow
	Secured                // the TLS handshake is done
	GotConn                // from here on the request is written
	Written                // the system has taken its last byte
	Answered               // the response's first byte came
	numEvents
)

// Times are when the events of a request happened. One that didn't happen has the zero time.
type Times struct {
	At     [numEvents]time.Time
	Reused bool // the connection was kept alive
}

// Trace collects the times of a request. It is safe for concurrent use: net/http marks events from
// goroutines of its own, and also marks events of a connection that it then doesn't use for the
// request. A nil
// Trace does nothing and costs nothing.
type Trace struct {
	mu    sync.Mutex
	times Times
}

// Mark notes that an event happens now. If an event happens again, its last time counts.
func (t *Trace) Mark(e Event) {
	if t == nil {
		return
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.times.At[e] = now
}

// GotConn notes that the request has a connection, perhaps in place of an earlier one. The events
// of the earlier connection are dropped.
func (t *Trace) GotConn(reused bool) {
	if t == nil {
		return
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.times
	s.Reused, s.At[GotConn] = reused, now
	s.At[Written], s.At[Answered] = time.Time{}, time.Time{}
	if reused {
		s.At[Connected], s.At[Secured] = time.Time{}, time.Time{}
	} else if s.At[Connected].IsZero() {
		s.At[Connected] = now
	}
}

// Snapshot returns the times so far.
func (t *Trace) Snapshot() Times {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.times
}
