package runner

import (
	"context"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestStarvation: an operation is starved if every worker was busy when it was due. What
// is expected is worked out by hand at each row.
func TestStarvation(t *testing.T) {
	each := func(d time.Duration) func(int64) time.Duration { return func(int64) time.Duration { return d } }
	for name, row := range map[string]struct {
		spec    scenarios.LoadSpec
		devices int
		takes   func(n int64) time.Duration
		starved int64
		of      int64
		busiest int64
		late    time.Duration // the latest that was starved
	}{
		// Every 5 ms one that takes 12: there are three at a time.
		"workers enough": {scenarios.LoadSpec{Model: scenarios.Constant, Workers: 3, Rate: 200, Duration: scenarios.Duration(time.Second)}, 1, each(12 * time.Millisecond), 0, 200, 3, 0},
		"and to spare":   {scenarios.LoadSpec{Model: scenarios.Constant, Workers: 50, Rate: 200, Duration: scenarios.Duration(time.Second)}, 1, each(12 * time.Millisecond), 0, 200, 3, 0},
		// One that takes as long as is planned is free again the moment the next is due.
		"just enough": {scenarios.LoadSpec{Model: scenarios.Constant, Workers: 1, Rate: 100, Duration: scenarios.Duration(time.Second)}, 1, each(10 * time.Millisecond), 0, 100, 1, 0},
		// 10 ms planned, 20 taken: all but the first wait; the last, planned at 990 ms, is sent at 1,980.
		"half as fast": {scenarios.LoadSpec{Model: scenarios.Constant, Workers: 1, Rate: 100, Duration: scenarios.Duration(time.Second), Drain: scenarios.Duration(time.Minute)}, 1, each(20 * time.Millisecond), 99, 100, 1, 990 * time.Millisecond},
		// 5 due at once, and 2 workers that take 10 ms: 3 wait, the last until 20 ms.
		"a burst": {scenarios.LoadSpec{Model: scenarios.Bursts, Workers: 2, Burst: scenarios.Burst{Size: 5}}, 5, each(10 * time.Millisecond), 3, 5, 2, 20 * time.Millisecond},
		// The one stall of 1 s keeps the 999 that are due in it, at 1,000 a second.
		"a stall": {scenarios.LoadSpec{Model: scenarios.Constant, Workers: 1, Rate: 1000, Duration: scenarios.Duration(3 * time.Second)}, 1, func(n int64) time.Duration {
			if n == 1000 {
				return time.Second
			}
			return 0
		}, 999, 3000, 1, 999 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row.spec.Operation = scenarios.Push
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
			cfg := s.Client.Config()
			cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				return d.dial(ctx, network, address)
			}
			client, err := delivery.New(cfg)
			require.NoError(t, err)
			defer client.Close()
			a, err := openArtifact(t.Context(), s)
			require.NoError(t, err)
			defer func() { require.NoError(t, a.Close()) }()
			u, err := delivery.NewUpdate("2.0.0", a)
			require.NoError(t, err)
			require.Equal(t, delivery.ClassNotSent, delivery.ClassOf(client.Push(t.Context(), delivery.Device{Address: "http://127.0.0.1:9"}, u)))
			require.Equal(t, refusals{noPort: 1}, d.refused())
		})
	}
}
