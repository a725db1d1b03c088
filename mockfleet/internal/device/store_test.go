package device

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

func TestADeviceIsSmall(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(record{}), uintptr(128))
	require.Zero(t, unsafe.Sizeof(stripe{})%64, "a stripe fills whole cache lines")
}

// BenchmarkMillionDevices reports how many bytes a store of a million devices takes for each, and
// how many of these are the device's own record.
func BenchmarkMillionDevices(b *testing.B) {
	const devices = 1_000_000
	b.ReportAllocs()
	var now atomic.Int64
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		s := New(Config{Devices: devices, InitialVersion: "1.0.0"}, &now)
		if len(s.devices) != devices {
			b.Fatal("devices are missing")
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/devices, "B/device")
	b.ReportMetric(float64(unsafe.Sizeof(record{})), "state-B/device")
}

// TestAConnectionIsAnEntry checks that the ledger has a device to which a connection was opened,
// even if nothing was sent over it, and that a reset forgets it.
func TestAConnectionIsAnEntry(t *testing.T) {
	var now atomic.Int64
	s := New(Config{Devices: 2, InitialVersion: "1.0.0"}, &now)
	s.Connect(1)
	listed := func(i int) bool {
		e, ok := NewEntryReader(s).Read(i, false)
		require.Equal(t, ok, e.ContactedNS > 0)
		return ok
	}
	require.Equal(t, []bool{false, true}, []bool{listed(0), listed(1)})
	s.Reset()
	require.False(t, listed(1))
}

func TestVersionsAreKeptOnceAndForgottenWhenUnused(t *testing.T) {
	table := newVersionTable(3)
	take := func(text string) (uint32, bool) { return table.acquire([]byte(text)) }
	a, ok := take("a")
	require.True(t, ok)
	again, ok := take("a")
	require.True(t, ok)
	require.Equal(t, a, again)
	b, ok := take("b")
	require.True(t, ok)
	_, ok = take("c")
	require.True(t, ok)
	_, ok = take("d")
	require.False(t, ok, "the table is full of versions in use")

	table.release(a)
	_, ok = take("d")
	require.False(t, ok, "one reference to a is left")
	table.release(a)
	table.release(b)
	d, ok := take("d")
	require.True(t, ok)
	require.Contains(t, []uint32{a, b}, d)
	require.Equal(t, "d", table.slots[d].text)
	require.Equal(t, `"d"`, table.slots[d].quoted)
	_, ok = take("e")
	require.True(t, ok)
	_, ok = take("f")
	require.False(t, ok)
}

func TestAFullVersionTableRefusesAndRecovers(t *testing.T) {
	var now atomic.Int64
	s := New(Config{Devices: 4, InitialVersion: "1.0.0"}, &now)
	s.versions = newVersionTable(3)
	s.initial, _ = s.versions.acquire([]byte("1.0.0"))
	s.versions.retain(s.initial, 4)
	push := func(i int, version string) int {
		p := &Update{Version: []byte(version), Size: 1}
		status, _ := p.Response(s.Apply(i, p))
		return status
	}
	require.Equal(t, []int{200, 200, 507, 200}, []int{push(0, "2"), push(1, "3"), push(2, "4"), push(2, "3")})
	d, version, _ := s.witness(2)
	require.Equal(t, []uint32{2, 1, 1}, []uint32{d.pushes, d.rejected, d.applied})
	require.Equal(t, "3", version)
	s.Reset()
	require.Equal(t, []int{200, 200}, []int{push(2, "4"), push(3, "5")})
}

func TestManyVersionsAtOnce(t *testing.T) {
	table := newVersionTable(64)
	var done sync.WaitGroup
	for worker := range 8 {
		done.Go(func() {
			for i := range 2000 {
				text := fmt.Sprintf("%d", (worker*31+i)%100)
				slot, ok := table.acquire([]byte(text))
				if !ok {
					t.Error("the table is full, though 8 versions at most are in use")
					return
				}
				if table.slots[slot].text != text {
					t.Errorf("%s turned into %s", text, table.slots[slot].text)
				}
				table.release(slot)
			}
		})
	}
	done.Wait()
	for i := range table.slots {
		require.Zero(t, table.slots[i].refs.Load())
	}
}

func TestBehaviorsAreKeptOnceAndReused(t *testing.T) {
	own := behavior.Behavior{FailStatus: 503}
	table := newBehaviorTable(own)
	slot, err := table.acquire(own)
	require.NoError(t, err)
	require.Zero(t, slot, "the fleet's own behavior is no other")
	for n := 1; n < maxBehaviors; n++ {
		slot, err := table.acquire(behavior.Behavior{FailFirst: n})
		require.NoError(t, err)
		require.EqualValues(t, n, slot)
	}
	_, err = table.acquire(behavior.Behavior{FailFirst: maxBehaviors})
	require.ErrorContains(t, err, "1024 different behaviours are in use")
	known, err := table.acquire(behavior.Behavior{FailFirst: 7})
	require.NoError(t, err)
	require.EqualValues(t, 7, known)
	table.release(7)
	_, err = table.acquire(behavior.Behavior{FailFirst: maxBehaviors})
	require.Error(t, err, "one reference to 7 is left")
	table.release(7)
	slot, err = table.acquire(behavior.Behavior{FailFirst: maxBehaviors})
	require.NoError(t, err)
	require.EqualValues(t, 7, slot)
	require.Equal(t, maxBehaviors, table.at(7).FailFirst)
}

// TestFaultCountsBalanceUnderContention checks that counts add up under concurrent updates
// with faults that the store applies itself: false acknowledgments, duplicates, rollbacks and
// delays.
func TestFaultCountsBalanceUnderContention(t *testing.T) {
	var now atomic.Int64
	delay, err := random.Fixed(time.Microsecond)
	require.NoError(t, err)
	s := New(Config{Devices: 3, InitialVersion: "1.0.0", Behavior: faultsOf(
		fault.Fault{Kind: "ok-but-not-applied", First: 100}, fault.Fault{Kind: "status-500", First: 200},
		fault.Fault{Kind: "rollback", First: 300}, fault.Fault{Kind: "status-202", First: 500, Delay: delay},
		fault.Fault{Kind: "wrong-digest"},
	)}, &now)
	var done sync.WaitGroup
	for worker := range 8 {
		done.Go(func() {
			for n := range 600 {
				i := n % 3
				p := &Update{Version: fmt.Appendf(nil, "%d", n%7), Size: 1, Request: &fault.Request{}, Duplicate: n%5 == 0}
				p.Digest[0] = byte(n % 7)
				a := s.Begin(i, p)
				switch {
				case !a.NeedsBody():
				case (n+worker)%3 == 0:
					s.Abort(i, p)
				default:
					s.Commit(i, p, a)
				}
				s.ReportWithFaults(i, &fault.Request{}, &Report{})
				s.witness(i)
			}
		})
	}
	done.Wait()
	entries := NewEntryReader(s)
	var want, got ledger.Totals
	for i := range s.Len() {
		e, _ := entries.Read(i, true)
		require.Equal(t, e.Pushes, e.Applied+e.Repeats+e.Rejected+e.FalseAcks+e.InstallFailures+e.Incomplete, "%+v", e)
		require.LessOrEqual(t, e.FalseAcks, uint32(100))
		want.Pushes += uint64(e.Pushes)
		want.Applied += uint64(e.Applied)
		want.AppliedTwice += uint64(e.AppliedTwice)
		want.Repeats += uint64(e.Repeats)
		want.Rejected += uint64(e.Rejected)
		want.ForcedRejects += uint64(e.ForcedRejects)
		want.FalseAcks += uint64(e.FalseAcks)
		want.Incomplete += uint64(e.Incomplete)
		want.Verifies += uint64(e.Verifies)
		want.BytesReceived += e.BytesReceived
		for _, times := range e.Faults {
			want.Injections += uint64(times)
		}
	}
	got = s.Totals()
	require.Positive(t, got.FalseAcks)
	require.Positive(t, got.ForcedRejects)
	want.Updated = 3
	require.Equal(t, want, got)
	s.Reset()
	require.Zero(t, s.Totals())
	for i := range s.versions.slots[1:] {
		require.Zero(t, s.versions.slots[1+i].refs.Load())
	}
	require.EqualValues(t, 4, s.versions.slots[0].refs.Load())
}

// TestCountsBalanceUnderContention checks that the counts of each device, and of the fleet, add
// up under concurrent requests.
func TestCountsBalanceUnderContention(t *testing.T) {
	var now atomic.Int64
	s := New(Config{Devices: 3, InitialVersion: "1.0.0", Behavior: behavior.Behavior{FailFirst: 5, FailStatus: 503}}, &now)
	var done sync.WaitGroup
	for worker := range 8 {
		done.Go(func() {
			for n := range 600 {
				i := n % 3
				p := &Update{Version: fmt.Appendf(nil, "%d", n%7), Size: 1}
				p.Digest[0] = byte(n % 7)
				switch (n + worker) % 4 {
				case 0:
					if a := s.Begin(i, p); a == Accepted || a == ForcedReject {
						s.Commit(i, p, a)
					}
				case 1:
					if a := s.Begin(i, p); a == Accepted || a == ForcedReject {
						s.Abort(i, p)
					}
				case 2:
					s.Drop(i, p)
				default:
					s.Apply(i, p)
				}
				s.Report(i)
			}
		})
	}
	done.Wait()
	var want ledger.Totals
	for i := range 3 {
		d, _, _ := s.witness(i)
		require.EqualValues(t, 1600, d.pushes)
		require.Equal(t, d.pushes, d.applied+d.repeats+d.rejected+d.incomplete)
		require.LessOrEqual(t, d.forcedRejects, uint32(5))
		want.Updated++
		want.Pushes += uint64(d.pushes)
		want.Applied += uint64(d.applied)
		want.AppliedTwice += uint64(d.appliedTwice)
		want.Repeats += uint64(d.repeats)
		want.Rejected += uint64(d.rejected)
		want.ForcedRejects += uint64(d.forcedRejects)
		want.Incomplete += uint64(d.incomplete)
		want.Verifies += uint64(d.verifies)
		want.BytesReceived += d.bytes
	}
	require.Equal(t, want, s.Totals())
	s.Reset()
	require.Zero(t, s.Totals())
}

func faultsOf(faults ...fault.Fault) behavior.Behavior { return behavior.Behavior{Faults: faults} }
