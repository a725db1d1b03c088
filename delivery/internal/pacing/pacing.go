// Package pacing makes the work on many devices wait: by plain sleeps, by a rate of bytes that all
// uploads share, and by a Yield, with which a delivery of a rollout waits without holding a worker.
// A rollout passes the rate and the Yield to the client in the context of each delivery.
package pacing

import (
	"context"
	"time"
)

// Sleep waits for d. It reports false if done ended the wait.
func Sleep(d time.Duration, done <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-done:
		return false
	}
}

// Wait waits for d, or until something comes from early, which may be nil. It reports false if the
// context ended first.
func Wait(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-early:
	case <-ctx.Done():
		return false
	}
	return true
}
