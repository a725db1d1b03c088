package load

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

// devicesOf is a shard's devices, whose IDs are their numbers in the whole.
type devicesOf Shard

func (d devicesOf) Len() int { return (d.Devices - d.Index + d.Count - 1) / d.Count }

func (d devicesOf) At(i int) delivery.Device {
	return delivery.Device{ID: strconv.Itoa(d.Index + i*d.Count)}
}

// A sending is an operation as a client sees it.
type sending struct {
	device string
	at     time.Duration
}

// watcher is a client that notes what it is asked for, and when.
type watcher struct {
	nothing
	began time.Time
	mu    sync.Mutex
	sent  []sending
}

func (w *watcher) Push(_ context.Context, d delivery.Device, _ *delivery.Update) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, sending{d.ID, time.Since(w.began)})
	return nil
}

// sendings runs a shard of a load, and returns the operations in the order of their times and
// devices.
func sendings(t *testing.T, a ArrivalRate, s Shard, seed uint64) (list []sending, r Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &watcher{began: time.Now()}
		a.Shard, a.Workers, a.Drain = s, 4, aMinute
		e := newEnv(a, delivery.OpPush, devicesOf(s).Len(), w)
		e.Devices, e.Seed = devicesOf(s), seed
		var planned int64
		e.OnInterval = func(v *Interval) { planned += v.Planned }
		var err error
		r, err = a.Run(t.Context(), e)
		require.NoError(t, err)
		require.EqualValues(t, len(w.sent), r.Operations.Planned)
		require.EqualValues(t, len(w.sent), planned, "the intervals have them all")
		list = w.sent
	})
	return sorted(list), r
}

func sorted(list []sending) []sending {
	return slices.SortedFunc(slices.Values(list), func(a, b sending) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return strings.Compare(a.device, b.device)
	})
}

// TestShardsAreTheWholeLoad checks that the shards of a load together begin the operations that one
// process would begin, for the same devices at the same times.
func TestShardsAreTheWholeLoad(t *testing.T) {
	const devices = 23
	ramp := NewRateSchedule(Segment{time.Second, 0, 60}, Segment{Length: time.Second}, Segment{time.Second, 40, 0})
	times := listed{0, 1, 1, 5, 8, 1e9, 1e9, 2e9, 2e9 + 1}
	for name, p := range map[string]Pacer{
		"constant": ConstantRate(70), "stages": ramp, "bursts": Bursts{9, 300 * time.Millisecond},
		"one burst": Bursts{Size: 31}, "Poisson": Poisson{ConstantRate(70)}, "Poisson stages": Poisson{ramp}, "listed": times,
	} {
		for _, duration := range []time.Duration{0, 1700 * time.Millisecond} {
			if name == "one burst" && duration > 0 {
				continue // a burst has no duration
			}
			for seed := range uint64(3) {
				a := ArrivalRate{Pacer: p, Duration: duration}
				want, whole := sendings(t, a, Shard{Count: 1, Devices: devices}, seed)
				require.NotEmpty(t, want)
				for _, count := range []int{1, 2, 3, 7} {
					var got []sending
					var expected, planned int64
					rate := 0.0
					for index := range count {
						s := Shard{index, count, devices}
						part, r := sendings(t, a, s, seed)
						for _, one := range part {
							n, err := strconv.Atoi(one.device)
							require.NoError(t, err)
							require.Equal(t, index, n%count)
						}
						got, planned = append(got, part...), planned+r.Operations.Planned
						require.Equal(t, whole.Operations.PlanNS, r.Operations.PlanNS, "every shard has the whole plan's end")
						a.Shard = s
						e := a.Expect(devicesOf(s).Len())
						if expected += e.Operations; e.RateAt != nil {
							rate += e.RateAt(500 * time.Millisecond)
						}
					}
					require.Equal(t, want, sorted(got), "%s for %v, seed %d in %d", name, duration, seed, count)
					e := ArrivalRate{Pacer: p, Duration: duration}.Expect(devices)
					require.Equal(t, e.Operations, expected)
					if e.RateAt != nil {
						require.InDelta(t, e.RateAt(500*time.Millisecond), rate, 1e-9)
					}
				}
			}
		}
	}
}

// TestAShardsOperations compares the operations of a shard with those worked out by hand: at 10/s,
// operation n is at n tenths of a second, for device n modulo 5. Shard 1 of 3 has devices 1 and 4,
// and so operations 1, 4, 6, 9, 11 and so on.
func TestAShardsOperations(t *testing.T) {
	const tenth = 100 * time.Millisecond
	s := Shard{1, 3, 5}
	got, r := sendings(t, ArrivalRate{Pacer: ConstantRate(10), Duration: 1200 * time.Millisecond}, s, 1)
	require.Equal(t, []sending{{"1", tenth}, {"4", 4 * tenth}, {"1", 6 * tenth}, {"4", 9 * tenth}, {"1", 11 * tenth}}, got)
	require.EqualValues(t, 1200*time.Millisecond, r.Operations.PlanNS)

	// Each device once: the whole plan ends when a sixth operation would be due.
	got, r = sendings(t, ArrivalRate{Pacer: ConstantRate(10)}, s, 1)
	require.Equal(t, []sending{{"1", tenth}, {"4", 4 * tenth}}, got)
	require.EqualValues(t, 500*time.Millisecond, r.Operations.PlanNS)

	rate := ArrivalRate{Pacer: ConstantRate(10), Shard: s}.Expect(2).RateAt
	require.InDelta(t, 4, rate(time.Second), 1e-12, "two of five devices")
}

// TestShardsOperations_many checks that numbers of operations near the greatest don't overflow.
func TestShardsOperations_many(t *testing.T) {
	s := Shard{1, 3, 5}
	_, ok := s.operation(math.MaxInt64)
	require.False(t, ok)
	require.EqualValues(t, math.MaxInt64/5*2+1, s.operations(math.MaxInt64)) // MaxInt64 is 2 above a multiple of 5
	for k := range int64(100) {
		n, ok := s.operation(k)
		require.True(t, ok)
		require.Equal(t, k, s.operations(n))
		require.Equal(t, k+1, s.operations(n+1))
	}
}

// TestWorkersOfShardsThinkApart checks that no two workers of two shards think at the same times.
func TestWorkersOfShardsThinkApart(t *testing.T) {
	first := map[float64]bool{}
	note := func(u float64) time.Duration {
		require.NotContains(t, first, u)
		first[u] = true
		return 0
	}
	for index := range 3 {
		c := ClosedLoop{Think: note, Shard: Shard{Index: index, Count: 3, Devices: 30}}
		for i := range 10 {
			c.thinker(1, i)(t.Context())
		}
	}
	whole := map[float64]bool{}
	c := ClosedLoop{Think: func(u float64) time.Duration { whole[u] = true; return 0 }}
	for i := range 30 {
		c.thinker(1, i)(t.Context())
	}
	require.Equal(t, whole, first)
}

// BenchmarkArrivalsOfAShard measures what the plan costs one of 1,000 shards for each operation of
// the whole plan. If arrivals are drawn, every shard draws all of them; otherwise it works out its
// own alone.
func BenchmarkArrivalsOfAShard(b *testing.B) {
	s := Shard{Index: 1, Count: 1000, Devices: 100_000}
	for name, p := range map[string]Pacer{"constant": ConstantRate(1e6), "poisson": Poisson{ConstantRate(1e6)}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			last := time.Duration(float64(b.N) / 1e6 * float64(time.Second))
			for planned := range s.arrivals(p, 1) {
				if planned >= last {
					break
				}
			}
		})
	}
}
