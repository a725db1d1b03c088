package rollout

import (
	"container/heap"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// line is the devices of one pass that have their turn, in the order in which they may
// begin: one that may not (Options.PerLabel and Window) is held back, and those after
// it pass by. It belongs to the goroutine of Run, but for done, which the workers call.
type line struct {
	r        *Rollout
	stopping context.Context
	start    func(turn) admitted // begins a turn when there is a worker for it
	holds    bool                // whether devices are ever held back

	later  turnsByTime
	queued int // in the queues of slots
	slots  map[labelValue]*slot

	mu   sync.Mutex
	back []turn // what the workers are done with
}

// labelValue is what slots are counted by.
type labelValue struct{ name, value string }

// slot is how many devices of a label's value are under way.
type slot struct {
	used    int
	waiting []turn
}

func (r *Rollout) newLine(stopping context.Context) *line {
	return &line{
		r: r, stopping: stopping, holds: len(r.opts.PerLabel) > 0 || r.opts.Window != nil,
		slots: map[labelValue]*slot{},
	}
}

// add begins a device's turn, or holds it back. It waits while too many are held. It
// reports false where the rollout is stopping: then the turn is put back, if it waited.
func (l *line) add(t turn) bool {
	if !l.holds {
		return l.try(t)
	}
	ok := l.begin()
	for ok && l.held() >= l.r.opts.MaxHeld {
		ok = l.wait() && l.begin()
	}
	if !ok {
		l.r.putBack(t)
		return false
	}
	return l.try(t)
}

// end lets go of what is held back where the rollout stops.
func (l *line) end() {
	for _, t := range l.later {
		l.r.putBack(t.turn)
	}
	for _, s := range l.slots {
		for _, t := range s.waiting {
			l.r.putBack(t)
		}
	}
	l.later, l.slots, l.queued = nil, nil, 0
	l.tellHeld()
}

func (l *line) held() int { return len(l.later) + l.queued }

// earlier is the earlier of a time and the one when the line's first device may begin; zero
// stands for never.
func (l *line) earlier(at time.Time) time.Time {
	if len(l.later) > 0 && (at.IsZero() || l.later[0].at.Before(at)) {
		return l.later[0].at
	}
	return at
}

// freed reports whether workers are done with devices that the line hasn't taken note of.
func (l *line) freed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.back) > 0
}

// wait waits until a held device may perhaps begin.
func (l *line) wait() bool {
	next := l.earlier(time.Time{})
	switch {
	case l.freed():
		return l.stopping.Err() == nil
	case !next.IsZero():
		return pacing.Wait(l.stopping, max(0, time.Until(next)), l.r.settled)
	}
	select {
	case <-l.r.settled:
		return true
	case <-l.stopping.Done():
		return false
	}
}

// begin begins what was held back and may begin now.
func (l *line) begin() bool {
	if !l.holds {
		return true
	}
	l.mu.Lock()
	back := l.back
	l.back = nil
	l.mu.Unlock()
	for _, t := range back {
		if !l.release(t) {
			return false
		}
	}
	for now := time.Now(); len(l.later) > 0 && !l.later[0].at.After(now); {
		if due, ok := heap.Pop(&l.later).(laterTurn); ok && !l.try(due.turn) {
			return false
		}
	}
	return true
}

// release gives up what a turn took of its labels, and begins what waits for that.
func (l *line) release(t turn) bool {
	limits := l.limits(t)
	for _, key := range limits {
		l.slots[key].used--
	}
	for _, key := range limits {
		if !l.beginQueued(key) {
			return false
		}
	}
	return true
}

// beginQueued begins what waits for a label's value while there is room.
func (l *line) beginQueued(key labelValue) bool {
	for {
		s := l.slots[key]
		if s == nil || len(s.waiting) == 0 || s.used >= l.r.opts.PerLabel[key.name] {
			break
		}
		t := s.waiting[0]
		s.waiting[0], s.waiting = turn{}, s.waiting[1:]
		l.queued--
		if !l.try(t) {
			return false
		}
	}
	if s := l.slots[key]; s != nil && s.used == 0 && len(s.waiting) == 0 {
		delete(l.slots, key)
	}
	return true
}

// try begins a turn, or holds it back for what it lacks. It reports false where the rollout
// is stopping: then the turn is put back, if it waited.
func (l *line) try(t turn) bool {
	if open, next := l.r.window(t.device); !open {
		l.holdUntil(next, t)
		return true
	}
	limits := l.limits(t)
	for _, key := range limits {
		if s := l.slots[key]; s != nil && s.used >= l.r.opts.PerLabel[key.name] {
			s.waiting = append(s.waiting, t)
			l.queued++
			l.tellHeld()
			return true
		}
	}
	for _, key := range limits {
		if l.slots[key] == nil {
			l.slots[key] = &slot{}
		}
		l.slots[key].used++
	}
	l.tellHeld()
	switch l.start(t) {
	case begins:
		return true
	case closed:
		open, next := l.r.window(t.device)
		if open { // again
			next = time.Now()
		}
		l.holdUntil(next, t)
		return l.release(t)
	default:
		l.r.putBack(t)
		return false
	}
}

// holdUntil holds a turn back until its window opens; if that is zero, the device is left out
// of this run.
func (l *line) holdUntil(opens time.Time, t turn) {
	switch {
	case !opens.IsZero():
		heap.Push(&l.later, laterTurn{opens, t})
	case !t.notBefore.IsZero():
		l.r.failWaitingTurn(t)
	}
	l.tellHeld()
}

// limits returns the labels of a device that are counted.
func (l *line) limits(t turn) []labelValue {
	var keys []labelValue
	for _, name := range slices.Sorted(maps.Keys(l.r.opts.PerLabel)) {
		if value, ok := t.labels[name]; ok {
			keys = append(keys, labelValue{name, value})
		}
	}
	return keys
}

// done is for a turn that a worker is done with.
func (l *line) done(t turn) {
	if !l.holds {
		return
	}
	l.mu.Lock()
	l.back = append(l.back, t)
	l.mu.Unlock()
	l.r.wake()
}

func (l *line) tellHeld() {
	if !l.holds {
		return
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	l.r.report.Held = l.held()
}

// window reports whether a device may begin now, and if not when to ask again, which is
// zero for a device that is left out.
func (r *Rollout) window(d delivery.Device) (open bool, next time.Time) {
	if r.opts.Window == nil {
		return true, time.Time{}
	}
	now := time.Now()
	open, next = r.opts.Window(d, now)
	if !open && !next.After(now) {
		next = time.Time{}
	}
	return open, next
}

// turnsByTime is a heap of devices, the one that may begin first in front.
type turnsByTime []laterTurn

type laterTurn struct {
	at time.Time
	turn
}

func (h turnsByTime) Len() int           { return len(h) }
func (h turnsByTime) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h turnsByTime) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's.
func (h *turnsByTime) Push(x any) {
	if t, ok := x.(laterTurn); ok {
		*h = append(*h, t)
	}
}

// Pop is heap.Interface's.
func (h *turnsByTime) Pop() any {
	n := len(*h) - 1
	t := (*h)[n]
	(*h)[n] = laterTurn{}
	*h = (*h)[:n]
	return t
}

const (
	maxLimitedLabels  = 16
	maxHeld           = 1 << 24
	minBytesPerSecond = 1 << 10
	maxBytesPerSecond = 1 << 40
)

// validateLine reports what is wrong with what holds devices back.
func (c Options) validateLine(m *check.Mistakes) {
	if len(c.PerLabel) > maxLimitedLabels {
		m.Add("per label: %d labels: want at most %d", len(c.PerLabel), maxLimitedLabels)
	}
	if len(c.PerLabel) > 0 && c.Labels == nil {
		m.Add("per label: want Labels too, such as Inventory.Labels")
	}
	for _, name := range slices.Sorted(maps.Keys(c.PerLabel)) {
		if n := c.PerLabel[name]; n < 1 || n > maxWorkers {
			m.Add("per label: %q: %d: want 1 to %d devices at a time", check.Truncate(name), n, maxWorkers)
		}
	}
	check.AtMost(m, "max held", c.MaxHeld, maxHeld)
	if n := c.BytesPerSecond; n != 0 && (n < minBytesPerSecond || n > maxBytesPerSecond) {
		m.Add("bytes per second %d: want 0 (no limit), or %d to %d", n, minBytesPerSecond, maxBytesPerSecond)
	}
}
