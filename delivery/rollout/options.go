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

// Options configures a Rollout. The zero value has 64 workers, one wave of all devices, no rate
// limit, no threshold and no journal.
type Options struct {
	// Workers is how many devices are updated at the same time. Default 64. The client keeps
	// connections for later: see delivery.Config.MaxIdle.
	Workers int
	// PerSecond bounds how many devices are started in a second. They are spread over the second: at
	// most as many start at once as a hundredth of a second allows, or one. 0 means as fast as the workers are.
	PerSecond float64
	// BytesPerSecond bounds how many bytes of artifacts the rollout sends in a second, to all
	// devices together. They are spread over the second: each piece is what a twentieth of a second
	// allows, but at least 1 KiB.
	// The time that an upload waits for it counts against none of delivery.Timeouts. 0 means no
	// limit.
	BytesPerSecond int64
	// PerLabel bounds how many devices are under way at a time for each value of a label: {"site":
	// 4} allows four devices of each site. It needs Labels. It doesn't bound devices without the
	// label. A device that has to wait is held back, and those after it go first.
	PerLabel map[string]int
	// Window reports whether a device may be started at a time, such as in the maintenance window
	// of its site. If not, it returns when to ask again; a device for which that isn't in the
	// future is left out of this run, and counted as NotReached. A device that was started in its
	// window is finished. Several goroutines call Window, which should be quick.
	Window func(d delivery.Device, at time.Time) (open bool, next time.Time)
	// MaxHeld bounds how many devices PerLabel and Window hold back, at some 100 bytes each. While
	// so many are held back, no further device is taken from the sequence. Default 65536.
	MaxHeld int
	// Labels returns a device's labels, for PerLabel and for events. The method Labels of an
	// inventory.Inventory does that. It is called in the goroutine of Run, once for each device,
	// and should be quick.
	Labels func(d delivery.Device) map[string]string
	// UpdateFor returns the update of a device: the artifact for its hardware, or a delta from the
	// version that it is known to run. If it returns nil, the device gets the rollout's own update.
	// If it returns an error, the device fails (ClassPermanent). It is called as Labels is. The
	// journal says which update each device had, by version and content, so a device that is done
	// with one update isn't done with another.
	UpdateFor func(d delivery.Device) (*delivery.Update, error)
	// Waves are run in order. Each goes through the sequence of devices once, and one more pass
	// before the first counts them. The default is one wave of all devices, which needs no
	// counting. If the last wave's share is less than 1, the devices beyond it are not reached.
	Waves []Wave
	// AbortShare stops a rollout in which too many devices fail. If this share of the devices that
	// were attempted in a wave has failed, over 0 to 1, no further device is started, those under
	// way are waited for, and Run returns an *AbortError. Devices that needed nothing, because they
	// had the update or were done before, don't count. 0 means never.
	//
	// A wave is judged at its end, however small it is, and while it runs once AbortLeast devices
	// are finished. Until then no more devices are under way than it takes to find out: AbortLeast,
	// or more if the rollout would go on even if all of them failed.
	AbortShare float64
	// AbortLeast is how many devices of a wave must be finished before the wave is judged while it
	// runs, so that the first failure isn't taken for 100%. Default 20.
	AbortLeast int
	// SkipUpdated makes the rollout ask every device before it pushes to it, and leave it alone if
	// it runs the update. A resumed rollout does so in any case.
	SkipUpdated bool
	// Requeue gives devices that failed further turns.
	Requeue Requeue
	// Journal makes the rollout resumable. By default there is no journal.
	Journal Journal

	// OnEvent is called for every step, by one goroutine at a time, in the order in which the
	// counts of Event.Progress came about. While it runs, workers with another event wait. It may
	// call Pause, Resume and Progress.
	OnEvent func(Event)
	// Approve is called after a wave's soak, unless the wave was the last. If it returns an error,
	// the rollout ends. It is the place for what only the service knows: its own error rates, or a
	// person's word. soFar.CurrentWave is what the wave did. It should return when the context
	// ends.
	Approve func(ctx context.Context, done Wave, soFar Report) error
}

// Journal says where a rollout writes down what it did, so that it can be resumed. A zero number
// takes its default.
type Journal struct {
	// Path is the path of the file, which is created if it is missing. If it is empty, there is no
	// journal.
	Path string
	// Every and Records bound what a crash of the machine can lose: records are written and fsynced
	// after that time, or when there are so many. What was lost, the next run learns from the
	// devices. Defaults 200 ms and 512.
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

// Validate returns an error that names everything that is wrong with the options, a line each, or
// nil.
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
