package rollout

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// Requeue says how devices that failed get further turns in the same rollout: those that may do
// better later, because they couldn't be reached, asked for a pause, were busy or installing, or
// broke off (see [delivery.Class.IsTransient]). A device is asked what it runs before it is pushed
// to again.
//
// While a device waits, another has its worker. A wave isn't over while devices of it wait. For
// AbortShare such a device counts as failed until it is updated, unless it named the time of its
// turn itself. With a journal, the turn is kept if the rollout is killed. A zero field takes its
// default.
type Requeue struct {
	// Turns is how many further turns a device may have. Default 2; -1 means none.
	Turns int
	// After is the wait before the first further turn. The wait before each next one is twice as
	// long. No wait is shorter than what the device asked for (Retry-After). Default 20 s.
	After time.Duration
	// MaxWait bounds each wait. Default 1 h.
	MaxWait time.Duration
	// Devices is how many devices may wait at a time. Further ones fail at once. Default 16384.
	Devices int
}

const (
	maxTurns          = 1000
	maxRequeueDevices = 1 << 20
	maxResting        = 1024 // deliveries that wait without a worker; each holds a goroutine
)

func (q Requeue) withDefaults() Requeue {
	switch q.Turns {
	case 0:
		q.Turns = 2
	case -1:
		q.Turns = 0
	}
	q.After, q.MaxWait, q.Devices = cmp.Or(q.After, 20*time.Second), cmp.Or(q.MaxWait, time.Hour), cmp.Or(q.Devices, 16<<10)
	return q
}

func (q Requeue) validate(m *check.Mistakes) {
	if q.Turns < -1 || q.Turns > maxTurns {
		m.Add("requeue turns %d: want -1 (none), 0 (the default) to %d", q.Turns, maxTurns)
	}
	check.AtMost(m, "requeue devices", q.Devices, maxRequeueDevices)
	check.AtMost(m, "requeue after", q.After, check.MaxTimeout)
	check.AtMost(m, "requeue max wait", q.MaxWait, check.MaxTimeout)
}

// wait returns how long a device waits after a number of further turns. asked is the pause that it
// asked for, or 0.
func (q Requeue) wait(turns int, asked time.Duration) time.Duration {
	d := q.After
	for i := 0; i < turns && d < q.MaxWait; i++ {
		d *= 2 // d < MaxWait <= 24 h, so it can't overflow
	}
	return min(max(d, asked), q.MaxWait)
}

// requeue reports whether a device that failed has another turn, and reserves a place for it. If
// so, it makes t that turn; the caller puts it into the queue.
func (r *Rollout) requeue(stopping context.Context, t *turn, failed error) bool {
	e, ok := errors.AsType[*delivery.Error](failed)
	if !ok || !e.Class.IsTransient() || t.turns >= r.opts.Requeue.Turns || stopping.Err() != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queued >= r.opts.Requeue.Devices {
		return false
	}
	r.queued++
	t.err, t.since = e, time.Now()
	t.notBefore = t.since.Add(r.opts.Requeue.wait(t.turns, e.RetryAfter))
	t.turns++
	return true
}

// postpone queues a device that failed in an earlier run until the time that the journal has for
// its next turn. It reports false if the device may have its turn now.
func (r *Rollout) postpone(t turn) bool {
	at, known := r.pauses[t.work]
	delete(r.pauses, t.work)
	now := time.Now()
	if !known || !at.After(now) || r.opts.Requeue.Turns == 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queued >= r.opts.Requeue.Devices {
		return false
	}
	// The clock of the earlier run need not be this one's.
	t.notBefore = now.Add(min(at.Sub(now), r.opts.Requeue.MaxWait))
	r.queued++
	r.report.Waiting++
	heap.Push(&r.queue, laterTurn{t.notBefore, t})
	return true
}

// startDue starts the turns that are due. It reports false if the rollout is stopping.
func (r *Rollout) startDue(line *line) bool {
	for {
		r.mu.Lock()
		if len(r.queue) == 0 || r.queue[0].at.After(time.Now()) {
			r.mu.Unlock()
			return true
		}
		due, _ := heap.Pop(&r.queue).(laterTurn)
		r.mu.Unlock()
		if !line.add(due.turn) {
			return false
		}
	}
}

// putBack puts a turn that waited back into the queue, because the rollout is stopping. A device
// that had no turn yet is not reached.
func (r *Rollout) putBack(t turn) {
	if t.notBefore.IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	heap.Push(&r.queue, laterTurn{t.notBefore, t})
}

// startWaiting starts turns as they become due and as the line allows, until none waits and none is
// under way.
func (r *Rollout) startWaiting(stopping context.Context, line *line) {
	for stopping.Err() == nil && line.startHeld() && r.startDue(line) {
		r.mu.Lock()
		busy, next := r.busy, time.Time{}
		if len(r.queue) > 0 {
			next = r.queue[0].at
		}
		r.mu.Unlock()
		switch next = line.earlier(next); {
		case line.freed(): // meanwhile: more may begin
		case !next.IsZero():
			pacing.Wait(stopping, max(0, time.Until(next)), r.settled)
		case busy > 0 || line.queued > 0: // a turn frees its slots a moment after it has ended
			select {
			case <-r.settled:
			case <-stopping.Done():
			}
		default:
			return
		}
	}
}

// failWaiting ends the turns that are in the queue when a rollout stops.
func (r *Rollout) failWaiting() {
	r.mu.Lock()
	left := r.queue
	r.queue = nil
	r.mu.Unlock()
	for _, t := range left {
		r.failWaitingTurn(t.turn)
	}
}

// failWaitingTurn ends a turn that waits, and will not begin any more. The device fails with the
// error of its last turn. A device that had none is not reached.
func (r *Rollout) failWaitingTurn(t turn) {
	if t.turns == 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.queued--
		r.report.Waiting--
		return
	}
	e := t.event(DeviceFailed)
	e.Report, e.Err = t.report, t.err
	r.emit(e, func(p *Report) {
		p.Waiting--
		r.queued--
		r.countEnd(p, e.Kind, t, delivery.ClassOf(t.err))
	})
}

// releaseWorker calls wait with the worker free for another device, and takes it again before it
// returns what wait did. The context of wait ends when the rollout stops.
func (r *Rollout) releaseWorker(stopping context.Context, wait func(context.Context) bool) bool {
	select {
	case r.resting <- struct{}{}:
	default:
		return wait(stopping) // so many wait already that this one keeps its worker
	}
	r.countResting(-1)
	<-r.slots
	ok := wait(stopping)
	r.slots <- struct{}{} // workers always come free
	r.countResting(1)
	<-r.resting
	return ok
}

// countResting moves n devices from those that wait to those under way.
func (r *Rollout) countResting(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.UnderWay += n
	r.report.Waiting -= n
}
