package rollout

import (
	"fmt"

	"github.com/fleetmark/fleetmark/delivery"
)

// A Report says what a rollout has done so far, in devices. A device is counted once, by what
// became of it.
type Report struct {
	Wave        int        // number of the wave that runs or was last, from 1; 0 before the first
	CurrentWave WaveReport // what that wave has done so far

	Updated    int // were seen to run the update after it was pushed
	HadIt      int // ran the update already when they were asked, and were not pushed to
	DoneBefore int // finished by an earlier run, as the journal says; not asked
	Duplicates int // came again in the sequence, and were left out

	Failed      delivery.ClassCounts // by the class of the error that ended it
	UnderWay    int                  // have a worker now; 0 when Run has returned
	Waiting     int                  // wait for another turn, or for a retry of the client's budget; 0 when Run has returned
	Held        int                  // are held back now by PerLabel or Window, and counted as NotReached, or as Waiting after a turn
	Interrupted int                  // were under way when the context ended; the update may have been applied

	// NotReached is how many devices were not started. Counted reports whether a pass has come to
	// the end of the sequence, so that NotReached has all of them. That is before the first device
	// is started if the devices had to be counted, and otherwise when the sequence has ended. Until
	// then NotReached has what the sequence has given so far.
	NotReached int
	Counted    bool

	Pushes, Verifies int // attempts, whatever became of them

	// Resumed reports whether the journal held an earlier run. Journal is what was in it.
	Resumed bool
	Journal JournalState
}

// A WaveReport says what one wave did, in devices.
type WaveReport struct {
	Devices    int                  // that had their turn in this wave, or needed none
	Updated    int                  // were seen to run the update after it was pushed
	HadIt      int                  // ran the update already when they were asked
	DoneBefore int                  // finished by an earlier run
	Failed     delivery.ClassCounts // by the class of the error that ended it
}

// String returns a line for a log.
func (w WaveReport) String() string {
	s := fmt.Sprintf("%d devices: %d updated, %d skipped, %d failed", w.Devices, w.Updated, w.HadIt+w.DoneBefore, w.Failed.Total())
	if w.Failed.Total() > 0 {
		s += " (" + w.Failed.String() + ")"
	}
	return s
}

// Skipped returns how many devices needed nothing: they had the update, were done before, or came
// twice.
func (r Report) Skipped() int { return r.HadIt + r.DoneBefore + r.Duplicates }

// String returns a line for a log.
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

// An AbortError ends a rollout in which too many devices failed.
type AbortError struct {
	Number   int                  // of the wave, from 1
	Wave     Wave                 // in which it happened
	Finished int                  // devices of the wave that were attempted and finished when it was judged
	Failed   delivery.ClassCounts // of those devices
	Share    float64              // Options.AbortShare
}

// Error returns a text with the counts.
func (e *AbortError) Error() string {
	n := e.Failed.Total()
	return fmt.Sprintf("rollout stopped in wave %d (%v): %d of %d devices failed (%s), %.3g%%: want less than %.3g%%",
		e.Number, e.Wave, n, e.Finished, e.Failed, 100*float64(n)/float64(e.Finished), 100*e.Share)
}
