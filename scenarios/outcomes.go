package scenarios

import (
	"sync"
	"sync/atomic"
)

// outcomes counts how each device's operations ended by the client's word: 4 bytes a
// device, since most have a single one. Any number of goroutines may add.
type outcomes struct {
	words []atomic.Uint32 // in the low half what succeeded, in the high half what failed

	mu   sync.Mutex
	over map[int]outcome // what the halves were too small for: under a load that goes on, a few devices have many
}

// outcome is one device's.
type outcome struct{ succeeded, failed uint32 }

// The halves of a word.
const (
	halfSucceeded = 0
	halfFailed    = 16
	halfLimit     = 1 << 16
)

func newOutcomes(devices int) *outcomes {
	return &outcomes{words: make([]atomic.Uint32, devices), over: map[int]outcome{}}
}

func (o *outcomes) len() int { return len(o.words) }

func (o *outcomes) succeeded(i int) { o.add(i, halfSucceeded) }
func (o *outcomes) failed(i int)    { o.add(i, halfFailed) }

func (o *outcomes) add(i int, half uint) {
	full := uint32(halfLimit-1) << half
	for {
		word := o.words[i].Load()
		if word&full != full {
			if o.words[i].CompareAndSwap(word, word+1<<half) {
				return
			}
		} else if o.words[i].CompareAndSwap(word, word&^full) {
			o.carry(i, half)
			return
		}
	}
}

// carry keeps what a half that began again had counted, the operation included that
// didn't fit.
func (o *outcomes) carry(i int, half uint) {
	o.mu.Lock()
	defer o.mu.Unlock()
	sum := o.over[i]
	if half == halfSucceeded {
		sum.succeeded += halfLimit
	} else {
		sum.failed += halfLimit
	}
	o.over[i] = sum
}

// of is what there is of device i. It is whole when nobody adds any more.
func (o *outcomes) of(i int) outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	sum, word := o.over[i], o.words[i].Load()
	sum.succeeded += word % halfLimit
	sum.failed += word / halfLimit
	return sum
}

func (o *outcomes) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.over)
	for i := range o.words {
		o.words[i].Store(0)
	}
}
