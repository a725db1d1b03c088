package delivery

import (
	"context"
	"sync"
	"time"
)

// callClock cancels a request of net/http when it takes too long: as a whole, in
// the progress of its upload, or in its answer, which counts from when the device's system
// has all of the request. It has one timer and no goroutine. What struck is kept, so that
// it isn't taken for the caller's cancel.
type callClock struct {
	mu       sync.Mutex
	timer    *time.Timer
	cancel   context.CancelFunc // ends the request, for good
	limits   Timeouts
	size     int64 // of the upload
	total    time.Time
	answerBy time.Time // zero: not known yet
	sending  bool      // the upload has begun
	began    time.Time // when it did
	out      bool      // the request is out
	draining bool      // and the device's system is seen to lack some of it
	pace     pace
	body     *requestBody
	conn     *countedConn  // nil: not known, or not one of ours
	answers  *answerConn   // over it, where it carries this request alone; else nil
	waiting  chan struct{} // closed when the request is out or over; nil: nobody waits
	over     bool
	why      error
}

// begin starts the clock of one request, with an upload of that size.
func (k *callClock) begin(limits Timeouts, total time.Duration, size int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.limits, k.total, k.size = limits, time.Now().Add(total), size
	k.answerBy, k.sending, k.out, k.draining, k.over, k.why = time.Time{}, false, false, false, false, nil
	k.conn, k.answers, k.waiting = nil, nil, nil
	if k.timer == nil {
		k.timer = time.AfterFunc(total, k.strike)
	} else {
		k.timer.Reset(total)
	}
}

// upload is called before the first byte of the body is read.
func (k *callClock) upload() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over || k.sending || k.out {
		return
	}
	now := time.Now()
	k.sending, k.began = true, now
	k.pace.begin(now, k.moved(), k.limits.LeastProgress)
	k.set(now)
}

// sent is called when the request is out; only the first call counts.
func (k *callClock) sent() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over || k.out {
		return
	}
	k.out = true
	k.wake()
	if k.answers != nil {
		k.answers.sent()
	}
	now := time.Now()
	if !k.sending { // a request that ended before its body was asked for
		k.began = now
	}
	blind, bounded := k.limits.blindAnswer(k.size)
	switch {
	case k.size <= oneWrite:
		k.answerBy = now.Add(k.limits.Answer + k.limits.LeastProgress.longest(k.size))
	case k.conn != nil:
		_, k.draining = k.conn.unsent()
		if k.draining && !k.sending {
			k.pace.begin(now, k.moved(), k.limits.LeastProgress)
		}
		// A connection that others use as well may never be seen to have sent everything.
		if bounded && (!k.draining || k.answers == nil) {
			k.answerBy = now.Add(blind)
		}
	case bounded:
		k.answerBy = now.Add(blind)
	}
	k.set(now)
}

// wake ends the wait of awaitSent.
func (k *callClock) wake() {
	if k.waiting != nil {
		close(k.waiting)
		k.waiting = nil
	}
}

// awaitSent waits until the request is out, or over.
func (k *callClock) awaitSent(over <-chan struct{}) {
	k.mu.Lock()
	if k.out || k.over {
		k.mu.Unlock()
		return
	}
	waiting := make(chan struct{})
	k.waiting = waiting
	k.mu.Unlock()
	select {
	case <-waiting:
	case <-over:
	}
}

// on names the connection, and what it is to net/http where it carries this request alone.
func (k *callClock) on(c *countedConn, answers *answerConn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn, k.answers = c, answers
}

// moved is how far the upload has come. A connection that others may be using as well
// (HTTP/2) can't tell; there it is what net/http has read.
func (k *callClock) moved() int64 {
	if k.answers != nil {
		return k.conn.moved()
	}
	return k.body.passed()
}

// set sets the timer to what comes next.
func (k *callClock) set(now time.Time) {
	next := k.total
	if !k.answerBy.IsZero() {
		next = earlier(next, k.answerBy)
	}
	switch {
	case k.draining:
		next = earlier(next, now.Add(min(k.pace.look(), k.limits.Answer)))
	case !k.out && k.sending && k.pace.least.PerSecond > 0:
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
	if k.draining {
		if n, known := k.conn.unsent(); !known || n == 0 {
			k.draining = false
			if by := now.Add(k.limits.answer(k.size, now.Sub(k.began))); k.answerBy.IsZero() || by.Before(k.answerBy) {
				k.answerBy = by
			}
		}
	}
	switch {
	case !now.Before(k.total):
		k.why = context.DeadlineExceeded
	case !k.answerBy.IsZero() && !now.Before(k.answerBy):
		k.why = errAnswerTimeout
	case (k.draining && k.answers != nil || !k.out && k.sending) && k.pace.slow(now, k.moved()):
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
	k.wake()
	if k.answers != nil {
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
