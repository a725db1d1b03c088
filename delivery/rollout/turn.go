package rollout

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
)

// turn is a device's turn to be updated.
type turn struct {
	device delivery.Device
	key    endpoint.Key
	begun  bool // by the run before, which doesn't say how it ended

	update *delivery.Update
	own    string            // its key, if it isn't the rollout's own update
	work   endpoint.Key      // stands for the device and its update in marks and pauses
	labels map[string]string // nil: none, or nobody asks
	unable error             // why there is no update

	// Of a device that waits, or waited:
	notBefore time.Time
	turns     int             // it has had
	report    delivery.Report // of these
	err       error           // that the last one ended with
	since     time.Time       // when that was
	failed    bool            // it counts as failed meanwhile, by the class of
	class     delivery.Class
}

// event is one of the turn's device.
func (t turn) event(kind EventKind) Event {
	return Event{Kind: kind, Device: t.device, Update: t.update, Labels: t.labels}
}

// ready works out what a device's turn is about, and returns what is known of that piece
// of work: of a device and an update.
func (r *Rollout) ready(t *turn) mark {
	t.work = t.key
	known := r.marks[t.key]
	if known == markSeen {
		return known
	}
	if r.opts.Labels != nil {
		t.labels = r.opts.Labels(t.device)
	}
	t.update = r.update
	if r.opts.UpdateFor == nil {
		return known
	}
	u, err := r.opts.UpdateFor(t.device)
	switch {
	case err != nil:
		t.unable = fmt.Errorf("update for the device: %w", err)
		return 0
	case u != nil:
		t.update = u
	case t.update == nil:
		t.unable = errNoUpdate
		return 0
	}
	if r.update != nil && t.update.IdempotencyKey() == r.update.IdempotencyKey() {
		return known
	}
	t.own = t.update.IdempotencyKey()
	t.work = workKey(t.key, t.own)
	return r.marks[t.work]
}

// workKey stands for a device and an update that isn't the rollout's own, in what a
// rollout remembers. The journal has the two beside one another.
func workKey(device endpoint.Key, update string) endpoint.Key {
	sum := sha256.Sum256(append(device[:], update...))
	return endpoint.Key(sum[:len(device)])
}

// noUpdate is the error of a device that has no update.
func (t turn) noUpdate() error {
	return &delivery.Error{Op: delivery.OpPush, Device: t.device.Name(), Class: delivery.ClassPermanent, Err: t.unable}
}

// byDevice stands in a journal for the update of a rollout that has none of its own.
const byDevice = "by device"
