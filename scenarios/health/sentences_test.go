package health

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results"
)

// What run.json says under "invalid" is read by scripts and printed by reports, to the letter. Here stand
// the sentences that the tests of each check hold to a part only.

func sentences(findings []Finding) (all []string) {
	for _, f := range findings {
		all = append(all, f.String())
	}
	return all
}

func TestSentencesOfTheFleet(t *testing.T) {
	// 95% of all cores for ten seconds.
	_, findings := CheckFleet(mockfleet.Status{}, mockfleet.Status{Uptime: 10 * time.Second, CPUSeconds: 9.5 * float64(runtime.NumCPU())}, false, false)
	require.Equal(t, []string{"the fleet was the bottleneck: it used over 90% of all cores"}, sentences(findings))
}

func TestSentencesOfARepetition(t *testing.T) {
	for want, o := range map[string]Outcome{
		"2 of 10 operations were still under way 1s after the plan's end and were broken off, so that the longest times are missing: allow more (load.drain), or shorter deadlines of the client": {
			Operations: results.Operations{Started: 10, Succeeded: 8, BrokenOff: 2}},
		"1 of 1,000 operations was still under way 1s after the plan's end and was broken off, so that the longest times are missing: allow more (load.drain), or shorter deadlines of the client": {
			Operations: results.Operations{Started: 1000, Succeeded: 999, BrokenOff: 1}},
		"no operation succeeded: 0 started, 0 succeeded, 0 failed": {},
		"no operation succeeded: 6 planned, 5 started, 0 succeeded, 5 failed, 1 not sent, by class ": {
			Operations: results.Operations{Planned: 6, Started: 5, Failed: 5, NotSent: 1}},
		"3 latencies of push were over 1m0s, more than is recorded": {
			Operations: results.Operations{Succeeded: 1}, Overflows: []Overflow{{"push", 3, time.Minute}}},
	} {
		o.Drain = time.Second
		require.Equal(t, []string{want}, sentences(CheckOutcome(o)))
	}
}

func TestSentencesOfTheHarness(t *testing.T) {
	var all []Finding
	const late = 300154879 * time.Nanosecond
	for _, d := range []Driver{
		{NoDescriptor: 3, Descriptors: 1024, DescriptorLimit: 1048576},
		{Pacing: &Pacing{Timer: 1}, CPU: 800 * time.Millisecond * time.Duration(runtime.NumCPU()), GCBusy: 400 * time.Millisecond * time.Duration(runtime.NumCPU())},
		{Pacing: &Pacing{Timer: 100, BusyPeak: 2, MaxWorkers: 4, LatenessP99: late, TimerP90: late, TimerP99: late, LastPlanned: time.Second, Lag: 300 * time.Millisecond, FellBehind: true}, Disturbed: true},
	} {
		d.Elapsed = time.Second
		_, findings := CheckHarness(d)
		all = append(all, findings...)
	}
	require.Equal(t, []string{
		"the harness was the bottleneck: 3 connections found no free file descriptor, with 1024 open of 1048576",
		"the harness was the bottleneck: garbage collection took 50% of the driver's processor time, 40% of all cores",
		"behind schedule: the last operation was sent 300ms after its time, in a plan of 1s; of the latest 1% each was 300.155ms late or more; at most 2 of 4 workers were busy at once: the driver was too slow; where a worker stood ready the latest 1% was 300.155ms late or more; the driver used 0% of all cores",
	}, sentences(all))
}

func TestSentencesOfLeaks(t *testing.T) {
	before := ResourceSnapshot{goroutines: capture.Goroutines{"a.f a.go:1": 1}, descriptors: map[string]int{osinfo.Sockets: 1, "/dev/null": 1}, heap: 1 << 20}
	after := ResourceSnapshot{
		goroutines:  capture.Goroutines{"a.f a.go:1": 3, "b.g b.go:2\nc.h c.go:3": 1, "d d.go:1": 1, "e e.go:1": 1},
		descriptors: map[string]int{osinfo.Sockets: 4, "/dev/null": 2, "/tmp/a": 1, "/tmp/b": 1, "/tmp/c": 1}, heap: 41 << 20,
	}
	require.Equal(t, []string{
		"a leak: 5 more goroutines after the last repetition had drained than before the first: 2 at a.f a.go:1; 1 at c.h c.go:3 > b.g b.go:2; 1 at d d.go:1; 1 more stacks",
		"a leak: 3 more connections open after the last repetition had drained than before the first",
		"a leak: 4 more file descriptors open after the last repetition had drained than before the first: /dev/null, /tmp/a, /tmp/b",
		"a leak: 40 MiB more live on the heap after the last repetition had drained than before the first: see profiles of kind heap",
	}, sentences(CheckLeaks(before, after, 1)))
	require.Empty(t, CheckLeaks(before, before, 1))
}
