package rollout

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
)

// A turn is a device's turn to be updated.
type turn struct {
	device      delivery.Device
	key         endpoint.Key
	interrupted bool // an earlier run started it, and the journal doesn't say how that ended

	update    *delivery.Update
	ownKey    string            // its Idempotency-Key; "" if it is the rollout's own update
	work      endpoint.Key      // of the device and its update, in Rollout.known and pauses
	labels    map[string]string // nil if it has none, or nobody needs them
	updateErr error             // why there is no update

	// Of a device that waits for another turn, or has waited for this one:
	notBefore time.Time
	turns     int             // how many it has had
	report    delivery.Report // of those turns
	err       error           // of the last one
	since     time.Time       // when the last one ended
	failed    bool            // it counts as failed meanwhile, under class
	class     delivery.Class
}

// event returns an event of the turn's device.
func (t turn) event(kind EventKind) Event {
	return Event{Kind: kind, Device: t.device, Update: t.update, Labels: t.labels}
}

// prepare finds the update and the labels of a turn. It returns what is known of that update on
// that device.
func (r *Rollout) prepare(t *turn) deviceState {
	t.work = t.key
	known := r.known[t.key]
	if known == stateVisited {
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
		t.updateErr = fmt.Errorf("update for the device: %w", err)
		return 0
	case u != nil:
		t.update = u
	case t.update == nil:
		t.updateErr = errNoUpdate
		return 0
	}
	if r.update != nil && t.update.IdempotencyKey() == r.update.IdempotencyKey() {
		return known
	}
	t.ownKey = t.update.IdempotencyKey()
	t.work = workKey(t.key, t.ownKey)
	return r.known[t.work]
}

// workKey returns the key of a device and an update that isn't the rollout's own, in what a rollout
// remembers. The journal has both in a line.
func workKey(device endpoint.Key, update string) endpoint.Key {
	sum := sha256.Sum256(append(device[:], update...))
	return endpoint.Key(sum[:len(device)])
}

// noUpdate returns the error of a device for which there is no update.
func (t turn) noUpdate() error {
	return &delivery.Error{Op: delivery.OpPush, Device: t.device.Name(), Class: delivery.ClassPermanent, Err: t.updateErr}
}

// updateByDevice stands in a journal for the update of a rollout that has none of its own.
const updateByDevice = "by device"
