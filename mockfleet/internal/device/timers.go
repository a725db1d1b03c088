package device

import (
	"cmp"
	"container/heap"
	"sync"
	"time"
)

// timerQueue holds the times at which devices' phases end. It makes a phase end even if nobody asks
// the device, so that the port opens and the side state is dropped. A device has at most one entry,
// and only while a phase lasts. The whole fleet needs one timer.
//
// Its lock is taken while a stripe is locked, never the other way around.
type timerQueue struct {
	mu   sync.Mutex
	list timerHeap
	wake chan struct{} // of capacity 1; a value says that the first entry has changed
}

func newTimerQueue() *timerQueue { return &timerQueue{wake: make(chan struct{}, 1)} }

// schedule adds t with the end of its phase, or removes t if the phase doesn't end by itself. The
// stripe of t must be locked.
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

// cancel removes t. The stripe of t must be locked.
func (q *timerQueue) cancel(t *sideState) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.heapIndex > 0 {
		heap.Remove(&q.list, t.heapIndex-1)
	}
}

// clear removes everything. Every stripe must be locked.
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

// popDue removes the entries that are due, up to timerBatch, and appends their devices to list. It
// also returns how long it is until the next entry is due, or 0 if there is none.
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

// timerBatch is how many devices popDue returns at most, so that it doesn't hold its lock for long.
const timerBatch = 1024

// RunTimers ends the phases of devices when they are due, until done is closed. It calls onChange
// for each such device.
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

// onTimer ends the phase of device i, and schedules the next.
func (s *Store) onTimer(i int) {
	st := s.lock(i)
	defer st.mu.Unlock()
	s.catchUp(st, i)
	if t := s.sideState(st, i); t != nil {
		s.timers.schedule(t)
		s.dropIfEmpty(st, i)
	}
}

// timerHeap is a heap.Interface. Each side state knows its index in it.
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
