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
func (q *timerQueue) schedule(t *sideState) {
	if t.phase == phaseNone || t.until.IsZero() {
		q.cancel(t)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	t.due = t.until
	if t.heapIndex == 0 {
		heap.Push(&q.list, t)
	} else {
		heap.Fix(&q.list, t.heapIndex-1)
	}
	if t.heapIndex == 1 {
		q.signal()
	}
}

// cancel removes t. t's shard is locked.
func (q *timerQueue) cancel(t *sideState) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.heapIndex > 0 {
		heap.Remove(&q.list, t.heapIndex-1)
	}
}

// clear removes everything. Every shard is locked.
func (q *timerQueue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.list {
		t.heapIndex = 0
	}
	clear(q.list)
	q.list = q.list[:0]
}

func (q *timerQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // it is awake already
	}
}

// popDue gives the devices whose time has come, appended to list, and how long it is until the next; 0 is that there is none.
func (q *timerQueue) popDue(list []int, now time.Time) ([]int, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.list) > 0 && len(list) < timerBatch {
		first := q.list[0]
		if wait := first.due.Sub(now); wait > 0 {
			return list, wait
		}
		heap.Pop(&q.list)
		list = append(list, first.device)
	}
	if len(q.list) == 0 {
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

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i+1, j+1
}

func (h *timerHeap) Push(x any) {
	t := x.(*sideState) // container/heap hands on what schedule gave it
	*h = append(*h, t)
	t.heapIndex = len(*h)
}

func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.heapIndex = 0
	return t
}
