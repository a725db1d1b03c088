package server

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// monitor records whether the server keeps up. The server counts some things without ever resetting
// them, such as failures to accept. The monitor remembers these counts as they were at the last
// reset, and observed subtracts them.
type monitor struct {
	mu         sync.Mutex
	wakes      *hdrhistogram.Histogram // in microseconds
	late       uint64
	delayed    uint64
	lateMax    time.Duration
	queuePeak  int
	queueNow   int
	queueLimit int
	overflows  uint64 // of the machine's accept queues, at the last reset
	errors     uint64 // failures to accept, at the last reset
	noRoom     uint64 // connections refused because there were too many, at the last reset

	cpu      [cpuWindow]cpuSample // a ring
	cpuTurns int
}

const (
	wakeEvery = 20 * time.Millisecond
	wakeLimit = 100 * time.Second
	cpuWindow = 5 // ticks of the housekeeper
)

type cpuSample struct {
	at      time.Time
	seconds float64
}

func newMonitor() *monitor {
	return &monitor{wakes: hdrhistogram.New(1, wakeLimit.Microseconds(), 2)}
}

// timerLate records how late the server's timer woke it. A late wake also counts as one wake for
// each period that it missed.
func (m *monitor) timerLate(late time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	us := min(max(late.Microseconds(), 1), wakeLimit.Microseconds())
	// A histogram takes every value in its range, so that an error is a bug here.
	if err := m.wakes.RecordCorrectedValue(us, wakeEvery.Microseconds()); err != nil {
		panic(fmt.Sprintf("mockfleet: wakes: %v", err))
	}
}

// responseLate records how late a delayed response left.
func (m *monitor) responseLate(late time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delayed++
	if late > LateThreshold {
		m.late++
	}
	m.lateMax = max(m.lateMax, late)
}

// queueLength records how full the fullest accept queue is.
func (m *monitor) queueLength(now, limit int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queueNow, m.queueLimit = now, limit
	m.queuePeak = max(m.queuePeak, now)
}

// cpuUsed records the processor time that the process has used so far.
func (m *monitor) cpuUsed(at time.Time, seconds float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cpu[m.cpuTurns%cpuWindow] = cpuSample{at, seconds}
	m.cpuTurns++
}

// cpuShare returns the share of the machine's processor time that the process used over the window.
func (m *monitor) cpuShare() float64 {
	if m.cpuTurns < 2 {
		return 0
	}
	last := m.cpu[(m.cpuTurns-1)%cpuWindow]
	first := m.cpu[0]
	if m.cpuTurns > cpuWindow {
		first = m.cpu[m.cpuTurns%cpuWindow]
	}
	if wall := last.at.Sub(first.at).Seconds(); wall > 0 {
		return max(0, (last.seconds-first.seconds)/wall/float64(runtime.NumCPU()))
	}
	return 0
}

// reset forgets what was recorded. The arguments are the server's current counts.
func (m *monitor) reset(overflows, errors, noRoom uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wakes.Reset()
	m.late, m.delayed, m.lateMax, m.queuePeak = 0, 0, 0, 0
	m.overflows, m.errors, m.noRoom = overflows, errors, noRoom
}

// Observed is how the server kept up since the last reset.
type Observed struct {
	CPUFraction float64 // of all cores, by the process, over the last seconds; 0 if unknown

	Wakes            int64 // of the server's own timer
	WakeP90, WakeMax time.Duration

	Delayed, Late uint64 // responses that had to wait; of those, the ones that left over LateThreshold late
	LateMax       time.Duration

	AcceptQueue, AcceptQueuePeak, AcceptQueueLimit int
	AcceptOverflows                                uint64

	AcceptErrors, NoRoom uint64
}

// observed returns what was recorded since the last reset. The arguments are the server's current
// counts.
func (m *monitor) observed(overflows, errors, noRoom uint64) Observed {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Observed{
		CPUFraction: m.cpuShare(),
		Wakes:       m.wakes.TotalCount(),
		WakeP90:     time.Duration(m.wakes.ValueAtQuantile(90)) * time.Microsecond,
		WakeMax:     time.Duration(m.wakes.Max()) * time.Microsecond,
		Delayed:     m.delayed, Late: m.late, LateMax: m.lateMax,
		AcceptQueue: m.queueNow, AcceptQueuePeak: m.queuePeak, AcceptQueueLimit: m.queueLimit,
		AcceptOverflows: overflows - min(overflows, m.overflows),
		AcceptErrors:    errors - min(errors, m.errors),
		NoRoom:          noRoom - min(noRoom, m.noRoom),
	}
}

// LateThreshold is how late a delayed response may leave before it counts as late.
const LateThreshold = 50 * time.Millisecond

// Observed returns how the server kept up since the last Reset.
func (s *Server) Observed() Observed {
	_, _, _, noRoom := s.conns.counts()
	return s.monitor.observed(acceptOverflows(), s.acceptErrors.Load(), noRoom)
}

// watchTimers records how late timers are and how full the accept queues are, until the server
// closes.
func (s *Server) watchTimers() {
	timer := time.NewTimer(wakeEvery)
	defer timer.Stop()
	for turn := 0; ; turn++ {
		expected := time.Now().Add(wakeEvery)
		timer.Reset(wakeEvery)
		select {
		case <-timer.C:
			s.monitor.timerLate(time.Since(expected))
			s.lookAtQueues(turn)
		case <-s.done:
			return
		}
	}
}

// queuesAtOnce limits how many accept queues are looked at in one turn: in port addressing there
// are thousands.
const queuesAtOnce = 16

func (s *Server) lookAtQueues(turn int) {
	now, limit := 0, 0
	for n := range min(queuesAtOnce, len(s.listeners)) {
		l, ok := s.listeners[(turn*queuesAtOnce+n)%len(s.listeners)].(*net.TCPListener)
		if !ok {
			continue
		}
		if length, most := acceptQueue(l); length >= now {
			now, limit = length, most
		}
	}
	s.monitor.queueLength(now, limit)
}
