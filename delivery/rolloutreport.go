package delivery

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// RolloutReport is what a rollout has done so far, in devices. A device is counted
// once, under what became of it.
type RolloutReport struct {
	Wave        int        // the wave that is under way or was last, from 1; 0 before the first
	CurrentWave WaveReport // what that one has done so far

	Updated    int // were seen to run the update after it was pushed
	HadIt      int // ran the update already when they were asked, and were not pushed to
	DoneBefore int // finished by an earlier run, as the journal says; not asked
	Duplicates int // came again in the sequence: left out

	Failed      ClassCounts // by the class of the error that ended it
	UnderWay    int         // with a worker now; 0 when Run has returned
	Waiting     int         // for another turn, or for a retry of the client's budget; 0 when Run has returned
	Held        int         // held back now by PerLabel or Window: of NotReached, or of Waiting if it had a turn
	Interrupted int         // under way when the context ended; the update may have been applied

	// NotReached were not begun. Counted says that a pass has come to the end of the
	// sequence, so that NotReached is all of them: before the first device is begun where
	// waves have to be divided, and else when the sequence has ended. Until then it is what
	// the sequence has given so far.
	NotReached int
	Counted    bool

	Pushes, Verifies int // requests, of whatever end

	// Resumed says that the journal held an earlier run, and Journal what was in it.
	Resumed bool
	Journal JournalState
}

// WaveReport is what one wave did, in devices.
type WaveReport struct {
	Devices    int         // that had their turn in this wave, or needed none
	Updated    int         // were seen to run the update after it was pushed
	HadIt      int         // ran the update already when they were asked
	DoneBefore int         // finished by an earlier run
	Failed     ClassCounts // by the class of the error that ended it
}

// String is one line for a log.
func (w WaveReport) String() string {
	s := fmt.Sprintf("%d devices: %d updated, %d skipped, %d failed", w.Devices, w.Updated, w.HadIt+w.DoneBefore, w.Failed.Total())
	if w.Failed.Total() > 0 {
		s += " (" + w.Failed.String() + ")"
	}
	return s
}

// Skipped is the number of devices that needed nothing: they had the update, were
// done before or came twice.
func (r RolloutReport) Skipped() int { return r.HadIt + r.DoneBefore + r.Duplicates }

// String is one line for a log.
func (r RolloutReport) String() string {
	s := fmt.Sprintf("%d updated, %d skipped, %d failed", r.Updated, r.Skipped(), r.Failed.Total())
	if r.Failed.Total() > 0 {
		s += " (" + r.Failed.String() + ")"
	}
	if r.Waiting > 0 {
		s += fmt.Sprintf(", %d waiting", r.Waiting)
	}
	if r.Interrupted > 0 {
		s += fmt.Sprintf(", %d interrupted", r.Interrupted)
	}
	s += fmt.Sprintf(", %d not reached", r.NotReached)
	if !r.Counted {
		s += " at least"
	}
	return s
}

// RolloutEventKind says what happened.
type RolloutEventKind string

// The kinds of events. Those of devices name one; those of waves don't.
const (
	RolloutResumed    RolloutEventKind = "resumed"     // the journal of an earlier run was read: Progress.Journal
	WaveBegun         RolloutEventKind = "wave"        // a pass over the sequence begins
	WaveSoaking       RolloutEventKind = "soak"        // the wave's devices are finished, its soak begins
	WavePassed        RolloutEventKind = "passed"      // and the next wave may begin
	DeviceBegun       RolloutEventKind = "begun"       // a worker took the device, for its first turn or another
	DeviceUpdated     RolloutEventKind = "updated"     // it was seen to run the update
	DeviceHadIt       RolloutEventKind = "had-it"      // it ran the update already
	DeviceWaiting     RolloutEventKind = "waiting"     // Err says why it failed, NotBefore when it has another turn
	DeviceFailed      RolloutEventKind = "failed"      // Err says why
	DeviceInterrupted RolloutEventKind = "interrupted" // the context ended first
)

// RolloutEvent is a step of a rollout.
type RolloutEvent struct {
	Kind     RolloutEventKind
	Wave     Wave
	Device   Device            // of a device's event
	Update   *Update           // the device's; nil where it could not be had
	Labels   map[string]string // the device's, by RolloutConfig.Labels: don't change them
	Report   Report            // what was done to it, in all its turns: questions, pushes, verifications
	Err      error             // an *Error, of DeviceWaiting, DeviceFailed and DeviceInterrupted
	Progress RolloutReport

	NotBefore time.Time // of DeviceWaiting
}

// RolloutAbortError ends a rollout in which too many devices failed.
type RolloutAbortError struct {
	Number   int         // of the wave, from 1
	Wave     Wave        // in which it happened
	Finished int         // devices of this wave that were attempted and done with when it was judged
	Failed   ClassCounts // of those
	Share    float64     // RolloutConfig.AbortShare
}

// Error gives the figures.
func (e *RolloutAbortError) Error() string {
	n := e.Failed.Total()
	return fmt.Sprintf("rollout stopped in wave %d (%v): %d of %d devices failed (%s), %.3g%%: want less than %.3g%%",
		e.Number, e.Wave, n, e.Finished, e.Failed, 100*float64(n)/float64(e.Finished), 100*e.Share)
}

// LogValue is the event as attributes: its kind, the wave, and of a device who it is, what labels
// and which update it has, and how it ended. It holds nothing of a device's credentials.
func (e RolloutEvent) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", string(e.Kind)), slog.String("wave", e.Wave.String())}
	if e.Device != (Device{}) {
		attrs = append(attrs, slog.String("device", e.Device.Name()))
	}
	if e.Update != nil {
		attrs = append(attrs, slog.String("version", e.Update.Version()))
	}
	if len(e.Labels) > 0 {
		var labels []any
		for _, name := range slices.Sorted(maps.Keys(e.Labels)) {
			labels = append(labels, slog.String(name, e.Labels[name]))
		}
		attrs = append(attrs, slog.Group("labels", labels...))
	}
	if e.Report.Pushes > 0 {
		attrs = append(attrs, slog.Int("pushes", e.Report.Pushes))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("class", ClassOf(e.Err).String()), slog.String("error", e.Err.Error()))
		if errors.Is(e.Err, ErrQuarantined) {
			attrs = append(attrs, slog.Bool("quarantined", true))
		}
	}
	return slog.GroupValue(attrs...)
}

// LogLevel is how much an event matters: a device that failed is a warning, what is about
// one device alone is for debugging, the rest is for information.
func (e RolloutEvent) LogLevel() slog.Level {
	switch {
	case e.Kind == DeviceFailed:
		return slog.LevelWarn
	case e.Device != (Device{}):
		return slog.LevelDebug
	default:
		return slog.LevelInfo
	}
}
