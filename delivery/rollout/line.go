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

// A line begins the turns of the devices of one pass. A device that may not begin yet, because of
// Options.PerLabel or Window, is held back, and those after it go first. Only the goroutine of Run
// uses the line, except for done, which the workers call.
type line struct {
	r        *Rollout
	stopping context.Context
	start    func(turn) admitted // waits for a worker, and begins the turn
	holds    bool                // whether any options hold devices back

	later  turnsByTime // turns whose window is closed
	queued int         // turns that wait for a slot
	slots  map[labelValue]*slot

	mu   sync.Mutex
	back []turn // that the workers have finished
}

// A labelValue is a value of a label. Slots are counted for each.
type labelValue struct{ name, value string }

// A slot counts the devices of a labelValue that are under way.
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

// add begins a device's turn, or holds it back. It waits while too many are held. It reports false
// if the rollout is stopping; the turn is then put back, if it had waited.
func (l *line) add(t turn) bool {
	if !l.holds {
		return l.tryStart(t)
	}
	ok := l.startHeld()
	for ok && l.held() >= l.r.opts.MaxHeld {
		ok = l.wait() && l.startHeld()
	}
	if !ok {
		l.r.putBack(t)
		return false
	}
	return l.tryStart(t)
}

// end puts back every turn that is held, because the rollout stops.
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
	l.reportHeld()
}

func (l *line) held() int { return len(l.later) + l.queued }

// earlier returns the earlier of at and the time when the first window opens. The zero time stands
// for never.
func (l *line) earlier(at time.Time) time.Time {
	if len(l.later) > 0 && (at.IsZero() || l.later[0].at.Before(at)) {
		return l.later[0].at
	}
	return at
}

// freed reports whether workers have finished turns whose slots are still taken.
func (l *line) freed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.back) > 0
}

// wait waits until a held device may be able to begin. It reports false if the rollout stops.
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

// startHeld begins the turns that were held back and may begin now. It reports false if the rollout
// is stopping.
func (l *line) startHeld() bool {
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
		if due, ok := heap.Pop(&l.later).(laterTurn); ok && !l.tryStart(due.turn) {
			return false
		}
	}
	return true
}

// release frees the slots of a turn, and begins the turns that wait for them.
func (l *line) release(t turn) bool {
	limits := l.limits(t)
	for _, key := range limits {
		l.slots[key].used--
	}
	for _, key := range limits {
		if !l.startQueued(key) {
			return false
		}
	}
	return true
}

// startQueued begins the turns that wait for a label's value, while there is room.
func (l *line) startQueued(key labelValue) bool {
	for {
		s := l.slots[key]
		if s == nil || len(s.waiting) == 0 || s.used >= l.r.opts.PerLabel[key.name] {
			break
		}
		t := s.waiting[0]
		s.waiting[0], s.waiting = turn{}, s.waiting[1:]
		l.queued--
		if !l.tryStart(t) {
			return false
		}
	}
	if s := l.slots[key]; s != nil && s.used == 0 && len(s.waiting) == 0 {
		delete(l.slots, key)
	}
	return true
}

// tryStart begins a turn, or holds it back for what it lacks. It reports false if the rollout is
// stopping; the turn is then put back, if it had waited.
func (l *line) tryStart(t turn) bool {
	if open, next := l.r.window(t.device); !open {
		l.holdUntil(next, t)
		return true
	}
	limits := l.limits(t)
	for _, key := range limits {
		if s := l.slots[key]; s != nil && s.used >= l.r.opts.PerLabel[key.name] {
			s.waiting = append(s.waiting, t)
			l.queued++
			l.reportHeld()
			return true
		}
	}
	for _, key := range limits {
		if l.slots[key] == nil {
			l.slots[key] = &slot{}
		}
		l.slots[key].used++
	}
	l.reportHeld()
	switch l.start(t) {
	case begins:
		return true
	case closed:
		open, next := l.r.window(t.device)
		if open { // it has opened again
			next = time.Now()
		}
		l.holdUntil(next, t)
		return l.release(t)
	default:
		l.r.putBack(t)
		return false
	}
}

// holdUntil holds a turn back until its window opens. If opens is zero, the device is left out of
// this run.
func (l *line) holdUntil(opens time.Time, t turn) {
	switch {
	case !opens.IsZero():
		heap.Push(&l.later, laterTurn{opens, t})
	case !t.notBefore.IsZero():
		l.r.failWaitingTurn(t)
	}
	l.reportHeld()
}

// limits returns the labels of a device that PerLabel bounds.
func (l *line) limits(t turn) []labelValue {
	var keys []labelValue
	for _, name := range slices.Sorted(maps.Keys(l.r.opts.PerLabel)) {
		if value, ok := t.labels[name]; ok {
			keys = append(keys, labelValue{name, value})
		}
	}
	return keys
}

// done notes that a worker has finished a turn.
func (l *line) done(t turn) {
	if !l.holds {
		return
	}
	l.mu.Lock()
	l.back = append(l.back, t)
	l.mu.Unlock()
	l.r.wake()
}

// reportHeld brings Report.Held up to date.
func (l *line) reportHeld() {
	if !l.holds {
		return
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	l.r.report.Held = l.held()
}

// window reports whether a device may begin now. If not, it returns when to ask again, or the zero
// time for a device that is left out.
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

// turnsByTime is a heap of turns. The one that may begin first is in front.
type turnsByTime []laterTurn

type laterTurn struct {
	at time.Time
	turn
}

func (h turnsByTime) Len() int           { return len(h) }
func (h turnsByTime) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h turnsByTime) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface].
func (h *turnsByTime) Push(x any) {
	if t, ok := x.(laterTurn); ok {
		*h = append(*h, t)
	}
}

// Pop implements [heap.Interface].
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

// validateLine adds what is wrong with the options that hold devices and bytes back.
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
