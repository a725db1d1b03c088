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

	started     atomic.Bool
	pauser      pauser
	slots       chan struct{}    // one element for each device under way: Workers at most
	resting     chan struct{}    // one element for each delivery that waits without a worker
	settled     chan struct{}    // has an element if what the next device waits for may have changed
	byteRate    *pacing.ByteRate // nil if there is no limit
	journal     *journalWriter
	known       map[endpoint.Key]deviceState // of the devices seen; only the goroutine of Run uses it
	pauses      map[endpoint.Key]time.Time   // when devices that failed in an earlier run have their next turn; likewise
	checksFirst bool                         // whether devices are asked before they are pushed to
	stop        context.CancelCauseFunc

	eventMu sync.Mutex // held while counts change and OnEvent runs, so that an event has its own counts

	mu         sync.Mutex
	report     Report
	enumerated int // devices in the longest pass over the sequence
	wave       Wave
	// Of this wave:
	busy   int         // turns under way
	queued int         // turns in the queue, or about to be
	queue  turnsByTime // turns that wait for their time
	// For AbortShare. A device that waits for another turn counts as failed until it is updated,
	// unless it named the time of that turn itself.
	undecided int // devices started that neither failed nor succeeded yet
	finished  int // devices that failed or succeeded
	failed    delivery.ClassCounts
}

// A Client delivers to one device. A [delivery.Client] is one; so is a type that wraps it, to count
// or to log. A wrapper must pass on the context of each call: it tells the delivery to keep to
// BytesPerSecond, and to leave its worker to other devices while it waits for a retry. Any number
// of goroutines use a Client at once.
type Client interface {
	Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error)
	Check(ctx context.Context, d delivery.Device, u *delivery.Update, opts delivery.CheckOptions) (delivery.Report, error)
}

// A deviceState says what is known of a device.
type deviceState uint8

const (
	stateStarted      deviceState = iota + 1 // started by an earlier run; how that ended isn't known
	stateStartedTwice                        // the same, by two or more runs one after the other
	stateFailed                              // failed in an earlier run
	stateDone                                // done by an earlier run
	stateVisited                             // had its first turn in this run, or has it now
)

// Errors that end a rollout.
var (
	// ErrAlreadyRun is what the second Run of a Rollout returns.
	ErrAlreadyRun = errors.New("rollout: it ran already: make another")
	// ErrNotRepeatable means that the second pass over the sequence gave no device.
	ErrNotRepeatable = errors.New("rollout: the sequence of devices gave none the second time: " +
		"several waves, or one of a part, want one that can be gone through again")
)

// Run delivers the update to all devices of the sequence, as [Rollout.Run] does. Use [New] for a
// rollout that can be paused, or asked how far it is.
func Run(ctx context.Context, c Client, devices iter.Seq[delivery.Device], u *delivery.Update, opts Options) (Report, error) {
	r, err := New(c, u, opts)
	if err != nil {
		return Report{}, err
	}
	return r.Run(ctx, devices)
}

// New returns a rollout that begins with its method Run. Its error names everything that is wrong
// with the options. The update may be nil if there is an UpdateFor.
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
		known: make(map[endpoint.Key]deviceState), checksFirst: opts.SkipUpdated,
		slots: make(chan struct{}, opts.Workers), settled: make(chan struct{}, 1),
		resting: make(chan struct{}, maxResting), byteRate: pacing.NewByteRate(opts.BytesPerSecond),
	}
}

// Pause keeps further devices from being started. Those under way go on, and so does a soak.
func (r *Rollout) Pause() { r.pauser.set(true) }

// Resume ends a Pause.
func (r *Rollout) Resume() { r.pauser.set(false) }

// Progress returns what the rollout has done so far. It may be called at any time.
func (r *Rollout) Progress() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.report
	p.NotReached = max(0, r.enumerated-p.Updated-p.Skipped()-p.Failed.Total()-p.UnderWay-p.Waiting-p.Interrupted)
	return p
}

// Run delivers the update to all devices of the sequence, wave after wave. It runs once, and
// returns when every delivery that it started has ended.
//
// The error is nil if the last wave is over, though devices may have failed. Otherwise it is the
// context's, and what was under way was broken off at once; or an *AbortError, a *JournalError,
// ErrNotRepeatable or the error of Approve; or several of these. The report is right in any case.
func (r *Rollout) Run(ctx context.Context, devices iter.Seq[delivery.Device]) (Report, error) {
	if devices == nil {
		return r.Progress(), errors.New("rollout: sequence of devices is nil")
	}
	if r.started.Swap(true) {
		return r.Progress(), ErrAlreadyRun
	}
	if ctx.Err() != nil {
		return r.Progress(), fmt.Errorf("rollout: %w", ctx.Err())
	}
	// When stopping ends, nothing more is started; when ctx ends, what is under way is broken off.
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

// openJournal opens the journal, if the options name one. It returns the last wave that an earlier
// run passed, or the zero Wave.
func (r *Rollout) openJournal() (passed Wave, err error) {
	if r.opts.Journal.Path == "" {
		return Wave{}, nil
	}
	j, found, err := openJournal(r.opts.Journal, r.update, r.known, func(err error) { r.stop(err) })
	if err != nil {
		return Wave{}, err
	}
	r.journal, r.pauses = j, found.pauses
	if found.resumed {
		r.checksFirst = true
		r.emit(Event{Kind: Resumed}, func(p *Report) { p.Resumed, p.Journal = true, found.summary() })
	}
	return found.passed, nil
}

// run runs the waves, one after another.
func (r *Rollout) run(ctx, stopping context.Context, devices iter.Seq[delivery.Device], passed Wave) error {
	ends, err := r.divideWaves(ctx, stopping, devices)
	if err != nil {
		return err
	}
	from := 0.0
	for i, end := range ends {
		wave, last := r.opts.Waves[i], i == len(ends)-1
		// Devices that an earlier run left over in the waves that it passed come with the next one.
		if wave.isPassed(passed) && !last {
			continue
		}
		if err := r.runWave(ctx, stopping, devices, i+1, from, end.place); err != nil {
			return err
		}
		from = end.place
		if last {
			break
		}
		if err := r.afterWave(ctx, stopping, wave); err != nil {
			return err
		}
	}
	return nil
}

// divideWaves returns where each wave ends. It counts the devices for that, unless there is one
// wave of all of them.
func (r *Rollout) divideWaves(ctx, stopping context.Context, devices iter.Seq[delivery.Device]) ([]waveEnd, error) {
	if r.opts.Waves[0].isAll() {
		return []waveEnd{{place: math.Inf(1)}}, nil
	}
	var places []float64
	drawn := 0
	for d := range devices {
		if stopping.Err() != nil {
			return nil, r.endedEarly(ctx, stopping)
		}
		drawn++
		r.countEnumerated(drawn)
		_, place := endpoint.Fingerprint(d.ID, d.Address)
		places = append(places, place)
	}
	r.countAll(drawn)
	slices.Sort(places)
	return waveEnds(r.opts.Waves, slices.Compact(places)), nil // a device that comes twice is one
}

// runWave runs a wave: the devices whose places are in [from, to).
func (r *Rollout) runWave(ctx, stopping context.Context, devices iter.Seq[delivery.Device], number int, from, to float64) error {
	r.mu.Lock()
	r.wave, r.busy, r.undecided, r.finished, r.failed = r.opts.Waves[number-1], 0, 0, 0, delivery.ClassCounts{}
	r.mu.Unlock()
	r.emit(Event{Kind: WaveBegun}, func(p *Report) { p.Wave, p.CurrentWave = number, WaveReport{} })
	r.dispatch(ctx, stopping, devices, from, to)
	r.failWaiting()
	if err := r.endedEarly(ctx, stopping); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tooManyFailures() { // at its end a wave is judged however small it is
		return r.abortError()
	}
	return nil
}

// endedEarly returns why the rollout must stop, or nil if it need not.
func (r *Rollout) endedEarly(ctx, stopping context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("rollout: %w", ctx.Err())
	}
	return context.Cause(stopping)
}

// afterWave waits for the soak of a wave that isn't the last, and for Approve.
func (r *Rollout) afterWave(ctx, stopping context.Context, done Wave) error {
	if done.Soak > 0 && r.Progress().CurrentWave.Devices > 0 {
		r.emit(Event{Kind: WaveSoaking}, nil)
		if !pacing.Wait(stopping, done.Soak, nil) {
			return r.endedEarly(ctx, stopping)
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
	r.emit(Event{Kind: WavePassed}, nil)
	return nil
}

// tooManyFailures reports whether too many devices of this wave have failed. The caller holds r.mu.
func (r *Rollout) tooManyFailures() bool { return r.exceedsShare(r.failed.Total(), r.finished) }

// exceedsShare reports whether so many failures among the finished devices stop the rollout.
func (r *Rollout) exceedsShare(failed, finished int) bool {
	return r.opts.AbortShare > 0 && failed > 0 && float64(failed)/float64(finished) >= r.opts.AbortShare
}

// mayBegin reports whether the failures of the wave allow a turn to begin: until AbortLeast devices
// are finished, no more may be under way than it takes to judge the wave. The caller holds r.mu.
func (r *Rollout) mayBegin(t turn) bool {
	return t.failed || r.opts.AbortShare == 0 || r.finished >= r.opts.AbortLeast || r.finished+r.undecided < r.opts.AbortLeast ||
		!r.exceedsShare(r.failed.Total()+r.undecided+1, r.finished+r.undecided+1)
}

// abortError returns the error for the counts as they are now. The caller holds r.mu.
func (r *Rollout) abortError() error {
	return &AbortError{Number: r.report.Wave, Wave: r.wave, Finished: r.finished, Failed: r.failed, Share: r.opts.AbortShare}
}

// emit applies count, which may be nil, to the report, and calls OnEvent.
func (r *Rollout) emit(e Event, count func(*Report)) {
	r.eventMu.Lock()
	defer r.eventMu.Unlock()
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
