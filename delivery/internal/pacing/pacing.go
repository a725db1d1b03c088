// Package pacing has what makes the work on many devices wait: plain sleeps, a rate of bytes that
// all uploads share, and the turns in which deliveries of a rollout wait without a worker. A rollout
// hands the latter two to the client in the context of its deliveries.
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
