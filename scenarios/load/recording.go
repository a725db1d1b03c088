package load

import (
	"cmp"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
)

// A Recording counts what happens to a load's operations. It is large, so it is reset and reused
// for the next load.
//
// Each worker notes its operations in a [recorder], which is small. The notes of all recorders are
// added up in one place, the tally: when a recorder is full, and at the end of each interval.
type Recording struct {
	Outcomes *Outcomes // of each device
	Failures *Failures

	config    RecordingConfig
	recorders []*recorder
	tally     *tally
	intervals intervals
	groups    []groupCounters // nil if groups are not counted
	brokenOff atomic.Int64    // operations that were running when the load was over or its context ended
	wave      atomic.Int32    // number of the rollout's wave, from 1; 0 for other loads

	// Only for an ArrivalRate.
	behindAfter   atomic.Int64 // the time after which unsent operations mean that the load is behind its plan; 0: never
	dispatched    atomic.Int64 // operations that the dispatcher handed out
	allDispatched atomic.Bool  // the dispatcher has handed out its last operation
	inFlight      inFlight
}

// A RecordingConfig describes the load that a [Recording] is for.
type RecordingConfig struct {
	Op      delivery.Op
	Planned bool // whether the load is an ArrivalRate, which has a Lateness, and response times that differ from service times
	Devices int
	Workers int           // the most workers
	Longest time.Duration // the longest time that histograms hold; 0: 100 s

	// Groups are the names of the groups of devices that are also counted by themselves, at most
	// behavior.MaxGroups and the rest. GroupOf returns the index in Groups of device i.
	//
	// Each group has its own histograms, one for each operation, or two if Planned. One takes 200 KB,
	// or 330 KB if Longest is a month, so those of 65 groups take 130 MB at most. Memory that was
	// never written to isn't resident.
	Groups  []string
	GroupOf func(i int) int

	// Waves is how many waves of a rollout are counted by themselves. Each has histograms as a group
	// has.
	Waves int
}

// How many recorders the workers share: a few for each core, so that workers seldom wait for each
// other.
const (
	recordersPerCore = 4
	maxRecorders     = 64
)

// NewRecording returns an empty recording.
func NewRecording(c RecordingConfig) *Recording {
	c.Longest = cmp.Or(c.Longest, defaultLongest)
	r := &Recording{
		Outcomes: NewOutcomes(c.Devices), Failures: newFailures(c), config: c, tally: newTally(c), intervals: newIntervals(c),
	}
	r.recorders = make([]*recorder, min(c.Workers, recordersPerCore*runtime.GOMAXPROCS(0), maxRecorders))
	for i := range r.recorders {
		r.recorders[i] = &recorder{tally: r.tally}
	}
	if len(c.Groups) > 0 {
		r.groups = make([]groupCounters, len(c.Groups))
	}
	return r
}

// Longest returns the longest time that the histograms hold.
func (r *Recording) Longest() time.Duration { return r.config.Longest }

// Reset empties the recording.
func (r *Recording) Reset() {
	r.Outcomes.Reset()
	r.Failures.reset()
	for _, rec := range r.recorders {
		rec.reset()
	}
	r.tally.reset()
	r.intervals.reset()
	r.allDispatched.Store(false)
	r.wave.Store(0)
	for i := range r.groups {
		r.groups[i].retries.Store(0)
		r.groups[i].brokenOff.Store(0)
	}
	f := &r.inFlight
	for _, n := range []*atomic.Int64{&r.brokenOff, &r.behindAfter, &r.dispatched, &f.now, &f.peak, &f.begun} {
		n.Store(0)
	}
}

// A Hook is called at the end of each operation.
type Hook interface {
	// Operation receives when an operation was planned, how long after that it ended, and whether
	// it succeeded. It must not block. Only one goroutine calls it at a time.
	Operation(planned, response time.Duration, succeeded bool)
}

// setHooks gives each recorder a hook, or none if newHook is nil.
func (r *Recording) setHooks(newHook func() Hook) {
	for _, rec := range r.recorders {
		if rec.hook = nil; newHook != nil {
			rec.hook = newHook()
		}
	}
}

// groupCounters count operations of a group of devices.
type groupCounters struct{ retries, brokenOff atomic.Int64 }

// countRetries counts the retries of an operation of device i.
func (r *Recording) countRetries(rec *recorder, i, n int) {
	if n == 0 {
		return
	}
	rec.retries.Add(int64(n))
	if r.groups != nil {
		r.groups[r.tally.groupOf[i]].retries.Add(int64(n))
	}
}

// countBrokenOff counts an operation of device i that the load broke off.
func (r *Recording) countBrokenOff(i int) {
	r.Outcomes.BreakOff(i)
	r.brokenOff.Add(1)
	if r.groups != nil {
		r.groups[r.tally.groupOf[i]].brokenOff.Add(1)
	}
}

// recorder returns the recorder of worker i.
func (r *Recording) recorder(i int) *recorder { return r.recorders[i%len(r.recorders)] }

// Totals counts the operations that ended.
type Totals struct {
	Succeeded, Failed, Retries int64

	SucceededLate, FailedLate int64         // after the plan's end
	Busy                      time.Duration // time that workers of an ArrivalRate spent on operations
}

// Totals counts the operations that have ended so far.
func (r *Recording) Totals() Totals {
	var t Totals
	for _, rec := range r.recorders {
		t.Succeeded += rec.succeeded.Load()
		t.Failed += rec.failed.Load()
		t.Retries += rec.retries.Load()
		t.SucceededLate += rec.succeededLate.Load()
		t.FailedLate += rec.failedLate.Load()
		t.Busy += time.Duration(rec.busy.Load())
	}
	return t
}

// begun returns how many operations have begun.
func (r *Recording) begun() (n int64) {
	for _, rec := range r.recorders {
		n += rec.begun.Load()
	}
	return n
}

// InFlight returns how many operations are running.
func (r *Recording) InFlight() int64 {
	ended := r.brokenOff.Load()
	t := r.Totals() // before begun, so that no operation has ended and not begun
	// Others may have ended, and further ones begun, since.
	return min(r.begun()-ended-t.Succeeded-t.Failed, int64(r.config.Workers))
}

// Behind reports whether a running load certainly can't keep its plan: whether operations are still
// unsent at a time by which all must be sent.
func (r *Recording) Behind(elapsed time.Duration) bool {
	after := time.Duration(r.behindAfter.Load())
	return after > 0 && elapsed > after && (!r.allDispatched.Load() || r.inFlight.begun.Load() < r.dispatched.Load())
}

// Merge adds up what the workers recorded: the latencies of each operation, and the lateness, which
// is nil for a load without a plan.
func (r *Recording) Merge() (map[delivery.Op]*Latencies, *Lateness) {
	r.flush(never)
	return r.tally.whole()
}

// Parts returns what the workers recorded of each group of devices, and of each wave of a rollout.
// Each is nil if it isn't counted; see [RecordingConfig]. The load must be over. The latencies are
// the recording's own: they are valid until it is reset.
func (r *Recording) Parts() (groups, waves []Part) {
	r.flush(never)
	groups, waves = r.tally.parts()
	r.Failures.addTo(groups, waves)
	for i := range groups {
		groups[i].Retries, groups[i].BrokenOff = r.groups[i].retries.Load(), r.groups[i].brokenOff.Load()
	}
	return groups, waves
}

// flush adds the notes of all recorders about what happened before end to the tally.
func (r *Recording) flush(end time.Duration) {
	for _, rec := range r.recorders {
		rec.mu.Lock()
		r.tally.mu.Lock()
		rec.flush(end)
		r.tally.mu.Unlock()
		rec.mu.Unlock()
	}
}

// operations returns the operations that are recorded in a load of op.
func operations(op delivery.Op) []delivery.Op {
	if op == delivery.OpDeliver {
		return []delivery.Op{delivery.OpPush, delivery.OpVerify, delivery.OpDeliver}
	}
	return []delivery.Op{op}
}

// A recorder counts for one worker, or for a few that share it. It allocates nothing.
type recorder struct {
	mu     sync.Mutex
	notes  [recorderNotes]note // the first n
	n      int
	recent recentLatencies // since the last sample
	hook   Hook            // may be nil
	tally  *tally          // to which the notes go; its mutex is locked after mu

	begun, succeeded, failed, retries, succeededLate, failedLate, busy atomic.Int64 // see Totals

	_ [64]byte // keeps the counters of neighbors on other cache lines
}

// recorderNotes is how many notes a recorder holds. Adding them to the tally takes a few
// microseconds, in which the worker can't begin its next operation.
const recorderNotes = 128

// A note says that an operation was sent by an ArrivalRate, or that it succeeded.
type note struct {
	at      time.Duration // when it was sent, or done
	planned time.Duration // only of an operation that was sent

	// Only of an operation that succeeded.
	response, service time.Duration
	push, verify      time.Duration // of a delivery; 0 if unknown
	device            int32
	wave              int16

	kind noteKind
}

type noteKind uint8

const (
	succeeded noteKind = iota
	sentQueued
	sentAtOnce
)

func (r *recorder) reset() {
	r.n, r.recent, r.hook = 0, recentLatencies{}, nil
	for _, n := range []*atomic.Int64{
		&r.begun, &r.succeeded, &r.failed, &r.retries, &r.succeededLate, &r.failedLate, &r.busy,
	} {
		n.Store(0)
	}
}

// note returns the next note to write. The caller holds r.mu.
func (r *recorder) note() *note {
	if r.n == recorderNotes {
		r.tally.mu.Lock()
		if r.flush(r.tally.end); r.n == recorderNotes { // the end of the interval is overdue
			r.flush(never)
		}
		r.tally.mu.Unlock()
	}
	r.n++
	return &r.notes[r.n-1]
}

// flush adds the notes about what happened before end to the tally, and keeps the others. The
// caller holds r.mu and the tally's mutex.
func (r *recorder) flush(end time.Duration) {
	kept := 0
	for i := range r.notes[:r.n] {
		n := &r.notes[i]
		if n.at >= end {
			r.notes[kept] = *n
			kept++
			continue
		}
		r.tally.add(n)
	}
	r.n = kept
}

// recordDispatch records when an operation of an ArrivalRate was planned and sent, and whether
// every worker was busy when it was due.
func (r *recorder) recordDispatch(planned, sent time.Duration, queued bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.note()
	n.at, n.planned, n.kind = sent, planned, sentAtOnce
	if queued {
		n.kind = sentQueued
	}
}

// A success is an operation that succeeded.
type success struct {
	device            int
	planned, done     time.Duration
	response, service time.Duration
	wave              int32
	report            delivery.Report // of a delivery
}

// recordSuccess records an operation that succeeded. For a delivery, it also records its push and
// its verification.
func (r *recorder) recordSuccess(s *success) {
	r.succeeded.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.note()
	n.at, n.response, n.service, n.push, n.verify = s.done, s.response, s.service, s.report.Push, s.report.Verify
	n.device, n.wave, n.kind = int32(s.device), int16(s.wave), succeeded
	r.recent.add(s.response)
	if r.hook != nil {
		r.hook.Operation(s.planned, s.response, true)
	}
}

// recordFailure records an operation that failed. Its response time isn't in Latencies but in
// [Failures].
func (r *recorder) recordFailure(planned, response time.Duration) {
	r.failed.Add(1)
	if r.hook == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hook.Operation(planned, response, false)
}
