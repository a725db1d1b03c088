//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package socket

// sendQueue is empty: only Linux tells.
type sendQueue struct{}

// Unacked reports that the system can't tell.
func (*Probe) Unacked() (n int64, known bool) { return 0, false }
