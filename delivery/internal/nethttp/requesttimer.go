package nethttp

import (
	"context"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// requestTimer cancels a request of net/http when it takes too long: as a whole, in
// the progress of its upload, or in its answer, which counts from when the device's system
// has all of the request. It has one timer and no goroutine. What struck is kept, so that
// it isn't taken for the caller's cancel.
type requestTimer struct {
	mu              sync.Mutex
	timer           *time.Timer
	cancel          context.CancelFunc // ends the request, for good
	limits          *exchange.Limits
	size            int64 // of the upload
	requestDeadline time.Time
	answerBy        time.Time                  // zero: not known yet
	sending         bool                       // the upload has begun
	began           time.Time                  // when it did
	out             bool                       // the request is out
	draining        bool                       // and the device's system is seen to lack some of it
	monitor         exchange.ThroughputMonitor // of the upload
	body            *requestBody
	conn            *countedConn  // nil: not known, or not one of ours
	answers         *answerConn   // over it, where it carries this request alone; else nil
	waiting         chan struct{} // closed when the request is out or over; nil: nobody waits
	finished        bool
	cause           error
}

// start starts the timer for one request, with an upload of that size.
func (k *requestTimer) start(limits *exchange.Limits, total time.Duration, size int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.limits, k.requestDeadline, k.size = limits, time.Now().Add(total), size
	k.answerBy, k.sending, k.out, k.draining, k.finished, k.cause = time.Time{}, false, false, false, false, nil
	k.conn, k.answers, k.waiting = nil, nil, nil
	if k.timer == nil {
		k.timer = time.AfterFunc(total, k.onTimer)
	} else {
		k.timer.Reset(total)
	}
}

// bodyStarted is called before the first byte of the body is read.
func (k *requestTimer) bodyStarted() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.finished || k.sending || k.out {
		return
	}
	now := time.Now()
	k.sending, k.began = true, now
	k.monitor.Begin(now, k.moved(), k.limits.MinThroughput)
	k.reset(now)
}

// requestWritten is called when the request is out; only the first call counts.
func (k *requestTimer) requestWritten() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.finished || k.out {
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
	blind, bounded := k.limits.BlindResponse(k.size)
	switch {
	case k.size <= exchange.SingleWrite:
		k.answerBy = now.Add(k.limits.Response + k.limits.MinThroughput.Longest(k.size))
	case k.conn != nil:
		_, k.draining = k.conn.unacked()
		if k.draining && !k.sending {
			k.monitor.Begin(now, k.moved(), k.limits.MinThroughput)
		}
		// A connection that others use as well may never be seen to have sent everything.
		if bounded && (!k.draining || k.answers == nil) {
			k.answerBy = now.Add(blind)
		}
	case bounded:
		k.answerBy = now.Add(blind)
	}
	k.reset(now)
}

// wake ends the wait of awaitSent.
func (k *requestTimer) wake() {
	if k.waiting != nil {
		close(k.waiting)
		k.waiting = nil
	}
}

// awaitSent waits until the request is out, or over.
func (k *requestTimer) awaitSent(over <-chan struct{}) {
	k.mu.Lock()
	if k.out || k.finished {
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

// setConn names the connection, and what it is to net/http where it carries this request alone.
func (k *requestTimer) setConn(c *countedConn, answers *answerConn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn, k.answers = c, answers
}

// moved is how far the upload has come. A connection that others may be using as well
// (HTTP/2) can't tell; there it is what net/http has read.
func (k *requestTimer) moved() int64 {
	if k.answers != nil {
		return k.conn.acked()
	}
	return k.body.passed()
}

// reset sets the timer to what comes next.
func (k *requestTimer) reset(now time.Time) {
	next := k.requestDeadline
	if !k.answerBy.IsZero() {
		next = exchange.Earlier(next, k.answerBy)
	}
	switch {
	case k.draining:
		next = exchange.Earlier(next, now.Add(min(k.monitor.Interval(), k.limits.Response)))
	case !k.out && k.sending && k.limits.MinThroughput.BytesPerSecond > 0:
		next = exchange.Earlier(next, now.Add(max(k.limits.MinThroughput.Window/4, time.Millisecond)))
	}
	k.timer.Reset(next.Sub(now))
}

func (k *requestTimer) onTimer() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.finished {
		return
	}
	now := time.Now()
	if k.draining {
		if n, known := k.conn.unacked(); !known || n == 0 {
			k.draining = false
			if by := now.Add(k.limits.ResponseAfter(k.size, now.Sub(k.began))); k.answerBy.IsZero() || by.Before(k.answerBy) {
				k.answerBy = by
			}
		}
	}
	switch {
	case !now.Before(k.requestDeadline):
		k.cause = context.DeadlineExceeded
	case !k.answerBy.IsZero() && !now.Before(k.answerBy):
		k.cause = exchange.ErrResponseTimeout
	case (k.draining && k.answers != nil || !k.out && k.sending) && k.monitor.IsTooSlow(now, k.moved()):
		k.cause = exchange.ErrTooSlow
	}
	if k.cause != nil {
		k.abort()
		return
	}
	k.reset(now)
}

// cancelRequest ends the request because its caller's context has ended.
func (k *requestTimer) cancelRequest() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.finished {
		k.abort()
	}
}

// abort ends the request, and its connection with it.
func (k *requestTimer) abort() {
	k.finished = true
	k.wake()
	if k.answers != nil {
		k.conn.abandon()
	}
	k.cancel()
}

// stop stops the timer. It returns what ended the request, nil if nothing did, and reports whether
// the timer may be used again: not if it has ended the request, or may be doing so.
func (k *requestTimer) stop() (why error, reusable bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ran := !k.finished
	k.finished = true
	return k.cause, k.timer.Stop() && ran
}

// hasEnded reports whether the request is over, or was ended: net/http waits for its body
// to be let go of.
func (k *requestTimer) hasEnded() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.finished
}

// hold puts off what the timer would end the request for, by a wait that is ours.
func (k *requestTimer) hold(wait time.Duration) {
	if wait == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.finished {
		return
	}
	k.requestDeadline, k.began = k.requestDeadline.Add(wait), k.began.Add(wait)
	k.monitor.Postpone(wait)
	k.reset(time.Now())
}
