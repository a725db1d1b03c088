package nethttp

import (
	"context"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// requestTimer cancels a request of net/http if the whole request takes too long, if its upload
// makes too little progress, or if its answer doesn't come in time. The time for the answer begins
// when the device's system has acknowledged all of the request. The requestTimer has one timer and
// no goroutine. It keeps the cause, so that its cancel isn't taken for the caller's.
type requestTimer struct {
	mu              sync.Mutex
	timer           *time.Timer
	cancel          context.CancelFunc // ends the request, which can't be used again then
	limits          *exchange.Limits
	size            int64 // of the upload
	requestDeadline time.Time
	answerBy        time.Time                  // zero: not known yet
	sending         bool                       // the first byte of the body was read
	began           time.Time                  // when it was
	out             bool                       // the request is out
	draining        bool                       // it is out, and the device's system wasn't seen to have all of it
	monitor         exchange.ThroughputMonitor // of the upload
	body            *requestBody
	conn            *countedConn  // nil: none yet, or not one that the transport opened
	answers         *answerConn   // over conn, if it carries this request alone; otherwise nil
	waiting         chan struct{} // closed when the request is out or over; nil: nobody waits
	finished        bool
	cause           error
}

// start starts the timer for a request with an upload of a size.
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
	k.monitor.Begin(now, k.bytesTaken(), k.limits.MinThroughput)
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
			k.monitor.Begin(now, k.bytesTaken(), k.limits.MinThroughput)
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

// setConn is called when the request has a connection. answers is nil unless the connection carries
// this request alone.
func (k *requestTimer) setConn(c *countedConn, answers *answerConn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn, k.answers = c, answers
}

// bytesTaken returns how many bytes of the upload were taken: by the device's system or, over a
// connection that carries other requests as well (HTTP/2), by net/http.
func (k *requestTimer) bytesTaken() int64 {
	if k.answers != nil {
		return k.conn.acked()
	}
	return k.body.bytesRead()
}

// reset sets the timer to the next time that something may have to be done.
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
	case (k.draining && k.answers != nil || !k.out && k.sending) && k.monitor.IsTooSlow(now, k.bytesTaken()):
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
		k.conn.resetIfUnacked()
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

// hasEnded reports whether the request is over, or was ended. net/http waits for the read of its
// body to return then.
func (k *requestTimer) hasEnded() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.finished
}

// hold leaves a wait of the client's own out of the request's times.
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
