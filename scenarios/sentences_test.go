package scenarios

import (
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
)

// What run.json says under "invalid" is read by scripts and printed by reports, to the letter. Here stand
// the sentences that the tests of each check hold to a part only.

func TestSentencesOfTheFleet(t *testing.T) {
	r := &runner{fleet: &process{}, run: results.Run{Valid: true}}
	// 95% of all cores for ten seconds.
	r.judgeFleet(mockfleet.Status{}, mockfleet.Status{Uptime: 10 * time.Second, CPUSeconds: 9.5 * float64(runtime.NumCPU())}, false)
	require.Equal(t, []string{"the fleet was the bottleneck: it used over 90% of all cores"}, r.run.Invalid)
}

func TestSentencesOfARepetition(t *testing.T) {
	for want, m := range map[string]measured{
		"2 of 10 operations were still under way 1s after the plan's end and were broken off, so that the longest times are missing: allow more (load.drain), or shorter deadlines of the client": {
			done: 8, operations: results.Operations{Started: 10, Succeeded: 8, BrokenOff: 2}},
		"1 of 1,000 operations was still under way 1s after the plan's end and was broken off, so that the longest times are missing: allow more (load.drain), or shorter deadlines of the client": {
			done: 999, operations: results.Operations{Started: 1000, Succeeded: 999, BrokenOff: 1}},
		"no operation succeeded: 0 started, 0 succeeded, 0 failed": {},
		"no operation succeeded: 6 planned, 5 started, 0 succeeded, 5 failed, 1 not sent, by class ": {
			failed: 5, operations: results.Operations{Planned: 6, Started: 5, Failed: 5, NotSent: 1}},
		"3 latencies of push were over 1m0s, more than is recorded": {done: 1, ops: map[Operation]*tally{Push: {n: 1, clipped: 3}}},
	} {
		r := &runner{run: results.Run{Valid: true}, failures: newFailures(time.Minute)}
		r.spec.Load = LoadSpec{Model: Constant, Operation: Push, Drain: Duration(time.Second)}
		r.recorders = []*recorder{newRecorder(r.spec.Load, time.Minute)}
		if m.ops == nil {
			m.ops = map[Operation]*tally{Push: {}}
		}
		r.judgeRepetition(&m)
		require.Equal(t, []string{want}, r.run.Invalid)
	}
}

func TestSentencesOfTheHarness(t *testing.T) {
	limit, known := osinfo.DescriptorLimit()
	if !known {
		t.Skip("this system has no limit of descriptors")
	}
	r := &runner{run: results.Run{Valid: true}}
	r.spec.Load.Workers = 4
	r.judgeHarness(&measured{elapsed: time.Second, refused: refusals{noDescriptor: 3}, descriptors: 1024})
	r.judgeHarness(&measured{elapsed: time.Second, plan: kept(0, 0, 1, 0, time.Second, 0),
		cost: cost{processor: seconds(0.8 * float64(runtime.NumCPU())), gcBusy: 0.4 * float64(runtime.NumCPU())}})
	// 300 ms lie in a bucket of 262,144 ns of the histogram, which ends at 300.154879 ms.
	r.judgeHarness(&measured{elapsed: time.Second, busiest: 2, plan: kept(0, 0, 100, 300*time.Millisecond, time.Second, 300*time.Millisecond), disturbed: "others"})
	require.Equal(t, []string{
		"the harness was the bottleneck: 3 connections found no free file descriptor, with 1024 open of " + strconv.FormatUint(limit, 10),
		"the harness was the bottleneck: garbage collection took 50% of the driver's processor time, 40% of all cores",
		"behind schedule: the last operation was sent 300ms after its time, in a plan of 1s; of the latest 1% each was 300.155ms late or more; at most 2 of 4 workers were busy at once: the driver was too slow; where a worker stood ready the latest 1% was 300.155ms late or more; the driver used 0% of all cores",
	}, r.run.Invalid)
}

func TestSentencesOfLeaks(t *testing.T) {
	before := holdings{goroutines: profiles.Goroutines{"a.f a.go:1": 1}, descriptors: map[string]int{osinfo.Sockets: 1, "/dev/null": 1}, heap: 1 << 20, devices: 1}
	after := holdings{
		goroutines:  profiles.Goroutines{"a.f a.go:1": 3, "b.g b.go:2\nc.h c.go:3": 1, "d d.go:1": 1, "e e.go:1": 1},
		descriptors: map[string]int{osinfo.Sockets: 4, "/dev/null": 2, "/tmp/a": 1, "/tmp/b": 1, "/tmp/c": 1}, heap: 41 << 20, devices: 1,
	}
	require.Equal(t, []string{
		"a leak: 5 more goroutines after the last repetition had drained than before the first: 2 at a.f a.go:1; 1 at c.h c.go:3 > b.g b.go:2; 1 at d d.go:1; 1 more stacks",
		"a leak: 3 more connections open after the last repetition had drained than before the first",
		"a leak: 4 more file descriptors open after the last repetition had drained than before the first: /dev/null, /tmp/a, /tmp/b",
		"a leak: 40 MiB more live on the heap after the last repetition had drained than before the first: see profiles of kind heap",
	}, before.leaks(after))
	require.Empty(t, before.leaks(before))
}

func TestSentencesOfContradictions(t *testing.T) {
	const well, other = xDigest, "other"
	entry := func(device int, change func(*mockfleet.Entry)) mockfleet.Entry {
		e := mockfleet.Entry{Device: device, Pushes: 1, Applied: 1, Verifies: 1, Version: "2", Digest: well}
		change(&e)
		return e
	}
	for _, row := range []struct {
		op       Operation
		claimed  uint32 // by the client, of devices 0 to 4
		sent     int    // pushes and verifications that it tells of, of each
		ledger   []mockfleet.Entry
		sentence string
	}{
		{Deliver, 1, 9, []mockfleet.Entry{
			entry(0, func(e *mockfleet.Entry) { e.AppliedTwice = 1 }),
			entry(1, func(e *mockfleet.Entry) { e.Misaddressed = 3 }),
			entry(2, func(e *mockfleet.Entry) { e.Version = "1" }),
			entry(3, func(e *mockfleet.Entry) { e.Digest = other }),
		}, "device 0: applied the same update twice (1 times too often); device 1: got 3 pushes that were meant for another device; " +
			`device 2: the client claims 1 successes, the ledger: it runs "1", not "2"; ` +
			"device 3: the client claims 1 successes, the ledger: it runs content other, not " + well + "; " +
			"device 4: the client claims 1 successes, the ledger knows nothing of it"},
		{Push, 2, 9, []mockfleet.Entry{
			entry(0, func(e *mockfleet.Entry) {}),
			entry(1, func(e *mockfleet.Entry) { e.Applied, e.Repeats = 1, 1 }),
		}, "device 0: the client claims 2 successes, the ledger: it acknowledged 1 updates; " +
			"device 2: the client claims 2 successes, the ledger knows nothing of it; " +
			"device 3: the client claims 2 successes, the ledger knows nothing of it; " +
			"device 4: the client claims 2 successes, the ledger knows nothing of it"},
		{Deliver, 0, 1, []mockfleet.Entry{
			entry(0, func(e *mockfleet.Entry) { e.Pushes = 2 }),
			entry(1, func(e *mockfleet.Entry) { e.Verifies = 2 }),
			entry(2, func(e *mockfleet.Entry) {}),
		}, "device 0: it received 2 pushes, the client says that it sent 1: another driver, or a client that doesn't tell all; " +
			"device 1: it received 2 verifications, the client says that it sent 1: another driver, or a client that doesn't tell all; " +
			"device 2: applied an update that the client claims nothing of"},
	} {
		c := newClaims(5)
		for device := range 5 {
			claim(c, device, row.claimed, 0)
			c.sent(device, row.sent, row.sent)
		}
		_, said, err := c.reconcile(t.Context(), ledgerOf(row.ledger...), xUpdate(t), row.op)
		require.NoError(t, err)
		require.Equal(t, row.sentence, strings.Join(said, "; "))
	}
}
