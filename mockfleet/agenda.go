package mockfleet

import (
	"cmp"
	"container/heap"
	"sync"
	"time"
)

// agenda is what devices will go through by themselves, by time: so that a phase ends also where nobody
// asks, a port opens and shuts by it, and what was kept of the device is dropped. A device stands on it
// once at most, and only while it goes through something; the whole fleet takes one timer.
//
// It is locked inside of a shard's lock, never around one.
type agenda struct {
	mu   sync.Mutex
	list byTime
	wake chan struct{} // of capacity 1: the first entry is another
}

func newAgenda() *agenda { return &agenda{wake: make(chan struct{}, 1)} }

// put enters the end of t's phase, or strikes t off where it has none that comes by itself. t's shard is locked.
func (a *agenda) put(t *trouble) {
	if t.phase == calm || t.until.IsZero() {
		a.drop(t)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t.due = t.until
	if t.place == 0 {
		heap.Push(&a.list, t)
	} else {
		heap.Fix(&a.list, t.place-1)
	}
	if t.place == 1 {
		a.hurry()
	}
}

// drop strikes t off. t's shard is locked.
func (a *agenda) drop(t *trouble) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.place > 0 {
		heap.Remove(&a.list, t.place-1)
	}
}

// clear strikes everything off. Every shard is locked.
func (a *agenda) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.list {
		t.place = 0
	}
	clear(a.list)
	a.list = a.list[:0]
}

func (a *agenda) hurry() {
	select {
	case a.wake <- struct{}{}:
	default: // it is awake already
	}
}

// due gives the devices whose time has come, appended to list, and how long it is until the next; 0 is that there is none.
func (a *agenda) due(list []int, now time.Time) ([]int, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.list) > 0 && len(list) < dueAtOnce {
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

const dueAtOnce = 1024

// attend ends the phases of devices whose time has come, until the fleet closes.
func (f *Fleet) attend() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var list []int
	for {
		var wait time.Duration
		list, wait = f.store.agenda.due(list[:0], time.Now())
		for _, i := range list {
			f.store.moveOn(i)
			f.setDoors(i, i+1)
		}
		timer.Reset(cmp.Or(wait, time.Hour))
		select {
		case <-timer.C:
		case <-f.store.agenda.wake:
		case <-f.done:
			return
		}
	}
}

// moveOn does what the time of device i has brought.
func (s *store) moveOn(i int) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	s.catchUp(sh, i)
	if t := s.trouble(sh, i); t != nil {
		s.agenda.put(t)
		s.tidy(sh, i)
	}
}

// byTime is a heap.Interface; each trouble knows its place in it.
type byTime []*trouble

func (b byTime) Len() int           { return len(b) }
func (b byTime) Less(i, j int) bool { return b[i].due.Before(b[j].due) }

func (b byTime) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].place, b[j].place = i+1, j+1
}

func (b *byTime) Push(x any) {
	t := x.(*trouble) // container/heap hands on what put gave it
	*b = append(*b, t)
	t.place = len(*b)
}

func (b *byTime) Pop() any {
	last := len(*b) - 1
	t := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	t.place = 0
	return t
}
