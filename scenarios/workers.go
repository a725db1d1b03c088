package scenarios

import (
	"cmp"
	"time"
)

// Workers that nobody asked for.
const (
	closedWorkers    = 32   // of a load that waits for the answers
	firstAutoWorkers = 32   // that an open load begins with
	mostAutoWorkers  = 4096 // that an open load comes to
)

// WorkerRange returns how many workers a load begins with, and how many it may come to. They differ
// where an open load starts one whenever an operation is due and none is free.
func (l LoadSpec) WorkerRange() (first, most int) {
	switch {
	case l.Workers > 0:
		return l.Workers, l.Workers
	case l.IsOpen():
		return firstAutoWorkers, mostAutoWorkers
	}
	return closedWorkers, closedWorkers
}

// AutoWorkers reports whether an open load starts as many workers as it takes.
func (l LoadSpec) AutoWorkers() bool { return l.Workers == 0 && l.IsOpen() }

// DefaultDrain is how long operations may go on after the plan's end where load.drain isn't set.
// k6's gracefulStop is as long.
const DefaultDrain = Duration(30 * time.Second)

// DrainTime returns how long after the plan's end operations may go on.
func (l LoadSpec) DrainTime() time.Duration { return cmp.Or(l.Drain, DefaultDrain).Std() }

// Drains reports whether the load has a plan with an end, after which something may be left.
func (l LoadSpec) Drains() bool {
	switch l.Model {
	case Once, Rollout:
		return false
	case ClosedLoop:
		return l.Duration > 0
	case Burst:
		return l.Burst.Every > 0
	}
	return true
}
