package rollout

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// A Rollout brings an update to many devices. Make one with [New] and Run it; [Run] does both.
type Rollout struct {
	client Client
	update *delivery.Update
	opts   Options

	began   atomic.Bool
	gate    gate
	slots   chan struct{}    // holds one for each device that is under way: Workers at most
	resting chan struct{}    // holds one for each device whose delivery waits without a worker
	settled chan struct{}    // holds 1: what the next device waits for may have changed
	bytes   *pacing.ByteRate // nil: no limit
	journal *journalWriter
	marks   map[endpoint.Key]mark      // of the devices seen; belongs to the goroutine of Run
	pauses  map[endpoint.Key]time.Time // when devices that failed in an earlier run have their turn; likewise
	asking  bool                       // whether devices are asked before they are pushed to
	stop    context.CancelCauseFunc

	telling sync.Mutex // held while counts change and OnEvent is told, so that the two agree

	mu     sync.Mutex
	report Report
	drawn  int // devices that the longest pass over the sequence gave
	wave   Wave
	// Of this wave:
	busy   int         // turns under way
	queued int         // turns that wait, or are about to
	queue  turnsByTime // the former
	// For AbortShare: a device that waits for another turn has failed until it is updated,
	// unless it named the time of that turn itself.
	open     int // devices begun of which that isn't known
	finished int // devices of which it is
	failed   delivery.ClassCounts
}

// A Client is what a rollout needs of a [delivery.Client], such as one with something around it. It
// is used by any number of goroutines at once, and must hand on the context that it is called with:
// by that the deliveries of a rollout keep to BytesPerSecond, and leave their worker to other devices
// while they wait for a retry.
type Client interface {
	Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error)
	Check(ctx context.Context, d delivery.Device, u *delivery.Update, opts delivery.CheckOptions) (delivery.Report, error)
}

// mark is what is known of a device.
type mark uint8

const (
	markBegun  mark = iota + 1 // begun by an earlier run, and not known to be finished
	markStuck                  // the same of two runs or more, one after the other
	markFailed                 // failed in an earlier run
	markDone                   // done by an earlier run
	markSeen                   // had its turn in this run, or has it now
)

// Errors of a rollout as a whole.
var (
	// ErrAlreadyRun is returned by the second Run of a Rollout.
	ErrAlreadyRun = errors.New("rollout: it ran already: make another")
	// ErrNotRepeatable: the sequence was used up when it had been gone through once.
	ErrNotRepeatable = errors.New("rollout: the sequence of devices gave none the second time: " +
		"several waves, or one of a part, want one that can be gone through again")
)

// Run brings the update to all devices of a sequence, as [Rollout.Run] does. Use [New] for a rollout
// that can be paused or asked how far it is.
func Run(ctx context.Context, c Client, devices iter.Seq[delivery.Device], u *delivery.Update, opts Options) (Report, error) {
	r, err := New(c, u, opts)
	if err != nil {
		return Report{}, err
	}
	return r.Run(ctx, devices)
}

// New makes a rollout that begins with Run. Its error names everything that is wrong with the
// options. The update may be nil where there is an UpdateFor.
func New(c Client, u *delivery.Update, opts Options) (*Rollout, error) {
	err := opts.Validate()
	if p, ok := c.(*delivery.Client); c == nil || ok && p == nil {
		err = errors.Join(err, errors.New("rollout: client is nil: make one with New"))
	}
	if u == nil && opts.UpdateFor == nil {
		err = errors.Join(err, fmt.Errorf("rollout: %w", errNoUpdate))
	}
	if err != nil {
		return nil, err
	}
	return newRollout(c, u, opts), nil
}

var errNoUpdate = errors.New("update is nil: make one with NewUpdate")

func newRollout(c Client, u *delivery.Update, opts Options) *Rollout {
	opts = opts.withDefaults()
	return &Rollout{
		client: c, update: u, opts: opts,
		marks: make(map[endpoint.Key]mark), asking: opts.SkipUpdated,
		slots: make(chan struct{}, opts.Workers), settled: make(chan struct{}, 1),
		resting: make(chan struct{}, maxResting), bytes: pacing.NewByteRate(opts.BytesPerSecond),
	}
}

// Pause begins no further device; those under way go on, and so does a soak.
func (r *Rollout) Pause() { r.gate.set(true) }

// Resume ends a Pause.
func (r *Rollout) Resume() { r.gate.set(false) }

// Progress is what has been done so far. It may be called at any time.
func (r *Rollout) Progress() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.report
	p.NotReached = max(0, r.drawn-p.Updated-p.Skipped()-p.Failed.Total()-p.UnderWay-p.Waiting-p.Interrupted)
	return p
}

// Run runs the rollout, once, and returns when everything that it began has ended.
// The report is right whatever the error is. The error is nil if every wave was
// gone through, though devices may have failed; otherwise it is the context's (then
// what is under way is broken off at once), a *AbortError, a *JournalError,
// ErrNotRepeatable, what Approve said, or more than one of these.
func (r *Rollout) Run(ctx context.Context, devices iter.Seq[delivery.Device]) (Report, error) {
	if devices == nil {
		return r.Progress(), errors.New("rollout: sequence of devices is nil")
	}
	if r.began.Swap(true) {
		return r.Progress(), ErrAlreadyRun
	}
	if ctx.Err() != nil {
		return r.Progress(), fmt.Errorf("rollout: %w", ctx.Err())
	}
	// What is stopping begins nothing more; what ctx ends is broken off.
	stopping, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.stop = stop
	passed, err := r.openJournal()
	if err != nil {
		return r.Progress(), err
	}
	err = r.run(ctx, stopping, devices, passed)
	if r.journal != nil {
		if e := r.journal.close(); e != nil && !errors.Is(err, e) {
			err = errors.Join(err, e)
		}
	}
	return r.Progress(), err
}

// openJournal opens the journal, if there is to be one, and returns the last wave that an
// earlier run had passed.
func (r *Rollout) openJournal() (passed Wave, err error) {
	if r.opts.Journal.Path == "" {
		return Wave{}, nil
	}
	j, found, err := openJournal(r.opts.Journal, r.update, r.marks, func(err error) { r.stop(err) })
	if err != nil {
		return Wave{}, err
	}
	r.journal, r.pauses = j, found.pauses
	if found.begun {
		r.asking = true
		r.tell(Event{Kind: Resumed}, func(p *Report) { p.Resumed, p.Journal = true, found.state() })
	}
	return found.passed, nil
}

// run goes through the waves.
func (r *Rollout) run(ctx, stopping context.Context, devices iter.Seq[delivery.Device], passed Wave) error {
	ends, err := r.divide(ctx, stopping, devices)
	if err != nil {
		return err
	}
	from := 0.0
	for i, end := range ends {
		wave, last := r.opts.Waves[i], i == len(ends)-1
		// What an earlier run left of the waves that it passed comes with the next one.
		if wave.isPassed(passed) && !last {
			continue
		}
		if err := r.goThrough(ctx, stopping, devices, i+1, from, end.place); err != nil {
			return err
		}
		from = end.place
		if last {
			break
		}
		if err := r.between(ctx, stopping, wave); err != nil {
			return err
		}
	}
	return nil
}

// divide goes through the devices, unless there is one wave of all of them, and returns
// where each wave ends.
func (r *Rollout) divide(ctx, stopping context.Context, devices iter.Seq[delivery.Device]) ([]waveEnd, error) {
	if r.opts.Waves[0].isAll() {
		return []waveEnd{{place: math.Inf(1)}}, nil
	}
	var places []float64
	drawn := 0
	for d := range devices {
		if stopping.Err() != nil {
			return nil, r.ended(ctx, stopping)
		}
		drawn++
		r.saw(drawn)
		_, place := endpoint.Fingerprint(d.ID, d.Address)
		places = append(places, place)
	}
	r.sawAll(drawn)
	slices.Sort(places)
	return waveEnds(r.opts.Waves, slices.Compact(places)), nil // a device that comes twice is one
}

// goThrough is one wave: the devices whose places are from one on and below another.
func (r *Rollout) goThrough(ctx, stopping context.Context, devices iter.Seq[delivery.Device], number int, from, to float64) error {
	r.mu.Lock()
	r.wave, r.busy, r.open, r.finished, r.failed = r.opts.Waves[number-1], 0, 0, 0, delivery.ClassCounts{}
	r.mu.Unlock()
	r.tell(Event{Kind: WaveBegun}, func(p *Report) { p.Wave, p.CurrentWave = number, WaveReport{} })
	r.pass(ctx, stopping, devices, from, to)
	r.failWaiting()
	if err := r.ended(ctx, stopping); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tooMany() { // however few they are
		return r.aborted()
	}
	return nil
}

// ended says why the rollout ends before its end, or nil.
func (r *Rollout) ended(ctx, stopping context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("rollout: %w", ctx.Err())
	}
	return context.Cause(stopping)
}

// between is the soak after a wave that wasn't the last.
func (r *Rollout) between(ctx, stopping context.Context, done Wave) error {
	if done.Soak > 0 && r.Progress().CurrentWave.Devices > 0 {
		r.tell(Event{Kind: WaveSoaking}, nil)
		if !pacing.Wait(stopping, done.Soak, nil) {
			return r.ended(ctx, stopping)
		}
	}
	if r.opts.Approve != nil {
		if err := r.opts.Approve(ctx, done, r.Progress()); err != nil {
			return fmt.Errorf("rollout: wave %v was not approved: %w", done, err)
		}
	}
	if r.journal != nil {
		if err := r.journal.add(journalRecord{Event: eventWave, Share: done.Share, Devices: done.Devices}); err != nil {
			return err
		}
	}
	r.tell(Event{Kind: WavePassed}, nil)
	return nil
}

// tooMany reports whether too many devices of this wave have failed. r.mu is held.
func (r *Rollout) tooMany() bool { return r.isTooMany(r.failed.Total(), r.finished) }

func (r *Rollout) isTooMany(failed, finished int) bool {
	return r.opts.AbortShare > 0 && failed > 0 && float64(failed)/float64(finished) >= r.opts.AbortShare
}

// mayBegin reports whether a turn may begin. While it isn't known whether the wave must be
// stopped, no more devices may than it takes to find that out. r.mu is held.
func (r *Rollout) mayBegin(t turn) bool {
	return t.failed || r.opts.AbortShare == 0 || r.finished >= r.opts.AbortLeast || r.finished+r.open < r.opts.AbortLeast ||
		!r.isTooMany(r.failed.Total()+r.open+1, r.finished+r.open+1)
}

// aborted gives the figures as they stand. r.mu is held.
func (r *Rollout) aborted() error {
	return &AbortError{Number: r.report.Wave, Wave: r.wave, Finished: r.finished, Failed: r.failed, Share: r.opts.AbortShare}
}

// tell counts, and tells OnEvent.
func (r *Rollout) tell(e Event, count func(*Report)) {
	r.telling.Lock()
	defer r.telling.Unlock()
	r.mu.Lock()
	if count != nil {
		count(&r.report)
	}
	e.Wave = r.wave
	r.mu.Unlock()
	if r.opts.OnEvent != nil {
		e.Progress = r.Progress()
		r.opts.OnEvent(e)
	}
}
