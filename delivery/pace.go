package delivery

import "time"

// LeastProgress is how slow an upload may be. A device that takes fewer than
// PerSecond × Window bytes in any Window ends the operation with ClassTimeout; a
// slow one above that goes on until Timeouts.Total.
//
// What counts is what the device's system took over the network, where this one can
// tell (Linux), and else what this system's socket took. Either comes in lumps:
// systems buffer, and make room by up to a third of a buffer at once. So Window
// should be long enough for the slowest good device to take some 400 KiB (without
// Linux 2 MiB), or PerSecond low.
//
// The answer isn't in it: it is short, and Timeouts.Answer bounds it to its last byte.
type LeastProgress struct {
	// PerSecond is in bytes. Default 1024; -1: none, uploads are bounded by Total alone.
	PerSecond int
	// Window is the time over which it is looked at. Default 30 s.
	Window time.Duration
}

const maxLeastProgress = 1 << 30

func (l LeastProgress) withDefaults() LeastProgress {
	if l.PerSecond == 0 {
		l.PerSecond = 1 << 10
	}
	if l.Window == 0 {
		l.Window = 30 * time.Second
	}
	return l
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

// slowPeer is a net.Error-like timeout.
type slowPeer struct{}

func (slowPeer) Error() string {
	return "device takes the artifact too slowly (Timeouts.LeastProgress)"
}
func (slowPeer) Timeout() bool { return true }

var errSlow error = slowPeer{}
