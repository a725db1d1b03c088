package delivery

import (
	"context"
	"sync"
	"time"
)

// answerTimer cancels a request of net/http when its answer takes too long,
// counted from the end of the body. It is its own error, so that it isn't taken
// for the caller's cancel.
type answerTimer struct {
	cancel context.CancelFunc
	limit  time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	fired   bool
	stopped bool
}

// answerTimeout is a net.Error-like timeout.
type answerTimeout struct{}

func (answerTimeout) Error() string { return "no answer within the answer timeout" }
func (answerTimeout) Timeout() bool { return true }

var errAnswerTimeout error = answerTimeout{}

func newAnswerTimer(cancel context.CancelFunc, limit time.Duration) *answerTimer {
	return &answerTimer{cancel: cancel, limit: limit}
}

// start starts the clock; only the first call counts.
func (a *answerTimer) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer == nil && !a.stopped {
		a.timer = time.AfterFunc(a.limit, a.strike)
	}
}

func (a *answerTimer) strike() {
	a.mu.Lock()
	a.fired = !a.stopped
	fired := a.fired
	a.mu.Unlock()
	if fired {
		a.cancel()
	}
}

func (a *answerTimer) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	if a.timer != nil {
		a.timer.Stop()
	}
}

func (a *answerTimer) struck() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fired
}
