package scenarios

import (
	"slices"
	"time"

	"github.com/prometheus/procfs"
)

// otherProcesses is the processor time, user and system, of all processes that can
// be seen but ours, with that of their children that have ended: what a process used
// passes to its parent then, so that the difference of two sums is what others used
// meanwhile.
func otherProcesses(ours ...int) (time.Duration, bool) {
	all, err := procfs.AllProcs()
	if err != nil {
		return 0, false
	}
	var ticks int
	for _, p := range all {
		if slices.Contains(ours, p.PID) {
			continue
		}
		if s, err := p.Stat(); err == nil { // one that has just ended counts with its parent
			ticks += int(s.UTime+s.STime) + s.CUTime + s.CSTime
		}
	}
	const perSecond = 100 // USER_HZ, the same on every system that Go runs on
	return time.Duration(ticks) * time.Second / perSecond, true
}
