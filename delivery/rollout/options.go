package rollout

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/check"
)

// Options says how a Rollout works. The zero value is useful: 64 workers, one
// wave of everything, no rate limit, no threshold, no journal.
type Options struct {
	// Workers is how many devices are updated at the same time. Default 64. Also see
	// Config.MaxIdle: connections kept for later are the client's matter.
	Workers int
	// PerSecond bounds how many devices are begun a second, evenly: a burst is a
	// hundredth of a second's worth, or one device. 0: as fast as the workers are.
	PerSecond float64
	// BytesPerSecond bounds how many bytes of artifacts the rollout sends a second, over all
	// devices, evenly: in pieces of a twentieth of a second's, 1 KiB at least. The time that
	// it holds an upload back counts against none of Timeouts. 0: no limit.
	BytesPerSecond int64
	// PerLabel bounds how many devices are under way at a time for each value of a label:
	// {"site": 4} is four of a site. It takes Labels. A device without the label isn't
	// bounded by it. One that has to wait is held back, and those after it go on.
	PerLabel map[string]int
	// Window reports whether a device may be begun at a time, such as in the maintenance
	// window of its site, and if not when to ask again. A device for which that isn't in
	// the future is left out of this run, among NotReached. A device that was begun in its
	// window is finished. It is called by several goroutines and should be quick.
	Window func(d delivery.Device, at time.Time) (open bool, next time.Time)
	// MaxHeld bounds how many devices PerLabel and Window hold back, some 100 bytes each:
	// where there are as many, the sequence isn't gone on with. Default 65536.
	MaxHeld int
	// Labels returns a device's labels, as Inventory.Labels does: for PerLabel and for events.
	// It is called in the goroutine of Run, once a device, and should be quick.
	Labels func(d delivery.Device) map[string]string
	// UpdateFor returns the update of a device: the artifact for its hardware, or a delta from the
	// version that it is known to run. nil stands for the rollout's own update. An error fails the
	// device (ClassPermanent). It is called as Labels is. The journal says which update each device
	// had, by version and content: a device that is done with one isn't done with another.
	UpdateFor func(d delivery.Device) (*delivery.Update, error)
	// Waves are gone through in order, the sequence of devices once each and once before
	// the first, to count them. Default: one wave of everything, which needs no counting. If
	// the last wave's share is less than 1, the devices beyond it are not reached.
	Waves []Wave
	// AbortShare stops a rollout in which too many devices fail: where this share of the
	// devices that were attempted in a wave has failed, over 0 to 1, no further device is begun,
	// those under way are waited for, and Run gives a *AbortError. Devices that needed
	// nothing, as they had the update or were done before, don't count. 0: never.
	//
	// A wave is judged at its end, however small it is, and in its course once AbortLeast
	// devices are done with. Until then no more devices are begun at a time than it takes to find
	// out: AbortLeast are, or more where even their failing all wouldn't stop the rollout.
	AbortShare float64
	// AbortLeast is how many devices of a wave must have been attempted before they are judged
	// in its course, so that the first failure isn't taken for 100%. Default 20.
	AbortLeast int
	// SkipUpdated has every device asked before it is pushed to, and left alone if it
	// runs the update. A resumed rollout does so in any case.
	SkipUpdated bool
	// Requeue gives devices that failed another turn.
	Requeue Requeue
	// Journal makes the rollout resumable. Default: no journal.
	Journal Journal

	// OnEvent is told of every step. It is called by one goroutine at a time, in the
	// order in which the counts of Event.Progress came about; while it runs,
	// workers that have something to say wait. It may call Pause, Resume and Progress.
	OnEvent func(Event)
	// Approve is asked after a wave's soak, unless the wave was the last; an error ends the
	// rollout. It is the place for what only the service knows: its own error rates, or a person's
	// word. soFar.CurrentWave is what the wave did. It should return when the context ends.
	Approve func(ctx context.Context, done Wave, soFar Report) error
}

// Journal says where a rollout writes down what it did, so that it can be resumed. A zero number takes its default.
type Journal struct {
	// Path of the file, which is created where it is missing. Empty: no journal.
	Path string
	// Every and Records bound what a crash of the machine can lose: after that time,
	// or that many records, they are written and fsynced. Whatever was lost is found
	// out again from the devices. Defaults 200 ms and 512.
	Every   time.Duration
	Records int
}

const (
	maxWorkers        = 1 << 16
	maxPerSecond      = 1e6
	minPerSecond      = 1e-5 // about one a day
	maxAbortLeast     = 1 << 20
	maxJournalEvery   = time.Minute
	maxJournalRecords = 1 << 16
)

func (c Options) withDefaults() Options {
	c.Workers, c.MaxHeld, c.AbortLeast = cmp.Or(c.Workers, 64), cmp.Or(c.MaxHeld, 1<<16), cmp.Or(c.AbortLeast, 20)
	if len(c.Waves) == 0 {
		c.Waves = []Wave{{Share: 1}}
	}
	c.Waves = slices.Clone(c.Waves)
	c.Requeue = c.Requeue.withDefaults()
	c.Journal.Every, c.Journal.Records = cmp.Or(c.Journal.Every, 200*time.Millisecond), cmp.Or(c.Journal.Records, 512)
	return c
}

// Validate reports everything that is wrong with the configuration, a line each.
func (c Options) Validate() error {
	m := check.Mistakes{Prefix: "rollout: "}
	check.AtMost(&m, "workers", c.Workers, maxWorkers)
	check.AtMost(&m, "abort least", c.AbortLeast, maxAbortLeast)
	check.AtMost(&m, "journal records", c.Journal.Records, maxJournalRecords)
	if c.PerSecond != 0 && !(c.PerSecond >= minPerSecond && c.PerSecond <= maxPerSecond) {
		m.Add("per second %v: want 0 (no limit), or %v to %v devices", c.PerSecond, minPerSecond, maxPerSecond)
	}
	if !isShare(c.AbortShare) {
		m.Add("abort share %v: want 0 (never) to 1", c.AbortShare)
	}
	check.AtMost(&m, "journal every", c.Journal.Every, maxJournalEvery)
	c.Requeue.validate(&m)
	validateWaves(c.Waves, m.Add)
	c.validateLine(&m)
	return m.Err()
}

// isShare reports whether f is a number from 0 to 1.
func isShare(f float64) bool { return !math.IsNaN(f) && f >= 0 && f <= 1 }
