package delivery

import (
	"sync"
	"time"
)

// Timeline is when the phases of one request ended: the operation's request, or one of
// several where a redirect was followed. A phase that didn't happen has the zero time:
// a kept-alive connection is neither connected nor secured, and a request that failed
// has nothing after its failure. Times are monotonic within one Timeline.
type Timeline struct {
	Op     Op
	Device string // as in Error
	Status int    // HTTP status, 0 if there was no answer
	Err    error  // the transport's failure; nil if there was an answer, whatever it says
	Reused bool   // the connection was kept alive

	Begun     time.Time // prepare: from here on the request is made ready
	Prepared  time.Time // connect: from here on it waits for a connection
	Connected time.Time // TLS: a new connection stands, as far as TCP is concerned
	Secured   time.Time // the handshake of TLS is done
	Ready     time.Time // write: from here on the request is written
	Written   time.Time // wait: it was handed to the system to its last byte
	Answered  time.Time // read: the answer's first byte came
	Ended     time.Time // it was read to its end, or the request failed
}

// trace collects a Timeline. net/http tells it from goroutines of its own, and
// sometimes of another connection than the one that the request got in the end. A nil
// one takes nothing and costs nothing.
type trace struct {
	mu   sync.Mutex
	line Timeline
}

// mark notes that a phase has ended, the last time that it does.
func (s *trace) mark(at func(*Timeline) *time.Time) {
	if s == nil {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	*at(&s.line) = now
}

// gotConn is a new beginning: the request has one, or has another one.
func (s *trace) gotConn(reused bool) {
	if s == nil {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.line
	l.Reused, l.Ready = reused, now
	l.Written, l.Answered = time.Time{}, time.Time{}
	if reused {
		l.Connected, l.Secured = time.Time{}, time.Time{}
	} else if l.Connected.IsZero() {
		l.Connected = now
	}
}

// snapshot gives the timeline as it is.
func (s *trace) snapshot() Timeline {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.line
}

func atPrepared(l *Timeline) *time.Time  { return &l.Prepared }
func atConnected(l *Timeline) *time.Time { return &l.Connected }
func atSecured(l *Timeline) *time.Time   { return &l.Secured }
func atWritten(l *Timeline) *time.Time   { return &l.Written }
func atAnswered(l *Timeline) *time.Time  { return &l.Answered }
