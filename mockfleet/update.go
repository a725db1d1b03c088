package mockfleet

import (
	"crypto/sha256"
	"net/http"
	"sync/atomic"
	"time"
)

// answerUpdate serves POST /update. An artifact that fits into the read buffer is applied in one
// step; a larger one occupies its device until it is read, and other updates are answered 409.
func (c *conn) answerUpdate(r *request) bool {
	p := &c.work.push
	p.read(&c.work.header, r.device, c.fleet.store.keySeed)
	switch {
	case r.bodyTaken:
		p.problem = "the artifact is empty"
		return c.concludeUpdate(r, p, c.fleet.store.decide(r.device, p))
	case r.length != unknownLength && r.length <= headerLimit && r.plan == nil:
		return c.takeSmall(r, p)
	}
	return c.takeLarge(r, p)
}

func (c *conn) takeSmall(r *request, p *push) bool {
	reader, n := c.work.reader, int(r.length)
	if reader.Buffered() < n && !c.invite(r) {
		c.fleet.store.lose(r.device, p)
		return false
	}
	artifact, err := reader.Peek(n)
	p.size = int64(len(artifact))
	if err != nil {
		c.fleet.store.lose(r.device, p)
		return false
	}
	p.digest = sha256.Sum256(artifact)
	if _, err := reader.Discard(n); err != nil {
		return false // can't be: these bytes were just peeked at
	}
	r.bodyTaken = true
	return c.concludeUpdate(r, p, c.fleet.store.decide(r.device, p))
}

func (c *conn) takeLarge(r *request, p *push) bool {
	store := c.fleet.store
	admission := store.admit(r.device, p)
	if !admission.goesOn() {
		c.discardBody(r)
		return c.concludeUpdate(r, p, admission)
	}
	switch c.strikeUpload(r, p) {
	case ended:
		return false
	case refused:
		p.strikes.answer = strike{} // one answer is enough
		return c.concludeUpdate(r, p, store.settle(r.device, p, faulted))
	}
	if pace := p.behavior.Network.pace(store.seed, r.device, p.attempt); pace > 0 {
		c.slow(p, pace)
	}
	if c.work.reader.Buffered() == 0 && !c.invite(r) {
		store.abandon(r.device, p)
		return false
	}
	if err := c.receive(r, p); err != nil {
		store.abandon(r.device, p)
		if c.readErr != nil {
			return false
		}
		return c.fail(r, http.StatusBadRequest, "the body is not framed as RFC 9112 wants it", "")
	}
	if p.size == 0 && p.problem == "" { // a chunked body can turn out to be empty
		p.problem = "the artifact is empty"
	}
	return c.concludeUpdate(r, p, store.settle(r.device, p, admission))
}

// invite sends the 100 that a client may be waiting for before it sends the body (RFC 9110 §10.1.1).
func (c *conn) invite(r *request) bool {
	return r.expect != expectContinue || c.write([]byte(continueAnswer))
}

func (c *conn) concludeUpdate(r *request, p *push, o outcome) bool {
	if p.passage.gone > 0 && p.passage.installing == 0 {
		c.fleet.setDoors(r.device, r.device+1)
		r.close = true
	}
	if !c.pause(c.due(r, p)) {
		return false
	}
	status, message := p.answer(o)
	digest := p.digest[:]
	if !r.bodyTaken || p.size == 0 {
		digest = nil
	}
	c.work.body = appendUpdateAnswer(c.work.body[:0], o == applied || o == repeated || o == feigned || o == unfit, message, p.size, digest)
	return c.sendSpoiled(r, answerHead{status: status, typeLine: typeJSONLine}, p.strikes.answer)
}

// due is how long after the last byte of an update its answer leaves.
func (c *conn) due(r *request, p *push) time.Duration {
	if p.behavior == nil { // the device never came to decide about it
		return 0
	}
	seed := c.fleet.store.seed
	turn := c.fleet.turnstile.wait(int64(time.Since(c.fleet.started)))
	return turn + p.behavior.delay(seed, r.device, p.attempt) + p.behavior.Network.rtt(seed, r.device, p.attempt, purposeRTT)
}

// turnstile lets answers through at a rate, in the order in which they come to it: a fleet with a
// known limit, that a load can be held against.
type turnstile struct {
	every time.Duration // from one answer to the next; 0 is as they come
	next  atomic.Int64  // when the next one may pass, in nanoseconds since the fleet's start
}

func newTurnstile(perSecond float64) *turnstile {
	t := &turnstile{}
	if perSecond > 0 {
		t.every = time.Duration(float64(time.Second) / perSecond)
	}
	return t
}

// wait takes a turn, and tells how long it is until then, now being nanoseconds since the fleet's start.
func (t *turnstile) wait(now int64) time.Duration {
	if t.every == 0 {
		return 0
	}
	for {
		next := t.next.Load()
		turn := max(next, now)
		if t.next.CompareAndSwap(next, turn+int64(t.every)) {
			return time.Duration(turn - now)
		}
	}
}
