package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// A ledgerWatch finds out from the ledger what happens to the devices.
type ledgerWatch struct {
	session *Session
	update  *delivery.Update
	rollout *serviceRollout
	to      *load.Sightings

	began              time.Time     // when the rollout was triggered
	clock              time.Duration // then, on the fleet's clock
	contacted, updated int           // devices
	pending            int           // devices that take or install an update
	events             []event       // reused
	over               bool          // no more looks
}

// begin notes when the rollout is triggered, which must follow at once.
func (w *ledgerWatch) begin(ctx context.Context) error {
	asked := time.Now()
	status, err := w.session.target.Witness().Status(ctx)
	if err != nil {
		return fmt.Errorf("asking the fleet: %w", err)
	}
	if status.SinceReset == 0 {
		return errors.New("the fleet's ledger has no times, which a client.service needs: start the fleet with this release")
	}
	w.began = time.Now()
	w.clock = status.SinceReset + w.began.Sub(asked)/2
	w.to.Start(w.began)
	return nil
}

func (w *ledgerWatch) elapsed() time.Duration { return time.Since(w.began) }

// since returns the time since the trigger of a time on the fleet's clock, at least 1. It returns 0
// for 0.
func (w *ledgerWatch) since(ns int64) time.Duration {
	if ns == 0 {
		return 0
	}
	return max(1, time.Duration(ns)-w.clock)
}

// An event is one of the two that are watched for: a device's first contact, and its update.
type event struct {
	at      time.Duration // after the trigger
	device  int
	updated bool // false: contacted
}

// look reads the ledger, and records what happened since the last look, in its order.
func (w *ledgerWatch) look(ctx context.Context) error {
	witness := w.session.target.Witness()
	status, err := witness.Status(ctx)
	if err != nil {
		return fmt.Errorf("asking the fleet: %w", err)
	}
	// What happened until now is in the ledger that is read next. Of what happens while it is read, some
	// may be missing, so the rest of it waits for the next look.
	until := status.SinceReset - w.clock
	w.events, w.pending = w.events[:0], 0
	for e, err := range witness.Ledger(ctx) {
		if err != nil {
			return fmt.Errorf("reading the fleet's ledger: %w", err)
		}
		if e.Device >= len(w.rollout.devices) {
			return w.session.claims.unknownDevice(e.Device)
		}
		w.see(e, until)
	}
	slices.SortFunc(w.events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.device, b.device))
	})
	for _, e := range w.events {
		w.to.Until(e.at)
		if e.updated {
			w.to.Updated(e.device, e.at)
		} else {
			w.to.Began(e.device)
		}
	}
	w.to.Until(until)
	return nil
}

// see notes what the ledger says of a device until a time.
func (w *ledgerWatch) see(e ledger.Entry, until time.Duration) {
	if e.Stage == ledger.StageReceiving || e.Stage == ledger.StageInstalling {
		w.pending++
	}
	d := &w.rollout.devices[e.Device]
	if at := w.since(e.ContactedNS); d.contacted == 0 && at > 0 && at <= until {
		d.contacted = at
		w.contacted++
		w.events = append(w.events, event{at: at, device: e.Device})
	}
	if d.updated > 0 || d.contacted == 0 {
		return
	}
	d.wrong = wrongSoftware(e, w.update)
	if at := w.since(e.UpdatedNS); d.wrong == "" && at <= until {
		d.updated = at
		w.updated++
		w.events = append(w.events, event{at, e.Device, true})
	}
}

// wrongSoftware says why a device doesn't run an update. It returns "" if it does.
func wrongSoftware(e ledger.Entry, u *delivery.Update) string {
	switch digest := u.Artifact().DigestHex(); {
	case e.Version == u.Version() && e.Digest == digest:
		return ""
	case e.Applied == 0 && e.InstallFailures > 0:
		return "could not install it"
	case e.Applied == 0 && e.Pushes > 0:
		return "took none of " + plaintext.Count(int(e.Pushes), "push")
	case e.Applied == 0:
		return "was never pushed to"
	case e.Version != u.Version():
		return fmt.Sprintf("runs %q, not %q", e.Version, u.Version())
	default:
		return fmt.Sprintf("runs content %.12s…, not %.12s…", e.Digest, digest)
	}
}

// The classes of devices that a service didn't update.
const (
	classLeftOut     = "left-out"
	classNotUpdated  = "not-updated"
	classWrongUpdate = "wrong-update"
)

// finish records the devices that don't run the update when the rollout is over.
func (w *ledgerWatch) finish(took time.Duration) {
	r := w.rollout
	for i := range r.devices {
		d := &r.devices[i]
		r.rollout = max(r.rollout, d.updated)
		switch {
		case d.updated > 0:
			continue
		case d.contacted == 0:
			d.wrong = "was never contacted"
			w.to.Failed(i, took, classLeftOut, "the service never contacted it")
		case strings.HasPrefix(d.wrong, "runs "):
			w.to.Failed(i, took, classWrongUpdate, "it %s", d.wrong)
		default:
			w.to.Failed(i, took, classNotUpdated, "it %s", d.wrong)
		}
	}
	if w.updated < len(r.devices) {
		r.rollout = took
	}
	r.atOnce = mostAtOnce(r.devices, took)
}
