package delivery

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// requestTimer cancels a request of net/http when it takes too long: as a whole, in
// the progress of its upload, or in its answer, which counts from when the device's system
// has all of the request. It has one timer and no goroutine. What struck is kept, so that
// it isn't taken for the caller's cancel.
type requestTimer struct {
	mu              sync.Mutex
	timer           *time.Timer
	cancel          context.CancelFunc // ends the request, for good
	limits          Timeouts
	size            int64 // of the upload
	requestDeadline time.Time
	answerBy        time.Time // zero: not known yet
	sending         bool      // the upload has begun
	began           time.Time // when it did
	out             bool      // the request is out
	draining        bool      // and the device's system is seen to lack some of it
	pace            pace
	body            *requestBody
	conn            *countedConn  // nil: not known, or not one of ours
	answers         *answerConn   // over it, where it carries this request alone; else nil
	waiting         chan struct{} // closed when the request is out or over; nil: nobody waits
	finished        bool
	cause           error
}

// start starts the timer for one request, with an upload of that size.
func (k *requestTimer) start(limits Timeouts, total time.Duration, size int64) {
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
	k.pace.begin(now, k.moved(), k.limits.LeastProgress)
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
		return k.conn.moved()
	}
	return k.body.passed()
}

// reset sets the timer to what comes next.
func (k *requestTimer) reset(now time.Time) {
	next := k.requestDeadline
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

func (k *requestTimer) onTimer() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.finished {
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
	case !now.Before(k.requestDeadline):
		k.cause = context.DeadlineExceeded
	case !k.answerBy.IsZero() && !now.Before(k.answerBy):
		k.cause = errAnswerTimeout
	case (k.draining && k.answers != nil || !k.out && k.sending) && k.pace.slow(now, k.moved()):
		k.cause = errSlow
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

// requestBody reads an artifact for net/http, and tells its timer when it is first
// read and when it has been read to its end.
type requestBody struct {
	timer *requestTimer

	mu   sync.Mutex
	from *Artifact // nil: detached
	at   int64
	rate *pacing.ByteRate // nil: no limit
	read atomic.Int64     // at, for the timer, which must not wait for a read
}

var errDetached = errors.New("the operation is over")

// attach takes an artifact to read.
func (b *requestBody) attach(a *Artifact, rate *pacing.ByteRate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.from, b.at, b.rate = a, 0, rate
	b.read.Store(0)
}

// detach lets go of the artifact, after a read that is under way: net/http may go on reading a body
// after it gave up on it, and the artifact is the caller's again when the operation is over.
func (b *requestBody) detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.from = nil
}

func (b *requestBody) passed() int64 { return b.read.Load() }

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.from == nil {
		return 0, errDetached
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.at == 0 {
		b.timer.bodyStarted()
	}
	p = p[:min(int64(len(p)), b.from.size-b.at)]
	if len(p) == 0 {
		b.timer.requestWritten()
		return 0, io.EOF
	}
	most, err := b.hold(int64(len(p)))
	if err != nil {
		return 0, err
	}
	p = p[:most]
	n, err := b.from.source.ReadAt(p, b.at)
	b.moved(n)
	if n < len(p) {
		b.timer.requestWritten()
		return n, cutShort(b.at, err)
	}
	return n, nil
}

// sendTo writes up to limit bytes straight to a socket.
func (b *requestBody) sendTo(c *countedConn, limit int64) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.from == nil {
		return 0, errDetached
	}
	if b.at == 0 {
		b.timer.bodyStarted()
	}
	begun, end := b.at, min(b.at+limit, b.from.size)
	for b.at < end {
		n, err := b.hold(min(chunkSize, end-b.at))
		if err != nil {
			return b.at - begun, err
		}
		n, err = c.chunks.pass(c, b.from, b.at, n)
		b.moved(int(n))
		if err != nil {
			return b.at - begun, err
		}
	}
	return b.at - begun, nil
}

func (b *requestBody) moved(n int) {
	b.at += int64(n)
	b.read.Store(b.at)
}

func (b *requestBody) Close() error {
	b.timer.requestWritten()
	return nil
}

// hold waits until another piece of the body may go out, and returns how much that is. b.mu
// is held, but not while it waits: the operation may end meanwhile.
func (b *requestBody) hold(n int64) (int64, error) {
	if b.rate == nil {
		return n, nil
	}
	n = min(n, b.rate.Piece())
	wait, from := b.rate.Take(time.Now(), n), b.from
	b.timer.hold(wait)
	for wait > 0 {
		slice := min(wait, 20*time.Millisecond)
		wait -= slice
		b.mu.Unlock()
		time.Sleep(slice)
		b.mu.Lock()
		if b.from != from || b.timer.hasEnded() {
			return 0, errDetached
		}
	}
	return n, nil
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
	k.requestDeadline, k.began, k.pace.since = k.requestDeadline.Add(wait), k.began.Add(wait), k.pace.since.Add(wait)
	k.reset(time.Now())
}
