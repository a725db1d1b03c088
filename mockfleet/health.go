package mockfleet

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/internal/server"
)

// Health says whether the fleet keeps up with its clients. If it doesn't, their measurements show
// its limits instead of theirs. Its figures are since the start or the last Reset, unless said
// otherwise.
type Health struct {
	CPUFraction float64 `json:"cpu_fraction"` // of all cores, by the process, over the last seconds; 0 where unknown

	// How late the fleet's own clock wakes it, every 20 ms: how long a request waits before it is
	// looked at.
	WakeP90 time.Duration `json:"wake_p90_ns"` // 90th percentile
	WakeMax time.Duration `json:"wake_max_ns"` // the latest wake

	// Delayed is how many answers, and parts of them, had to wait for a latency, a round trip or a
	// fault.
	Delayed uint64        `json:"delayed"`
	Late    uint64        `json:"late"`        // of those, the ones that left over 50 ms after their time
	LateMax time.Duration `json:"late_max_ns"` // how late the latest of them was

	// Connections that the kernel holds and the fleet has not accepted, of the fullest listener; 0
	// where unknown.
	AcceptQueue      int    `json:"accept_queue"`       // now
	AcceptQueuePeak  int    `json:"accept_queue_peak"`  // the most since the last reset
	AcceptQueueLimit int    `json:"accept_queue_limit"` // how many may wait
	AcceptOverflows  uint64 `json:"accept_overflows"`   // of any listener of the machine's, or of the container's

	DescriptorLimit uint64 `json:"descriptor_limit"` // 0 where unknown

	Saturated bool      `json:"saturated"`          // the fleet is the bottleneck
	Problems  []Problem `json:"problems,omitempty"` // why
}

// Problem is a reason why a fleet is the bottleneck.
type Problem struct {
	// Starved is whether the fleet was late, which may be because other processes used the machine.
	Starved bool   `json:"starved"`
	Text    string `json:"text"` // a clause: "it refused 3 connections for want of room"
}

func (p Problem) String() string { return p.Text }

// Limits beyond which measurements show the fleet instead of its client.
const (
	maxLateShare = 0.01                  // of the delayed answers
	minLate      = 10                    // fewer late answers may be chance
	maxWake      = 50 * time.Millisecond // how late the 90th percentile of wakes may be
	minWakes     = 25                    // in half a second; fewer give no percentile
	maxQueued    = 0.9                   // of the accept queue's limit
)

// newHealth derives the fleet's health from what its server observed.
func newHealth(o server.Observed) Health {
	h := Health{
		CPUFraction: o.CPUFraction,
		WakeP90:     o.WakeP90, WakeMax: o.WakeMax,
		Delayed: o.Delayed, Late: o.Late, LateMax: o.LateMax,
		AcceptQueue: o.AcceptQueue, AcceptQueuePeak: o.AcceptQueuePeak, AcceptQueueLimit: o.AcceptQueueLimit,
		AcceptOverflows: o.AcceptOverflows,
		Problems:        problems(o),
	}
	h.Saturated = len(h.Problems) > 0
	return h
}

// problems returns the reasons why the fleet is the bottleneck, or nil if it isn't.
func problems(o server.Observed) (list []Problem) {
	add := func(format string, args ...any) { list = append(list, Problem{Text: fmt.Sprintf(format, args...)}) }
	late := func(format string, args ...any) {
		list = append(list, Problem{Starved: true, Text: fmt.Sprintf(format, args...)})
	}
	if o.AcceptErrors > 0 {
		add("it could not accept connections, %d times", o.AcceptErrors)
	}
	if o.NoRoom > 0 {
		add("it refused %d connections for want of room", o.NoRoom)
	}
	if limit := float64(o.AcceptQueueLimit); limit > 0 && float64(o.AcceptQueuePeak) >= maxQueued*limit {
		add("its accept queue held %d connections, of %d at most", o.AcceptQueuePeak, o.AcceptQueueLimit)
	}
	if o.Late >= minLate && float64(o.Late) > maxLateShare*float64(o.Delayed) {
		late("%d of %d delayed answers left over %v late, the latest %v",
			o.Late, o.Delayed, server.LateThreshold, o.LateMax.Round(time.Millisecond))
	}
	if o.Wakes >= minWakes && o.WakeP90 > maxWake {
		late("a tenth of the time it was %v late or more to look at what had come", o.WakeP90.Round(time.Millisecond))
	}
	return list
}
