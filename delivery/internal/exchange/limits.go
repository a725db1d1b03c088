package exchange

import "time"

// Limits bound one request and its response. What the fields mean to a user is at delivery.Timeouts
// and delivery.LeastProgress.
type Limits struct {
	Dial           time.Duration
	TLSHandshake   time.Duration
	Response       time.Duration // from the request's last byte to the response's last
	Request        time.Duration // dial to response; 0: a default, which depends on the body
	ExpectContinue time.Duration // before a body that was announced is sent all the same
	MinThroughput  MinThroughput

	MaxResponseHead int // bytes of the status line and the header, of interim responses too
	MaxResponseBody int // bytes
}

// MinThroughput is the least throughput of an upload: BytesPerSecond × Window bytes in every
// Window.
type MinThroughput struct {
	BytesPerSecond int // -1: no upload is too slow
	Window         time.Duration
}

// defaultRequest is the time of a request without a body.
const defaultRequest = 5 * time.Minute

// maxHeld is the most that a system is assumed to hold of what was written to a socket, in bytes:
// the largest send buffer that Linux (tcp_wmem) and macOS (autosndbufmax) have by default.
const maxHeld = 4 << 20

// maxUnread is the most that a device's system is assumed to hold of an upload that the device
// reads slowly, in bytes.
const maxUnread = 1 << 20

const maxSeconds = 10 * 365 * 24 * 3600 // far from what a time.Duration overflows at

// Longest returns how long the slowest good device takes for n bytes. It returns 0 if no device is
// too slow.
func (m MinThroughput) Longest(n int64) time.Duration {
	if m.BytesPerSecond <= 0 {
		return 0
	}
	return time.Duration(min(float64(n)/float64(m.BytesPerSecond), maxSeconds) * float64(time.Second))
}

// minBytes returns the least that a window must bring: one byte at least.
func (m MinThroughput) minBytes() float64 {
	return max(1, float64(m.BytesPerSecond)*m.Window.Seconds())
}

// BlindResponse returns how long the response may take after a body of a size was written, where
// the system can't tell when the device had it. It reports false if only the time of the whole
// request bounds the response.
func (l *Limits) BlindResponse(size int64) (time.Duration, bool) {
	if l.MinThroughput.BytesPerSecond < 0 {
		return 0, false
	}
	return l.Response + l.MinThroughput.Longest(min(size, maxHeld)), true
}

// ResponseAfter returns how long the response may take to a body of a size that the device's system
// took some time to acknowledge: the device may have yet to read some of it, at the same rate.
func (l *Limits) ResponseAfter(size int64, took time.Duration) time.Duration {
	return l.Response + time.Duration(float64(took)*min(1, maxUnread/float64(max(size, 1))))
}

// RequestTime returns how long a request with that body may take. The body may be nil.
func (l *Limits) RequestTime(b *Body) time.Duration {
	if l.Request > 0 {
		return l.Request
	}
	d := defaultRequest
	if b != nil && l.MinThroughput.BytesPerSecond > 0 {
		d += l.MinThroughput.Window + l.MinThroughput.Longest(b.Size)
	}
	return d
}

// Earlier returns the earlier of two times.
func Earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
