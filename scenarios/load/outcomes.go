package load

import (
	"sync"
	"sync/atomic"
)

// Outcomes counts, for each device, what the client says happened to its operations. It is safe for
// concurrent use. A device takes 8 bytes, since most devices have a single operation.
type Outcomes struct {
	ended    pairs // operations that succeeded, and that failed
	requests pairs // pushes and verifications that the client says it sent

	mu        sync.Mutex
	brokenOff map[int]uint32
	uncounted map[int]bool
}

// An Outcome is what happened to one device's operations.
type Outcome struct {
	Succeeded, Failed uint32 // operations
	BrokenOff         uint32 // operations that the load broke off, which may or may not have succeeded
	Pushes, Verifies  uint32 // requests that the client says it sent
	Uncounted         bool   // an operation failed of which the client can't say how many requests it sent
}

// NewOutcomes returns the outcomes of so many devices, before their first operations.
func NewOutcomes(devices int) *Outcomes {
	return &Outcomes{
		ended: newPairs(devices), requests: newPairs(devices), brokenOff: map[int]uint32{}, uncounted: map[int]bool{},
	}
}

// Len returns how many devices there are.
func (o *Outcomes) Len() int { return len(o.ended.words) }

// Succeed counts an operation of device i that succeeded.
func (o *Outcomes) Succeed(i int) { o.ended.add(i, firstHalf) }

// Fail counts an operation of device i that failed.
func (o *Outcomes) Fail(i int) { o.ended.add(i, secondHalf) }

// BreakOff counts an operation of device i that was broken off.
func (o *Outcomes) BreakOff(i int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.brokenOff[i]++
}

// Sent counts the requests that the client says it sent to device i for one operation.
func (o *Outcomes) Sent(i, pushes, verifies int) {
	for range pushes {
		o.requests.add(i, firstHalf)
	}
	for range verifies {
		o.requests.add(i, secondHalf)
	}
}

// SentUnknown notes that nobody can say how many requests an operation sent to device i.
func (o *Outcomes) SentUnknown(i int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.uncounted[i] = true
}

// Of returns the outcome of device i. It is complete once no goroutine adds to it any more.
func (o *Outcomes) Of(i int) Outcome {
	var of Outcome
	of.Succeeded, of.Failed = o.ended.of(i)
	of.Pushes, of.Verifies = o.requests.of(i)
	o.mu.Lock()
	defer o.mu.Unlock()
	of.BrokenOff, of.Uncounted = o.brokenOff[i], o.uncounted[i]
	return of
}

// Reset removes all outcomes.
func (o *Outcomes) Reset() {
	o.ended.reset()
	o.requests.reset()
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.brokenOff)
	clear(o.uncounted)
}

// pairs holds two counters for each device, in the halves of a word.
type pairs struct {
	words []atomic.Uint32

	mu       sync.Mutex
	overflow map[int][2]uint32 // what didn't fit into the halves, as in a long load on few devices
}

// The halves of a word.
const (
	firstHalf  = 0
	secondHalf = 16
	halfLimit  = 1 << 16
)

func newPairs(devices int) pairs {
	return pairs{words: make([]atomic.Uint32, devices), overflow: map[int][2]uint32{}}
}

func (p *pairs) add(i int, half uint) {
	full := uint32(halfLimit-1) << half
	for {
		word := p.words[i].Load()
		if word&full != full {
			if p.words[i].CompareAndSwap(word, word+1<<half) {
				return
			}
		} else if p.words[i].CompareAndSwap(word, word&^full) {
			p.carry(i, half)
			return
		}
	}
}

// carry adds a full half, which was set to 0, and the operation that didn't fit, to the overflow.
func (p *pairs) carry(i int, half uint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := p.overflow[i]
	sum[half/secondHalf] += halfLimit
	p.overflow[i] = sum
}

func (p *pairs) of(i int) (first, second uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum, word := p.overflow[i], p.words[i].Load()
	return sum[0] + word%halfLimit, sum[1] + word/halfLimit
}

func (p *pairs) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.overflow)
	for i := range p.words {
		p.words[i].Store(0)
	}
}
