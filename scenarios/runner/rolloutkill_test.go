package runner

import (
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

const (
	killDevices = 2000
	killOffline = 20 // devices that never answer
	killMoments = 20
	killSeed    = 20261123
)

// troubled returns a behavior by which most devices are good, and each of the others has one or
// several faults.
func troubled() behavior.Behavior {
	must := func(text string) (d random.Duration) {
		if err := d.UnmarshalText([]byte(text)); err != nil {
			panic(err) // a constant of this test
		}
		return d
	}
	var middle random.Int
	if err := middle.UnmarshalText([]byte("uniform(1, 20000)")); err != nil {
		panic(err) // a constant of this test, too
	}
	return behavior.Behavior{
		// Different latencies, so that a kill finds devices in all states.
		Latency: must("uniform(0ms, 6ms)"),
		Faults: []fault.Fault{
			{Kind: "reset-mid-upload", Share: 0.04, First: 1, AfterBytes: middle},
			{Kind: "reboot", Share: 0.04, Delay: must("uniform(20ms, 160ms)")},
			{Kind: "status-202", Share: 0.03, Delay: must("uniform(10ms, 60ms)")},
			{Kind: "status-503", Share: 0.04, First: 2},
			{Kind: "applied-but-lost", Share: 0.04, First: 1},
			{Kind: "status-409", Share: 0.04, First: 1},
			{Kind: "slow-answer", Share: 0.04, Delay: must("uniform(10ms, 50ms)")},
		},
	}
}

// killFleet is a fleet of troubled devices, some of which never answer.
type killFleet struct {
	*mockfleet.Fleet
	offline []string // the IDs of devices that never answer, sorted
}

func startKillFleet(t *testing.T, random *rand.Rand) *killFleet {
	t.Helper()
	fleet, err := mockfleet.Start(t.Context(), mockfleet.Config{
		Devices: killDevices, Seed: killSeed, Behavior: troubled(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, fleet.Close()) })
	f := &killFleet{Fleet: fleet}
	for _, i := range random.Perm(killDevices)[:killOffline] {
		require.NoError(t, fleet.SetFaults(i, behavior.Behavior{Faults: []fault.Fault{{Kind: "offline"}}}))
		f.offline = append(f.offline, address.DeviceID(i))
	}
	slices.Sort(f.offline)
	return f
}

// settle returns when the fleet has dealt with everything that a killed driver sent. Connections
// are accepted in order, so when a connection made here has ended, all of the driver's were
// accepted.
func (f *killFleet) settle(t *testing.T) {
	t.Helper()
	at, err := url.Parse(f.Ready().Address)
	require.NoError(t, err)
	c, err := net.Dial("tcp", at.Host)
	require.NoError(t, err)
	// The request is for no device. The fleet closes the connection before or after reading it.
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: fleet\r\nConnection: close\r\n\r\n")
	_, _ = io.Copy(io.Discard, c)
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return f.Status().Connections == 0 }, time.Minute, time.Millisecond)
}

// killAt kills the driver once the fleet counts the given number of applied updates in all, but not
// before at least one of this driver's updates was applied.
func (f *killFleet) killAt(t *testing.T, p *rolloutProcess, moment uint64) {
	t.Helper()
	moment = max(moment, f.Status().Applied+1)
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for f.Status().Applied < moment {
		select {
		case <-look.C:
		case <-p.ended:
			require.FailNow(t, "the driver ended by itself", "before %d updates were applied: %v\n%s", moment, p.err, &p.output)
		}
	}
	require.True(t, p.kill(), "the driver ended before the kill: %s", &p.output)
}

// check compares the ledger, which is independent of the driver, with what must be true: each
// healthy device was updated once, and received no further push after that; an offline device
// received nothing.
func (f *killFleet) check(t *testing.T) (struck map[string]int) {
	t.Helper()
	struck = map[string]int{}
	digest := rolloutArtifact(t).DigestHex()
	seen := 0
	for e := range f.Ledger() {
		seen++
		for kind, n := range e.Faults {
			struck[kind] += int(n)
		}
		if _, gone := slices.BinarySearch(f.offline, e.ID); gone {
			require.Zero(t, e.Pushes, "%+v", e)
			continue
		}
		require.Equal(t, []uint32{1, 0, 0}, []uint32{e.Applied, e.AppliedTwice, e.Repeats},
			"applied, applied twice, repeats: %+v", e)
		require.Equal(t, []any{rolloutVersion, digest, wire.StateIdle}, []any{e.Version, e.Digest, e.State}, "%+v", e)
	}
	require.Equal(t, killDevices, seen, "devices that the rollout came to")
	return struck
}

// TestRolloutKilled runs a rollout to 2,000 simulated devices with various faults. It kills the
// rollout's process with SIGKILL at 20 moments and resumes it each time, alternating between the
// two transports. Whatever a kill left behind, the fleet's ledger must show that every healthy
// device was updated once, and the last report must name the offline devices.
//
// This test alone shows that for a large fleet of package mockfleet, with all of its faults and over
// both transports. TestRolloutSurvivesSIGKILL of package rollout kills at exact steps of a push, on a
// small fleet of its own, and also damages the end of the journal as a power failure would.
func TestRolloutKilled(t *testing.T) {
	random := rand.New(rand.NewPCG(killSeed, 0))
	fleet := startKillFleet(t, random)
	order := rolloutOrder{
		Address: fleet.Ready().Address, Addressing: address.DefaultMode(), Devices: killDevices, Directory: t.TempDir(),
	}
	// Kill well before the end: updates that a driver was sending when it was killed may still be
	// applied, and the next one must have something left to do.
	moments := random.Perm(killDevices * 3 / 4)[:killMoments]
	slices.Sort(moments)
	for n, moment := range moments {
		order.Transport = []delivery.Transport{delivery.Lean, delivery.NetHTTP}[n%2]
		fleet.killAt(t, order.start(t), uint64(moment))
		fleet.settle(t)
	}

	told := order.start(t).await(t)
	struck := fleet.check(t)
	for _, fault := range append(troubled().Faults, fault.Fault{Kind: "offline"}) {
		require.Positive(t, struck[fault.Kind], fault.Kind)
	}
	r := told.Report
	require.Equal(t, fleet.offline, told.Failed, "%v", r)
	require.Equal(t, killDevices-killOffline, r.Updated+r.HadIt+r.DoneBefore, "%v", r)
	require.Equal(t, []int{killOffline, 0, 0, 0}, []int{r.Failed.Total(), r.NotReached, r.Interrupted, r.Duplicates})
	require.True(t, r.Resumed)
	require.Positive(t, r.DoneBefore, "the journal records them as done, so they aren't asked again")

	// One more rollout has nothing to do, and only tries the devices that failed.
	before := fleet.Status()
	told = order.start(t).await(t)
	require.Equal(t, fleet.offline, told.Failed)
	require.Equal(t, killDevices-killOffline, told.Report.DoneBefore)
	after := fleet.Status()
	require.Equal(t, []uint64{before.Pushes, before.Verifies}, []uint64{after.Pushes, after.Verifies})
}
