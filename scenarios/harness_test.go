package scenarios

import (
	"context"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
)

// TestStarvation: an operation is starved if every worker was busy when it was due. What
// is expected is worked out by hand at each row.
func TestStarvation(t *testing.T) {
	each := func(d time.Duration) func(int64) time.Duration { return func(int64) time.Duration { return d } }
	for name, row := range map[string]struct {
		spec    LoadSpec
		devices int
		takes   func(n int64) time.Duration
		starved int64
		of      int64
		busiest int64
		late    time.Duration // the latest that was starved
	}{
		// Every 5 ms one that takes 12: there are three at a time.
		"workers enough": {LoadSpec{Model: Constant, Workers: 3, Rate: 200, Duration: Duration(time.Second)}, 1, each(12 * time.Millisecond), 0, 200, 3, 0},
		"and to spare":   {LoadSpec{Model: Constant, Workers: 50, Rate: 200, Duration: Duration(time.Second)}, 1, each(12 * time.Millisecond), 0, 200, 3, 0},
		// One that takes as long as is planned is free again the moment the next is due.
		"just enough": {LoadSpec{Model: Constant, Workers: 1, Rate: 100, Duration: Duration(time.Second)}, 1, each(10 * time.Millisecond), 0, 100, 1, 0},
		// 10 ms planned, 20 taken: all but the first wait; the last, planned at 990 ms, is sent at 1,980.
		"half as fast": {LoadSpec{Model: Constant, Workers: 1, Rate: 100, Duration: Duration(time.Second), Drain: Duration(time.Minute)}, 1, each(20 * time.Millisecond), 99, 100, 1, 990 * time.Millisecond},
		// 5 due at once, and 2 workers that take 10 ms: 3 wait, the last until 20 ms.
		"a burst": {LoadSpec{Model: Bursts, Workers: 2, Burst: Burst{Size: 5}}, 5, each(10 * time.Millisecond), 3, 5, 2, 20 * time.Millisecond},
		// The one stall of 1 s keeps the 999 that are due in it, at 1,000 a second.
		"a stall": {LoadSpec{Model: Constant, Workers: 1, Rate: 1000, Duration: Duration(3 * time.Second)}, 1, func(n int64) time.Duration {
			if n == 1000 {
				return time.Second
			}
			return 0
		}, 999, 3000, 1, 999 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row.spec.Operation = Push
				l := newLoad(row.spec, row.devices, &standIn{takes: row.takes})
				l.run(t.Context())
				_, p := merged(l.recorders, row.spec)
				require.Equal(t, row.starved, p.starved.TotalCount())
				require.Equal(t, row.of, p.starved.TotalCount()+p.ready.TotalCount())
				require.Equal(t, float64(row.starved)/float64(row.of), p.starvedFraction())
				require.Equal(t, row.busiest, l.crowd.most.Load())
				require.Zero(t, l.crowd.now.Load())
				require.InDelta(t, float64(row.late), float64(p.starved.Max()), histLowest+0.002*float64(row.late))
				require.Less(t, p.ready.Max(), int64(histLowest), "in a bubble a timer is never late")
			})
		})
	}
}

// kept is a plan of so many operations that were late by so much.
func kept(starved int, by time.Duration, ready int, late time.Duration, last, lag time.Duration) *plan {
	p := newPlan(leastLongest)
	for range starved {
		p.sent(0, by, true)
	}
	for range ready {
		p.sent(0, late, false)
	}
	p.lastPlanned, p.last = last, last+lag
	return p
}

// TestJudgeHarness: each way in which the driver can be the bottleneck, with its number.
func TestJudgeHarness(t *testing.T) {
	busy := func(processor, gc float64) cost { return cost{processor: seconds(processor), gcBusy: gc} }
	cores := fraction(time.Second, time.Second) // what a core is of all
	ports := &results.LocalPorts{First: 40000, Last: 40009, TimeWait: 7}
	for name, row := range map[string]struct {
		m    measured
		says string // empty: valid
	}{
		"a closed load":          {measured{cost: busy(9, 9)}, ""},
		"in time":                {measured{busiest: 3, plan: kept(0, 0, 100, time.Millisecond, time.Second, 0)}, ""},
		"starved, and caught up": {measured{busiest: 4, plan: kept(99, time.Second, 1, 0, 10*time.Second, 0)}, ""},
		"starved": {measured{busiest: 4, plan: kept(75, 200*time.Millisecond, 25, time.Millisecond, time.Second, 200*time.Millisecond)},
			"behind schedule: the last operation was sent 200ms after its time, in a plan of 1s; of the latest 1% each was 200.016ms late or more; 75 of 100 operations (75%) were due while all 4 workers were busy: allow more (load.workers), or ask for less; where a worker stood ready the latest 1% was 1ms late or more; the driver used 0% of all cores"},
		"not sent": {measured{busiest: 4, operations: results.Operations{Planned: 20, NotSent: 16, PlanNS: 1e9}, plan: kept(2, 900*time.Millisecond, 2, 0, 150*time.Millisecond, 900*time.Millisecond)},
			"behind schedule: 16 of 20 planned operations were not sent; the last operation was sent 900ms after its time, in a plan of 1s; "},
		"behind with workers to spare": {measured{busiest: 2, disturbed: "others", plan: kept(0, 0, 100, 300*time.Millisecond, time.Second, 300*time.Millisecond)},
			"at most 2 of 4 workers were busy at once: the driver was too slow"},
		"late with workers ready": {measured{plan: kept(0, 0, 100, 60*time.Millisecond, 10*time.Second, 60*time.Millisecond)},
			"the harness was the bottleneck: a tenth of the operations for which a worker stood ready was sent 60.031ms late or more"},
		"late because of others":  {measured{disturbed: "other processes used 50% of all cores", plan: kept(0, 0, 100, 60*time.Millisecond, 10*time.Second, 60*time.Millisecond)}, ""},
		"late, but hardly any":    {measured{plan: kept(0, 0, leastReady-1, 60*time.Millisecond, 10*time.Second, 60*time.Millisecond)}, ""},
		"collecting":              {measured{cost: busy(0.8, 0.4), plan: kept(0, 0, 1, 0, time.Second, 0)}, "garbage collection took 50% of the driver's processor time"},
		"collecting a quarter":    {measured{cost: busy(0.8, 0.2), plan: kept(0, 0, 1, 0, time.Second, 0)}, ""},
		"collecting, idle else":   {measured{cost: busy(leastGC/cores, 0.9*leastGC/cores), plan: kept(0, 0, 1, 0, time.Second, 0)}, ""},
		"collecting, closed load": {measured{cost: busy(0.8, 0.8)}, ""},
		"no ports": {measured{refused: refusals{noPort: 12}, ports: ports},
			"the harness was the bottleneck: 12 connections found no free local port or address (EADDRNOTAVAIL); at the end 7 sockets were in TIME_WAIT, and connections have ports 40000 to 40009"},
		"no ports, who knows why": {measured{refused: refusals{noPort: 12}}, "12 connections found no free local port or address (EADDRNOTAVAIL)"},
		"no descriptors":          {measured{refused: refusals{noDescriptor: 3}, descriptors: 1024}, "3 connections found no free file descriptor, with 1024 open of"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &runner{run: results.Run{Valid: true}}
			r.spec.Load.Workers = 4
			row.m.elapsed = time.Second
			r.judgeHarness(&row.m)
			require.Equal(t, row.says == "", r.run.Valid, "%v", r.run.Invalid)
			if row.says != "" {
				require.Len(t, r.run.Invalid, 1)
				require.Contains(t, r.run.Invalid[0], row.says)
			}
			require.Equal(t, row.m.plan != nil, r.run.Harness.Pacing != nil)
			require.Equal(t, row.m.ports, r.run.Harness.Ports)
		})
	}
}

// TestHarnessHealthIsTheWorst of all timed repetitions.
func TestHarnessHealthIsTheWorst(t *testing.T) {
	r := &runner{run: results.Run{Valid: true}}
	r.spec.Load.Workers = 4
	for _, m := range []measured{
		{busiest: 2, descriptors: 30, ports: &results.LocalPorts{First: 1, Last: 9, TimeWait: 5}, plan: kept(1, time.Millisecond, 9, time.Millisecond, time.Second, 0)},
		{busiest: 4, descriptors: 20, ports: &results.LocalPorts{First: 1, Last: 9, TimeWait: 3}, plan: kept(5, 2*time.Millisecond, 5, 16*time.Nanosecond, time.Second, 0)},
	} {
		m.elapsed = time.Second
		r.judgeHarness(&m)
	}
	h := r.run.Harness
	require.Equal(t, 0.5, h.Pacing.StarvedFraction)
	require.Equal(t, 4, h.Pacing.BusyWorkersPeak)
	require.InEpsilon(t, 1e6, h.Pacing.TimerLatenessP99NS, 0.002)
	require.InEpsilon(t, 2e6, h.LatenessP99NS, 0.002)
	require.Equal(t, 30, h.Descriptors)
	require.Equal(t, &results.LocalPorts{First: 1, Last: 9, TimeWait: 5}, h.Ports)
}

// TestDialerCountsWhatIsOurs: that this side lacked something is counted, that the peer
// refused isn't.
func TestDialerCountsWhatIsOurs(t *testing.T) {
	for err, want := range map[syscall.Errno]refusals{
		syscall.EADDRNOTAVAIL: {noPort: 1},
		syscall.EMFILE:        {noDescriptor: 1},
		syscall.ENFILE:        {noDescriptor: 1},
		syscall.ECONNREFUSED:  {},
	} {
		d := &dialer{net: net.Dialer{Control: func(string, string, syscall.RawConn) error { return err }}}
		_, failed := d.dial(t.Context(), "tcp", "127.0.0.1:9")
		require.ErrorIs(t, failed, err)
		require.Equal(t, want, d.refused(), "%v", err)
	}
}

// TestNoPortsMakeTheRunInvalid: the reason stands beside the failures, whatever the
// transport makes of them.
func TestNoPortsMakeTheRunInvalid(t *testing.T) {
	for _, transport := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
		t.Run(string(transport), func(t *testing.T) {
			d := &dialer{net: net.Dialer{Control: func(string, string, syscall.RawConn) error { return syscall.EADDRNOTAVAIL }}}
			s := small()
			s.Client.Transport = transport
			cfg := s.Client.config()
			cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				return d.dial(ctx, network, address)
			}
			client, err := delivery.New(cfg)
			require.NoError(t, err)
			defer client.Close()
			a, err := s.makeArtifact(t.Context())
			require.NoError(t, err)
			defer func() { require.NoError(t, a.Close()) }()
			u, err := delivery.NewUpdate("2.0.0", a)
			require.NoError(t, err)
			require.Equal(t, delivery.ClassNotSent, delivery.ClassOf(client.Push(t.Context(), delivery.Device{Address: "http://127.0.0.1:9"}, u)))
			require.Equal(t, refusals{noPort: 1}, d.refused())
		})
	}
}
