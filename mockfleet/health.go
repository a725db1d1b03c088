package mockfleet

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Health says whether the fleet keeps up: whether it, rather than its clients, limits what they measure. Its
// figures are since the start or the last Reset, unless said otherwise.
type Health struct {
	CPUFraction float64 `json:"cpu_fraction"` // of all cores, by the process, over the last seconds; 0 where unknown

	// How late the fleet's own clock wakes it, every 20 ms: how long a request waits before it is looked at.
	WakeP90 time.Duration `json:"wake_p90_ns"`
	WakeMax time.Duration `json:"wake_max_ns"`

	Delayed uint64        `json:"delayed"`     // answers, and parts of them, that were to wait for a latency, a round trip or a fault
	Late    uint64        `json:"late"`        // of those, the ones that left over 50 ms after their time
	LateMax time.Duration `json:"late_max_ns"` // how late the latest of them was

	// Connections that the kernel holds and the fleet has not accepted, of the fullest listener; 0 where unknown.
	AcceptQueue      int    `json:"accept_queue"` // now
	AcceptQueuePeak  int    `json:"accept_queue_peak"`
	AcceptQueueLimit int    `json:"accept_queue_limit"`
	AcceptOverflows  uint64 `json:"accept_overflows"` // of any listener of the machine's, or of the container's

	DescriptorLimit uint64 `json:"descriptor_limit"` // 0 where unknown

	Saturated bool      `json:"saturated"`          // the fleet is the bottleneck
	Problems  []Problem `json:"problems,omitempty"` // why
}

// Problem is a reason why a fleet is the bottleneck.
type Problem struct {
	// Starved tells that the fleet was late, which it may owe to others that had the machine.
	Starved bool   `json:"starved"`
	Text    string `json:"text"` // a clause: "it refused 3 connections for want of room"
}

func (p Problem) String() string { return p.Text }

// Beyond these the figures of a run are the fleet's, not its client's.
const (
	lateAfter    = 50 * time.Millisecond // an answer that leaves so long after its time is late
	maxLateShare = 0.01                  // of the delayed answers
	leastLate    = 10                    // fewer are a machine's hiccup
	maxWake      = 50 * time.Millisecond // that a tenth of the wakes may be late by
	leastWakes   = 25                    // half a second's
	maxQueued    = 0.9                   // of the accept queue's limit
)

// problems are the reasons why the fleet is the bottleneck, by the figures of h and t.
func (h *Health) problems(wakes int64, t *Traffic) (list []Problem) {
	add := func(format string, args ...any) { list = append(list, Problem{Text: fmt.Sprintf(format, args...)}) }
	late := func(format string, args ...any) {
		list = append(list, Problem{Starved: true, Text: fmt.Sprintf(format, args...)})
	}
	if t.AcceptErrors > 0 {
		add("it could not accept connections, %d times", t.AcceptErrors)
	}
	if t.ConnectionsNoRoom > 0 {
		add("it refused %d connections for want of room", t.ConnectionsNoRoom)
	}
	if limit := float64(h.AcceptQueueLimit); limit > 0 && float64(h.AcceptQueuePeak) >= maxQueued*limit {
		add("its accept queue held %d connections, of %d at most", h.AcceptQueuePeak, h.AcceptQueueLimit)
	}
	if h.Late >= leastLate && float64(h.Late) > maxLateShare*float64(h.Delayed) {
		late("%d of %d delayed answers left over %v late, the latest %v", h.Late, h.Delayed, lateAfter, h.LateMax.Round(time.Millisecond))
	}
	if wakes >= leastWakes && h.WakeP90 > maxWake {
		late("a tenth of the time it was %v late or more to look at what had come", h.WakeP90.Round(time.Millisecond))
	}
	return list
}

// watch is what the fleet observes of itself. Accept errors and refused connections are the fleet's totals: base
// has those of the last reset.
type watch struct {
	mu         sync.Mutex
	wakes      *hdrhistogram.Histogram // in microseconds
	late       uint64
	delayed    uint64
	lateMax    time.Duration
	queuePeak  int
	queueNow   int
	queueLimit int
	overflows  uint64 // the machine's, at the last reset
	errors     uint64 // to accept, at the last reset
	noRoom     uint64 // connections refused for want of it, at the last reset

	cpu      [cpuWindow]cpuMark // by turns
	cpuTurns int
}

const (
	wakeEvery = 20 * time.Millisecond
	wakeLimit = 100 * time.Second
	cpuWindow = 5 // ticks of the housekeeper
)

type cpuMark struct {
	at      time.Time
	seconds float64
}

func newWatch() *watch {
	return &watch{wakes: hdrhistogram.New(1, wakeLimit.Microseconds(), 2)}
}

// woke notes how late the fleet woke. One wake that is late stands for all that it kept from coming.
func (w *watch) woke(late time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	us := min(max(late.Microseconds(), 1), wakeLimit.Microseconds())
	// In range, a histogram takes every value: an error would be ours.
	if err := w.wakes.RecordCorrectedValue(us, wakeEvery.Microseconds()); err != nil {
		panic(fmt.Sprintf("mockfleet: wakes: %v", err))
	}
}

// answered notes how late something left that was to wait.
func (w *watch) answered(late time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delayed++
	if late > lateAfter {
		w.late++
	}
	w.lateMax = max(w.lateMax, late)
}

// queued notes how full the accept queues are.
func (w *watch) queued(now, limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queueNow, w.queueLimit = now, limit
	w.queuePeak = max(w.queuePeak, now)
}

// spent notes the processor time that the process has used.
func (w *watch) spent(at time.Time, seconds float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cpu[w.cpuTurns%cpuWindow] = cpuMark{at, seconds}
	w.cpuTurns++
}

// share is that of the machine's processor time over the window.
func (w *watch) share() float64 {
	if w.cpuTurns < 2 {
		return 0
	}
	last := w.cpu[(w.cpuTurns-1)%cpuWindow]
	first := w.cpu[0]
	if w.cpuTurns > cpuWindow {
		first = w.cpu[w.cpuTurns%cpuWindow]
	}
	if wall := last.at.Sub(first.at).Seconds(); wall > 0 {
		return max(0, (last.seconds-first.seconds)/wall/float64(runtime.NumCPU()))
	}
	return 0
}

// reset begins anew, from the totals as they stand.
func (w *watch) reset(overflows, errors, noRoom uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wakes.Reset()
	w.late, w.delayed, w.lateMax, w.queuePeak = 0, 0, 0, 0
	w.overflows, w.errors, w.noRoom = overflows, errors, noRoom
}

// health is how the fleet is, by what was observed and by the totals in t.
func (w *watch) health(t *Traffic, overflows uint64) Health {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := Health{
		CPUFraction: w.share(),
		WakeP90:     time.Duration(w.wakes.ValueAtQuantile(90)) * time.Microsecond,
		WakeMax:     time.Duration(w.wakes.Max()) * time.Microsecond,
		Delayed:     w.delayed, Late: w.late, LateMax: w.lateMax,
		AcceptQueue: w.queueNow, AcceptQueuePeak: w.queuePeak, AcceptQueueLimit: w.queueLimit,
		AcceptOverflows: overflows - min(overflows, w.overflows),
	}
	since := *t
	since.AcceptErrors -= min(since.AcceptErrors, w.errors)
	since.ConnectionsNoRoom -= min(since.ConnectionsNoRoom, w.noRoom)
	h.Problems = h.problems(w.wakes.TotalCount(), &since)
	h.Saturated = len(h.Problems) > 0
	return h
}

// watchItself observes the fleet until it closes.
func (f *Fleet) watchItself() {
	timer := time.NewTimer(wakeEvery)
	defer timer.Stop()
	for turn := 0; ; turn++ {
		expected := time.Now().Add(wakeEvery)
		timer.Reset(wakeEvery)
		select {
		case <-timer.C:
			f.watch.woke(time.Since(expected))
			f.lookAtQueues(turn)
		case <-f.done:
			return
		}
	}
}

// queuesAtOnce bounds how many listeners are looked at in one turn: in port addressing there are thousands.
const queuesAtOnce = 16

func (f *Fleet) lookAtQueues(turn int) {
	now, limit := 0, 0
	for n := range min(queuesAtOnce, len(f.listeners)) {
		l, ok := f.listeners[(turn*queuesAtOnce+n)%len(f.listeners)].(*net.TCPListener)
		if !ok {
			continue
		}
		if length, most := acceptQueue(l); length >= now {
			now, limit = length, most
		}
	}
	f.watch.queued(now, limit)
}
