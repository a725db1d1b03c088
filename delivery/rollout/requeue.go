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

// Requeue says how devices that failed get further turns in the same rollout: those whose
// failure time may heal, because they couldn't be reached, asked for a pause, were busy or
// installing, or broke off (every class but ClassPermanent, ClassProtocol and ClassIntegrity).
// A device is asked what it runs before it is pushed to again.
//
// Until then other devices have the worker. A wave isn't over while devices of it wait, and for
// AbortShare such a device counts as failed until it is updated, unless it named the time itself.
// With a journal the turn is kept if the rollout is killed. A zero field takes its default.
type Requeue struct {
	// Turns is how many further turns a device may have. Default 2; -1: none.
	Turns int
	// After is the wait before the first of them; the wait before each further one is twice
	// as long, and none is shorter than what the device asked for (Retry-After). Default 20 s.
	After time.Duration
	// MaxWait bounds each wait. Default 1 h.
	MaxWait time.Duration
	// Devices is how many may wait at a time; further ones fail at once. Default 16384.
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

// wait is how long a device waits that has had so many further turns, and asked for a pause.
func (q Requeue) wait(turns int, asked time.Duration) time.Duration {
	d := q.After
	for i := 0; i < turns && d < q.MaxWait; i++ {
		d *= 2 // d < MaxWait <= 24 h, so it can't overflow
	}
	return min(max(d, asked), q.MaxWait)
}

// requeue reserves a place for another turn of a device that failed, and reports whether it is
// to have one. If so, t becomes that turn; whoever calls it pushes it.
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

// postpone keeps a device for later that failed in an earlier run, which says when it has its
// turn. It reports false if the device may have it now.
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

// startDue starts the turns that are due, and reports false where the rollout is stopping.
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

// putBack is for a turn that isn't begun, because the rollout is stopping. One that didn't
// wait is simply not reached.
func (r *Rollout) putBack(t turn) {
	if t.notBefore.IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	heap.Push(&r.queue, laterTurn{t.notBefore, t})
}

// startWaiting starts turns as they become due and as the line lets them, until none waits
// and none is under way.
func (r *Rollout) startWaiting(stopping context.Context, line *line) {
	for stopping.Err() == nil && line.begin() && r.startDue(line) {
		r.mu.Lock()
		busy, next := r.busy, time.Time{}
		if len(r.queue) > 0 {
			next = r.queue[0].at
		}
		r.mu.Unlock()
		switch next = line.earlier(next); {
		case line.freed(): // since it began what it could
		case !next.IsZero():
			pacing.Wait(stopping, max(0, time.Until(next)), r.settled)
		case busy > 0 || line.queued > 0: // a turn that has ended gives up its labels' room a moment later
			select {
			case <-r.settled:
			case <-stopping.Done():
			}
		default:
			return
		}
	}
}

// failWaiting ends the turns that a rollout which stops will not come to.
func (r *Rollout) failWaiting() {
	r.mu.Lock()
	left := r.queue
	r.queue = nil
	r.mu.Unlock()
	for _, t := range left {
		r.failWaitingTurn(t.turn)
	}
}

// failWaitingTurn ends a turn that waits, and that the rollout will not come to. A device that it
// hadn't begun is not reached.
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
	r.tell(e, func(p *Report) {
		p.Waiting--
		r.queued--
		r.judge(p, e.Kind, t, delivery.ClassOf(t.err))
	})
}

// rest is Yield.While of a delivery. What waits ends when the rollout stops.
func (r *Rollout) rest(stopping context.Context, wait func(context.Context) bool) bool {
	select {
	case r.resting <- struct{}{}:
	default:
		return wait(stopping) // so many rest already that this one keeps its worker
	}
	r.move(-1)
	<-r.slots
	ok := wait(stopping)
	r.slots <- struct{}{} // workers always come free
	r.move(1)
	<-r.resting
	return ok
}

// move counts a device that begins to rest, or has rested.
func (r *Rollout) move(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.UnderWay += n
	r.report.Waiting -= n
}
