//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package delivery

// unsentProbe: only Linux tells.
type unsentProbe struct{}

func (*probe) unsent() (n int64, known bool) { return 0, false }
