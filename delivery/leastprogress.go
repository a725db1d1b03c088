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
// system may hold (4 MiB) has the time that it takes at PerSecond.
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
