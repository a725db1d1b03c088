package delivery

import (
	"cmp"
	"time"
)

// LeastProgress is how slow an upload may be. A device that takes longer than Window for PerSecond
// × Window bytes, counted from when it last had taken as many, ends the operation with
// ClassTimeout; a slow one above that goes on. It is watched until the device's system has
// acknowledged the last byte of the artifact, where this one can tell (Linux); only then does
// Timeouts.Answer begin. It is longer for a slow device, which may have yet to read what its system
// took: by the time that the upload took or, if it is of over 1 MiB, that one MiB of it took.
//
// What counts is what the device's system took over the network, where this one can tell (Linux),
// and else what this system's socket took. Either comes in lumps: systems buffer, and make room by
// up to a third of a buffer at once. So Window should be long enough for the slowest good device to
// take some 400 KiB (without Linux 2 MiB), or PerSecond low.
//
// An artifact of up to 2 KiB goes out in one write and isn't watched: it has the time that it takes
// at PerSecond, and then Timeouts.Answer. Where this system can't tell what was acknowledged, and
// over HTTP/2, where the connection is shared, it is the same for a longer one: as much of it as a
// system may hold (mostHeld, 4 MiB) has the time that it takes at PerSecond.
type LeastProgress struct {
	// PerSecond is in bytes. Default 1024; -1: none, uploads are bounded by Timeouts.Total
	// alone, whose default then is 5 min.
	PerSecond int
	// Window is the time over which it is looked at. Default 30 s.
	Window time.Duration
}

const maxLeastProgress = 1 << 30

func (l LeastProgress) withDefaults() LeastProgress {
	l.PerSecond, l.Window = cmp.Or(l.PerSecond, 1<<10), cmp.Or(l.Window, 30*time.Second)
	return l
}

// mostHeld is the most that a system is taken to hold of what was written to a socket, in bytes:
// the largest send buffer that Linux (tcp_wmem) and macOS (autosndbufmax) have by default.
const mostHeld = 4 << 20

// longest is how long the slowest good device takes for n bytes; 0 if none is too slow.
func (l LeastProgress) longest(n int64) time.Duration {
	if l.PerSecond <= 0 {
		return 0
	}
	return time.Duration(min(float64(n)/float64(l.PerSecond), maxSeconds) * float64(time.Second))
}

const maxSeconds = 10 * 365 * 24 * 3600 // far from what a time.Duration overflows at

// blindAnswer is how long the answer may take, from the last byte of an artifact of that
// size which the system took, where nobody can tell when the device had it. It reports
// false if only Total bounds that.
func (t Timeouts) blindAnswer(size int64) (time.Duration, bool) {
	if t.LeastProgress.PerSecond < 0 {
		return 0, false
	}
	return t.Answer + t.LeastProgress.longest(min(size, mostHeld)), true
}

// mostUnread is the most that a device's system is taken to hold of an upload which the
// device reads slowly, in bytes.
const mostUnread = 1 << 20

// answer is how long the answer to an artifact may take, which the device's system took in
// that time: the device may have yet to read some of it, at the same rate.
func (t Timeouts) answer(size int64, took time.Duration) time.Duration {
	return t.Answer + time.Duration(float64(took)*min(1, mostUnread/float64(max(size, 1))))
}

// total is how long a request may take that sends an artifact, or nothing.
func (t Timeouts) total(a *Artifact) time.Duration {
	if t.Total > 0 {
		return t.Total
	}
	d := defaultTotal
	if a != nil && t.LeastProgress.PerSecond > 0 {
		d += t.LeastProgress.Window + t.LeastProgress.longest(a.size)
	}
	return d
}

// pace watches one upload. It is told the time, so a table tests it.
type pace struct {
	least LeastProgress
	since time.Time // when it was last fast enough
	moved int64     // what had been taken then
}

// begin starts an upload, at a count of moved bytes.
func (p *pace) begin(now time.Time, moved int64, least LeastProgress) {
	*p = pace{least: least, since: now, moved: moved}
}

// slow reports whether the upload has been too slow for a whole window; moved is
// the count of bytes that the device took.
func (p *pace) slow(now time.Time, moved int64) bool {
	if p.least.PerSecond < 0 {
		return false
	}
	if float64(moved-p.moved) >= p.least.need() {
		p.since, p.moved = now, moved
		return false
	}
	return now.Sub(p.since) >= p.least.Window
}

// need is the least that a window must bring, in bytes: one at least.
func (l LeastProgress) need() float64 {
	return max(1, float64(l.PerSecond)*l.Window.Seconds())
}

// look is how often to ask: often enough that an upload which stops is seen soon
// after the window, and an early answer at once.
func (p *pace) look() time.Duration {
	return max(min(lookEvery, p.least.Window/4), time.Millisecond)
}

// timeoutError is a timeout, as a net.Error tells it.
type timeoutError string

func (e timeoutError) Error() string { return string(e) }
func (timeoutError) Timeout() bool   { return true }

const (
	errSlow          = timeoutError("device takes the artifact too slowly (Timeouts.LeastProgress)")
	errAnswerTimeout = timeoutError("no answer within the answer timeout")
)
