package delivery

import (
	"cmp"
	"time"
)

// LeastProgress is the least progress that an upload must make. If a device takes longer than
// Window for PerSecond × Window bytes, the operation ends with ClassTimeout; a device that is slow
// but faster than that is waited for. The time counts from when the device last had taken as many
// bytes. The upload is watched until the device's system has acknowledged the last byte of the
// artifact, if this system can tell (Linux); only then does Timeouts.Answer begin. A slow device
// may have yet to read what its system took, so its answer has extra time: the time that the upload
// took or, if it is larger than 1 MiB, the time that 1 MiB of it took.
//
// What counts is what the device's system took over the network, if this system can tell (Linux),
// and otherwise what this system's socket took. Both numbers grow in steps, because systems buffer,
// and make room by up to a third of a buffer at once. So Window should be long enough for the
// slowest good device to take some 400 KiB (2 MiB on other systems than Linux), or PerSecond should
// be low.
//
// An artifact of up to 2 KiB goes out in one write and isn't watched: it has the time that it takes
// at PerSecond, and then Timeouts.Answer. The same holds for a longer artifact if this system can't
// tell what was acknowledged, and over HTTP/2, where requests share the connection: as much of it
// as a system may hold (4 MiB) has the time that it takes at PerSecond.
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
