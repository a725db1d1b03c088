//go:build !linux

package scenarios

import "time"

// sleeper is none: Go's own timers have to do.
func sleeper() func(time.Duration) { return nil }
