package device

import (
	"cmp"
	"container/heap"
	"sync"
	"time"
)

// timerQueue is what devices will go through by themselves, by time: so that a phase ends also where nobody
// asks, a port opens and shuts by it, and what was kept of the device is dropped. A device is in it
// once at most, and only while it goes through something; the whole fleet takes one timer.
//
// It is locked inside of a shard's lock, never around one.
type timerQueue struct {
	mu   sync.Mutex
	list timerHeap
	wake chan struct{} // of capacity 1: the first entry is another
}

func newTimerQueue() *timerQueue { return &timerQueue{wake: make(chan struct{}, 1)} }

// schedule enters the end of t's phase, or removes t if it has none that comes by itself. t's shard is locked.
func (a *timerQueue) schedule(t *sideState) {
	if t.phase == phaseNone || t.until.IsZero() {
		a.cancel(t)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t.due = t.until
	if t.heapIndex == 0 {
		heap.Push(&a.list, t)
	} else {
		heap.Fix(&a.list, t.heapIndex-1)
	}
	if t.heapIndex == 1 {
		a.signal()
	}
}

// cancel removes t. t's shard is locked.
func (a *timerQueue) cancel(t *sideState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.heapIndex > 0 {
		heap.Remove(&a.list, t.heapIndex-1)
	}
}

// clear removes everything. Every shard is locked.
func (a *timerQueue) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.list {
		t.heapIndex = 0
	}
	clear(a.list)
	a.list = a.list[:0]
}

func (a *timerQueue) signal() {
	select {
	case a.wake <- struct{}{}:
	default: // it is awake already
	}
}

// popDue gives the devices whose time has come, appended to list, and how long it is until the next; 0 is that there is none.
func (a *timerQueue) popDue(list []int, now time.Time) ([]int, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.list) > 0 && len(list) < timerBatch {
		first := a.list[0]
		if wait := first.due.Sub(now); wait > 0 {
			return list, wait
		}
		heap.Pop(&a.list)
		list = append(list, first.device)
	}
	if len(a.list) == 0 {
		return list, 0
	}
	return list, 1
}

const timerBatch = 1024

// RunTimers ends the phases of devices whose time has come, until done is closed. It tells onChange of
// each such device.
func (s *Store) RunTimers(done <-chan struct{}, onChange func(device int)) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var list []int
	for {
		var wait time.Duration
		list, wait = s.timers.popDue(list[:0], time.Now())
		for _, i := range list {
			s.onTimer(i)
			onChange(i)
		}
		timer.Reset(cmp.Or(wait, time.Hour))
		select {
		case <-timer.C:
		case <-s.timers.wake:
		case <-done:
			return
		}
	}
}

// onTimer does what the time of device i has brought.
func (s *Store) onTimer(i int) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	s.catchUp(sh, i)
	if t := s.sideState(sh, i); t != nil {
		s.timers.schedule(t)
		s.dropIfEmpty(sh, i)
	}
}

// timerHeap is a heap.Interface; each side state knows its place in it.
type timerHeap []*sideState

func (b timerHeap) Len() int           { return len(b) }
func (b timerHeap) Less(i, j int) bool { return b[i].due.Before(b[j].due) }

func (b timerHeap) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].heapIndex, b[j].heapIndex = i+1, j+1
}

func (b *timerHeap) Push(x any) {
	t := x.(*sideState) // container/heap hands on what schedule gave it
	*b = append(*b, t)
	t.heapIndex = len(*b)
}

func (b *timerHeap) Pop() any {
	last := len(*b) - 1
	t := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	t.heapIndex = 0
	return t
}
