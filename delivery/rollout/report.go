package rollout

import (
	"fmt"

	"github.com/fleetmark/fleetmark/delivery"
)

// Report is what a rollout has done so far, in devices. A device is counted
// once, under what became of it.
type Report struct {
	Wave        int        // the wave that is under way or was last, from 1; 0 before the first
	CurrentWave WaveReport // what that one has done so far

	Updated    int // were seen to run the update after it was pushed
	HadIt      int // ran the update already when they were asked, and were not pushed to
	DoneBefore int // finished by an earlier run, as the journal says; not asked
	Duplicates int // came again in the sequence: left out

	Failed      delivery.ClassCounts // by the class of the error that ended it
	UnderWay    int                  // with a worker now; 0 when Run has returned
	Waiting     int                  // for another turn, or for a retry of the client's budget; 0 when Run has returned
	Held        int                  // held back now by PerLabel or Window: of NotReached, or of Waiting if it had a turn
	Interrupted int                  // under way when the context ended; the update may have been applied

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
	Devices    int                  // that had their turn in this wave, or needed none
	Updated    int                  // were seen to run the update after it was pushed
	HadIt      int                  // ran the update already when they were asked
	DoneBefore int                  // finished by an earlier run
	Failed     delivery.ClassCounts // by the class of the error that ended it
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
func (r Report) Skipped() int { return r.HadIt + r.DoneBefore + r.Duplicates }

// String is one line for a log.
func (r Report) String() string {
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

// AbortError ends a rollout in which too many devices failed.
type AbortError struct {
	Number   int                  // of the wave, from 1
	Wave     Wave                 // in which it happened
	Finished int                  // devices of this wave that were attempted and done with when it was judged
	Failed   delivery.ClassCounts // of those
	Share    float64              // Options.AbortShare
}

// Error gives the figures.
func (e *AbortError) Error() string {
	n := e.Failed.Total()
	return fmt.Sprintf("rollout stopped in wave %d (%v): %d of %d devices failed (%s), %.3g%%: want less than %.3g%%",
		e.Number, e.Wave, n, e.Finished, e.Failed, 100*float64(n)/float64(e.Finished), 100*e.Share)
}
