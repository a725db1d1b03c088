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
type Recording struct {
	Outcomes *Outcomes // of each device
	Failures *Failures

	config    RecordingConfig
	recorders []*recorder
	brokenOff atomic.Int64 // operations that were running when the load was over or its context ended

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
}

// How many recorders the workers share: a few for each core, so that workers seldom wait for each
// other. Each recorder has a histogram of 190 KB for each operation, so one recorder for each
// worker would take too much memory.
const (
	recordersPerCore = 4
	maxRecorders     = 64
)

// NewRecording returns an empty recording.
func NewRecording(c RecordingConfig) *Recording {
	c.Longest = cmp.Or(c.Longest, defaultLongest)
	r := &Recording{Outcomes: NewOutcomes(c.Devices), Failures: newFailures(c.Longest), config: c}
	r.recorders = make([]*recorder, min(c.Workers, recordersPerCore*runtime.GOMAXPROCS(0), maxRecorders))
	for i := range r.recorders {
		r.recorders[i] = newRecorder(c)
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
	r.allDispatched.Store(false)
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

// recorder returns the recorder of worker i.
func (r *Recording) recorder(i int) *recorder { return r.recorders[i%len(r.recorders)] }

// Totals counts the operations that ended.
type Totals struct {
	Succeeded, Failed, Retries int64

	succeededLate, failedLate int64         // after the plan's end
	busy                      time.Duration // time that workers of an ArrivalRate spent on operations
}

// Totals counts the operations that have ended so far.
func (r *Recording) Totals() Totals {
	var t Totals
	for _, rec := range r.recorders {
		t.Succeeded += rec.succeeded.Load()
		t.Failed += rec.failed.Load()
		t.Retries += rec.retries.Load()
		t.succeededLate += rec.succeededLate.Load()
		t.failedLate += rec.failedLate.Load()
		t.busy += time.Duration(rec.busy.Load())
	}
	return t
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
	sum := newRecorder(r.config)
	for _, rec := range r.recorders {
		for i, l := range rec.latencies {
			sum.latencies[i].merge(l)
		}
		if sum.lateness != nil {
			sum.lateness.merge(rec.lateness)
		}
	}
	latencies := map[delivery.Op]*Latencies{}
	for i, op := range operations(r.config.Op) {
		latencies[op] = sum.latencies[i]
	}
	return latencies, sum.lateness
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
	mu        sync.Mutex
	latencies []*Latencies    // by operation, in the order of operations
	lateness  *Lateness       // nil without a plan
	recent    recentLatencies // since the last sample
	hook      Hook            // may be nil

	succeeded, failed, retries, succeededLate, failedLate, busy atomic.Int64 // see Totals

	_ [64]byte // keeps the counters of neighbors on other cache lines
}

func newRecorder(c RecordingConfig) *recorder {
	r := &recorder{}
	for range operations(c.Op) {
		r.latencies = append(r.latencies, NewLatencies(c.Planned, c.Longest))
	}
	if c.Planned {
		r.lateness = NewLateness(c.Longest)
	}
	return r
}

func (r *recorder) reset() {
	for _, l := range r.latencies {
		l.reset()
	}
	if r.lateness != nil {
		r.lateness.reset()
	}
	r.recent, r.hook = recentLatencies{}, nil
	for _, n := range []*atomic.Int64{&r.succeeded, &r.failed, &r.retries, &r.succeededLate, &r.failedLate, &r.busy} {
		n.Store(0)
	}
}

// recordDispatch records when an operation of an ArrivalRate was planned and sent.
func (r *recorder) recordDispatch(planned, sent time.Duration, queued bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lateness.Add(planned, sent, queued)
}

// recordSuccess records an operation that succeeded. For a delivery, it also records its push and
// its verification.
func (r *recorder) recordSuccess(planned, sent, done time.Duration, report delivery.Report) {
	r.succeeded.Add(1)
	response, service := done-planned, done-sent
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.latencies) > 1 {
		if report.Push > 0 { // some clients don't time the parts of a delivery
			r.latencies[0].Add(sent-planned+report.Push, report.Push)
		}
		if report.Verify > 0 {
			r.latencies[1].Add(report.Verify, report.Verify)
		}
	}
	r.latencies[len(r.latencies)-1].Add(response, service)
	r.recent.add(response)
	if r.hook != nil {
		r.hook.Operation(planned, response, true)
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
