package runner

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
)

// Bounds of the histograms, in nanoseconds. Resolution is 0.1% from 16 µs on and
// 16 ns below. How far a histogram reaches is a matter of the load: see Spec.longest. A latency
// beyond it is counted as its highest value, and said.
const (
	histLowest = 16
	histDigits = 3
)

// How many recorders the workers share: a few for each that can run at a time, so that
// they seldom meet at one. Each has a histogram of 190 KB an operation, so that one for
// each of 64 workers would take more memory than anything else of a usual run.
const (
	recordersPerCore = 4
	maxRecorders     = 64
)

// recorder counts for one worker, or for a few that share it. Recording allocates
// nothing and waits for nobody but them.
type recorder struct {
	mu      sync.Mutex
	list    []*tally // one an operation, in the order of LoadSpec.Operations
	done    atomic.Int64
	failed  atomic.Int64
	retries atomic.Int64
	asked   scenarios.Operation  // that the load asks for
	live    liveTimes            // of those, since somebody last looked
	slow    time.Duration        // an operation beyond it is told; 0: none is
	tooSlow chan<- time.Duration // to whom; what is not taken at once is left untold
	trend   *trend               // of a rate that a search tries; else nil
	plan    *plan                // how the plan was kept; nil for the closed model, which has none
	late    atomic.Int64         // operations that succeeded after the plan's end
	lateBad atomic.Int64         // and that failed after it
	busy    atomic.Int64         // nanoseconds that workers of an open load spent on operations
	highest time.Duration        // that its histograms hold
	_       [64]byte             // neighbours' counters lie on other cache lines
}

// tally is what one operation took.
type tally struct {
	response *hdrhistogram.Histogram // from planned to done
	service  *hdrhistogram.Histogram // from sent to done; the same histogram under a closed load
	sum      int64                   // of response times, ns: the mean needs no histogram
	n        int64
	clipped  int64 // beyond the histogram
}

// histogramUpTo returns a histogram of times up to highest.
func histogramUpTo(highest time.Duration) *hdrhistogram.Histogram {
	return hdrhistogram.New(histLowest, int64(highest), histDigits)
}

// newRecorders returns the recorders that a load's workers share, for times up to highest.
func newRecorders(load scenarios.LoadSpec, highest time.Duration) []*recorder {
	_, most := load.WorkerRange()
	list := make([]*recorder, min(most, recordersPerCore*runtime.GOMAXPROCS(0), maxRecorders))
	for i := range list {
		list[i] = newRecorder(load, highest)
	}
	return list
}

// newRecorder returns a recorder of times up to highest.
func newRecorder(load scenarios.LoadSpec, highest time.Duration) *recorder {
	r := &recorder{asked: load.Operation, highest: highest}
	for range load.Operations() {
		t := &tally{response: histogramUpTo(highest)}
		t.service = t.response
		if load.IsOpen() {
			t.service = histogramUpTo(highest)
		}
		r.list = append(r.list, t)
	}
	if load.IsOpen() {
		r.plan = newPlan(highest)
	}
	return r
}

func (r *recorder) reset() {
	for _, t := range r.list {
		t.response.Reset()
		t.service.Reset()
		t.sum, t.n, t.clipped = 0, 0, 0
	}
	if r.plan != nil {
		r.plan.reset()
	}
	r.live = liveTimes{}
	r.slow, r.tooSlow = 0, nil
	r.done.Store(0)
	r.failed.Store(0)
	r.retries.Store(0)
	r.late.Store(0)
	r.lateBad.Store(0)
	r.busy.Store(0)
}

// record takes one successful operation.
func (r *recorder) record(op scenarios.Operation, response, service time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.take(op, response, service)
}

// delivered takes a successful delivery, and the push and the verification in it: wait is
// how long it waited to be sent.
func (r *recorder) delivered(wait, push, verify, service time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.take(scenarios.Push, wait+push, push)
	r.take(scenarios.Verify, verify, verify)
	r.take(scenarios.Deliver, wait+service, service)
}

// of is an operation's tally. There is one, or those of Operations in their order.
func (r *recorder) of(op scenarios.Operation) *tally {
	switch {
	case len(r.list) == 1, op == scenarios.Push:
		return r.list[0]
	case op == scenarios.Verify:
		return r.list[1]
	}
	return r.list[2]
}

func (r *recorder) take(op scenarios.Operation, response, service time.Duration) {
	t := r.of(op)
	t.n++
	t.sum += int64(response)
	t.take(t.response, response)
	if t.service != t.response {
		t.take(t.service, service)
	}
	if op == r.asked {
		r.live.add(response)
		r.tellSlow(response)
	}
}

// tellSlow tells of an operation that took longer than it may, however it ended.
func (r *recorder) tellSlow(response time.Duration) {
	if r.slow <= 0 || response <= r.slow {
		return
	}
	select {
	case r.tooSlow <- response:
	default:
	}
}

// gaveUp takes an operation that failed after so long. Its time is no latency of the operation; see failures.
func (r *recorder) gaveUp(response time.Duration) {
	r.failed.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tellSlow(response)
}

// went takes how an operation of a search's rate went.
func (r *recorder) went(planned, response time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trend.add(planned, response)
}

// sent takes when an operation of an open load was planned, and sent.
func (r *recorder) sent(planned, sent time.Duration, starved bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plan.sent(planned, sent, starved)
}

func (t *tally) take(h *hdrhistogram.Histogram, d time.Duration) {
	if !record(h, d) {
		t.clipped++
	}
}

// record puts a time into a histogram, and reports whether it is in its bounds.
func record(h *hdrhistogram.Histogram, d time.Duration) bool {
	highest := h.HighestTrackableValue()
	v := min(max(int64(d), 0), highest)
	// In range, a histogram takes every value: an error would be ours.
	if err := h.RecordValue(v); err != nil {
		panic(fmt.Sprintf("scenarios: recorder: %v", err))
	}
	return int64(d) <= highest
}

// merged adds up the recorders of a repetition: what each operation took, and how
// the plan was kept, if there was one.
func merged(recorders []*recorder, load scenarios.LoadSpec) (map[scenarios.Operation]*tally, *plan) {
	highest := leastLongest
	if len(recorders) > 0 {
		highest = recorders[0].highest
	}
	all := newRecorder(load, highest)
	for _, r := range recorders {
		for i, t := range r.list {
			to := all.list[i]
			to.response.Merge(t.response)
			if to.service != to.response {
				to.service.Merge(t.service)
			}
			to.sum += t.sum
			to.n += t.n
			to.clipped += t.clipped
		}
		if all.plan != nil {
			all.plan.add(r.plan)
		}
	}
	ops := map[scenarios.Operation]*tally{}
	for i, op := range load.Operations() {
		ops[op] = all.list[i]
	}
	return ops, all.plan
}

// mean is the mean response time in nanoseconds.
func (t *tally) mean() float64 {
	if t.n == 0 {
		return 0
	}
	return float64(t.sum) / float64(t.n)
}

// quantile is a percentile in nanoseconds.
func quantile(h *hdrhistogram.Histogram, percent float64) float64 {
	return float64(h.ValueAtQuantile(percent))
}

// liveTimes counts response times coarsely, for who watches a run: the histograms that are
// recorded are too large to be looked at several times a second. A bucket is an eighth of
// a power of two wide.
type liveTimes struct{ counts [liveBuckets]uint32 }

const (
	liveFraction = 3                                    // bits below the highest
	liveBuckets  = (45 + 1) << liveFraction             // up to 2^45 ns, which is 9.8 h
	liveWindow   = int(2 * time.Second / progressEvery) // looks that a percentile is of
)

func (t *liveTimes) add(d time.Duration) { t.counts[liveBucket(d)]++ }

func liveBucket(d time.Duration) int {
	ns := uint64(max(d, 1))
	top := bits.Len64(ns) - 1
	within := ns << liveFraction >> top & (1<<liveFraction - 1)
	return min(top<<liveFraction|int(within), liveBuckets-1)
}

// middle of a bucket's times.
func middle(bucket int) time.Duration {
	top := bucket >> liveFraction
	width := max(1, uint64(1)<<top>>liveFraction)
	return time.Duration(uint64(1)<<top + uint64(bucket&(1<<liveFraction-1))*width + width/2)
}

// move adds what t counted to another, and empties t.
func (t *liveTimes) move(to *liveTimes) {
	for i, n := range t.counts {
		to.counts[i] += n
	}
	*t = liveTimes{}
}

// liveView keeps the last looks at the recorders.
type liveView struct {
	looks [liveWindow]liveTimes
	turn  int
}

// look takes what came since the last one, and gives the percentiles of the last ones; 0 where nothing came.
func (v *liveView) look(recorders []*recorder) (p50, p99 time.Duration) {
	now := &v.looks[v.turn%liveWindow]
	v.turn++
	*now = liveTimes{}
	for _, r := range recorders {
		r.mu.Lock()
		r.live.move(now)
		r.mu.Unlock()
	}
	var all liveTimes
	for i := range v.looks {
		for b, n := range v.looks[i].counts {
			all.counts[b] += n
		}
	}
	return all.quantile(0.5), all.quantile(0.99)
}

// quantile is the time that a share of what was counted kept within.
func (t *liveTimes) quantile(share float64) time.Duration {
	var all uint64
	for _, n := range t.counts {
		all += uint64(n)
	}
	if all == 0 {
		return 0
	}
	var sum uint64
	for i, n := range t.counts {
		if sum += uint64(n); float64(sum) >= share*float64(all) {
			return middle(i)
		}
	}
	return middle(liveBuckets - 1)
}

// latencyLog makes latency.hlog: HdrHistogram's log, an interval histogram a
// repetition and operation, tagged with the operation. Values are response times
// in nanoseconds; the log's own maximum column is in milliseconds, as usual.
type latencyLog struct {
	text bytes.Buffer // what log has written and nobody has taken
	log  *hdrhistogram.HistogramLogWriter
}

// newLatencyLog begins the log of a run that started then, and gives its head.
func newLatencyLog(started time.Time) (*latencyLog, rundir.Chunk, error) {
	l := &latencyLog{}
	l.log = hdrhistogram.NewHistogramLogWriter(&l.text)
	ms := started.UnixMilli()
	l.log.SetBaseTime(ms)
	err := errors.Join(
		l.log.OutputComment("[Fleetmark: response times in nanoseconds, one interval a repetition and operation]"),
		l.log.OutputLogFormatVersion(), l.log.OutputStartTime(ms), l.log.OutputBaseTime(ms), l.log.OutputLegend(),
	)
	return l, l.taken(), err
}

// taken is what was written since the last time.
func (l *latencyLog) taken() rundir.Chunk {
	defer l.text.Reset()
	return rundir.Chunk{Name: rundir.LatencyFile, Data: slices.Clone(l.text.Bytes())}
}

// interval is a repetition's part of the log.
func (l *latencyLog) interval(load scenarios.LoadSpec, m *measured) (rundir.Chunk, error) {
	start, end := m.started.UnixMilli(), m.started.Add(m.elapsed).UnixMilli()
	for _, op := range load.Operations() {
		h := m.ops[op].response
		h.SetTag(string(op))
		h.SetStartTimeMs(start)
		h.SetEndTimeMs(end)
		if err := l.log.OutputIntervalHistogram(h); err != nil {
			return rundir.Chunk{}, err
		}
	}
	return l.taken(), nil
}
