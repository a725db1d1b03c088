//go:build !linux

package scenarios

import "time"

// otherProcesses is not told here.
func otherProcesses(...int) (time.Duration, bool) { return 0, false }
