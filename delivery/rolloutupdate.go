package delivery

import (
	"crypto/sha256"
	"fmt"
)

// ready works out what a device's turn is about, and returns what is known of that piece
// of work: of a device and an update.
func (r *Rollout) ready(t *turn) mark {
	t.work = t.key
	known := r.marks[t.key]
	if known == markSeen {
		return known
	}
	if r.cfg.Labels != nil {
		t.labels = r.cfg.Labels(t.device)
	}
	t.update = r.update
	if r.cfg.UpdateFor == nil {
		return known
	}
	u, err := r.cfg.UpdateFor(t.device)
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
	if r.update != nil && t.update.key == r.update.key {
		return known
	}
	t.own = t.update.key
	t.work = workKey(t.key, t.own)
	return r.marks[t.work]
}

// workKey stands for a device and an update that isn't the rollout's own, in what a
// rollout remembers. The journal has the two beside one another.
func workKey(device deviceKey, update string) deviceKey {
	sum := sha256.Sum256(append(device[:], update...))
	return deviceKey(sum[:len(device)])
}

// noUpdate is the error of a device that has no update.
func (t turn) noUpdate() error {
	return &Error{Op: OpPush, Device: t.device.name(), Class: ClassPermanent, Err: t.unable}
}

// byDevice stands in a journal for the update of a rollout that has none of its own.
const byDevice = "by device"
