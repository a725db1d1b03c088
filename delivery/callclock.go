package delivery

import (
	"context"
	"sync"
	"time"
)

// callClock cancels a request of net/http when it takes too long: as a whole, in
// the progress of its upload, or in its answer, which counts from the request's
// end. It has one timer and no goroutine. What struck is kept, so that it isn't
// taken for the caller's cancel.
type callClock struct {
	mu       sync.Mutex
	timer    *time.Timer
	cancel   context.CancelFunc // ends the request, for good
	limits   Timeouts
	total    time.Time
	answerBy time.Time // zero: the request isn't out yet
	sending  bool      // the upload has begun
	pace     pace
	body     *requestBody
	conn     *countedConn // nil: not known, not one of ours, or shared
	over     bool
	why      error
}

// answerTimeout and totalTimeout are net.Error-like timeouts.
type answerTimeout struct{}

func (answerTimeout) Error() string { return "no answer within the answer timeout" }
func (answerTimeout) Timeout() bool { return true }

var errAnswerTimeout error = answerTimeout{}

// begin starts the clock of one request.
func (k *callClock) begin(limits Timeouts) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.limits, k.total = limits, time.Now().Add(limits.Total)
	k.answerBy, k.sending, k.over, k.why = time.Time{}, false, false, nil
	k.conn = nil
	if k.timer == nil {
		k.timer = time.AfterFunc(limits.Total, k.strike)
	} else {
		k.timer.Reset(limits.Total)
	}
}

// upload is called before the first byte of the body is read.
func (k *callClock) upload() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over || k.sending || !k.answerBy.IsZero() {
		return
	}
	now := time.Now()
	k.sending = true
	k.pace.begin(now, k.moved(), k.limits.LeastProgress)
	k.set(now)
}

// sent is called when the request is out; only the first call counts.
func (k *callClock) sent() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over || !k.answerBy.IsZero() {
		return
	}
	now := time.Now()
	k.answerBy = now.Add(k.limits.Answer)
	k.set(now)
}

// on names the connection that carries this request alone.
func (k *callClock) on(c *countedConn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn = c
}

// moved is how far the upload has come. A connection that others may be using as well
// (HTTP/2) can't tell; there it is what net/http has read.
func (k *callClock) moved() int64 {
	if k.conn != nil {
		return k.conn.moved()
	}
	return k.body.passed()
}

// set sets the timer to what comes next.
func (k *callClock) set(now time.Time) {
	next := k.total
	switch {
	case !k.answerBy.IsZero():
		next = earlier(next, k.answerBy)
	case k.sending && k.pace.least.PerSecond > 0:
		next = earlier(next, now.Add(max(k.pace.least.Window/4, time.Millisecond)))
	}
	k.timer.Reset(next.Sub(now))
}

func (k *callClock) strike() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return
	}
	now := time.Now()
	switch {
	case !now.Before(k.total):
		k.why = context.DeadlineExceeded
	case !k.answerBy.IsZero():
		if !now.Before(k.answerBy) {
			k.why = errAnswerTimeout
		}
	case k.sending && k.pace.slow(now, k.moved()):
		k.why = errSlow
	}
	if k.why != nil {
		k.stop()
		return
	}
	k.set(now)
}

// expire ends the request because its caller's context has ended.
func (k *callClock) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.over {
		k.stop()
	}
}

// stop ends the request, and its connection with it.
func (k *callClock) stop() {
	k.over = true
	if k.conn != nil {
		k.conn.abandon()
	}
	k.cancel()
}

// end stops the clock. It gives what struck, nil if nothing did, and reports whether
// the clock may be used again: not if it has ended the request, or may be doing so.
func (k *callClock) end() (why error, reusable bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ran := !k.over
	k.over = true
	return k.why, k.timer.Stop() && ran
}
