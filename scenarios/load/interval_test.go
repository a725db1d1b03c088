package load

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/hdr"
)

func TestIntervalWidth(t *testing.T) {
	for _, c := range []struct{ lasts, align, want time.Duration }{
		{2 * time.Second, 0, 20 * time.Millisecond},
		{500 * time.Millisecond, 0, 10 * time.Millisecond},
		{time.Second, 0, 20 * time.Millisecond},
		{5 * time.Second, 0, 100 * time.Millisecond},
		{10 * time.Second, 0, 200 * time.Millisecond},
		{49 * time.Second, 0, 500 * time.Millisecond},
		{50 * time.Second, 0, time.Second},
		{time.Hour, 0, time.Second},
		{2 * time.Hour, 0, 2 * time.Second},
		{3 * time.Hour, 0, 5 * time.Second},
		{30 * 24 * time.Hour, 0, 30 * time.Minute},
		{10 * time.Second, 2 * time.Second, 200 * time.Millisecond},
		{time.Hour, 5 * time.Second, time.Second},
		{time.Hour, 500 * time.Millisecond, 500 * time.Millisecond},
		{24 * time.Hour, 7 * time.Second, 7 * time.Second},
		{time.Hour, 7 * time.Second, time.Second},
		{time.Hour, 70 * time.Millisecond, 70 * time.Millisecond},
		{time.Second, 70 * time.Millisecond, 10 * time.Millisecond},
		{24 * time.Hour, 30 * time.Second, 30 * time.Second},
		{24 * time.Hour, 45 * time.Second, 45 * time.Second},
	} {
		got := intervalWidth(c.lasts, c.align)
		require.Equal(t, c.want, got, "%v, aligned to %v", c.lasts, c.align)
	}
}

// TestIntervalsAreBounded checks the number of intervals of loads whose length isn't known, after a
// second, a day and a month.
func TestIntervalsAreBounded(t *testing.T) {
	for lasts, most := range map[time.Duration]int{
		time.Second: 60, time.Minute: 300, time.Hour: 3600, 24 * time.Hour: 12_000, 30 * 24 * time.Hour: 20_000,
	} {
		n := 0
		for at := time.Duration(0); at < lasts; n++ {
			end := (&intervals{}).end(at)
			require.Greater(t, end, at)
			at = end
		}
		require.LessOrEqual(t, n, most, lasts)
		require.Greater(t, n, most/5, lasts)
	}
}

// recorded is what a test keeps of an Interval.
type recorded struct {
	Interval
	counts map[delivery.Op]map[int64]int64 // by operation and lowest time, of response times
}

// collect sets e.OnInterval to keep all intervals.
func collect(e *Env) *[]recorded {
	var list []recorded
	e.OnInterval = func(v *Interval) {
		r := recorded{*v, map[delivery.Op]map[int64]int64{}}
		r.Times = nil
		for _, times := range v.Times {
			r.counts[times.Op] = counts(times.Response)
		}
		list = append(list, r)
	}
	return &list
}

func counts(h *hdr.Histogram) map[int64]int64 {
	all := map[int64]int64{}
	for c := range h.All {
		all[c.Lowest] += c.N
	}
	return all
}

// everyTenth plans an operation every 10 ms, but none when an interval ends.
type everyTenth struct{}

func (everyTenth) Arrivals(uint64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for at := 5 * time.Millisecond; yield(at); at += 10 * time.Millisecond {
		}
	}
}

// TestIntervalsHaveNoMoreInFlightThanWorkers ends an interval late: two workers have ended its two
// operations in it, two further ones since, and run two others.
func TestIntervalsHaveNoMoreInFlightThanWorkers(t *testing.T) {
	e := newEnv(ClosedLoop{Workers: 2, Duration: time.Second}, delivery.OpPush, 1, nil)
	list := collect(&e)
	r := e.Record
	r.intervals.receive = e.OnInterval
	r.tally.startIntervals(10*time.Millisecond, time.Second)
	at := func(ms time.Duration) {
		rec := r.recorder(0)
		rec.begun.Add(1)
		succeed(rec, 0, 0, ms*time.Millisecond, delivery.Report{})
	}
	at(8)
	at(9)
	at(11)
	at(12)
	r.recorder(0).begun.Add(2)
	r.endInterval(10*time.Millisecond, 20*time.Millisecond, false)
	at(21) // one of the two that ran; at begins another one
	r.endInterval(20*time.Millisecond, 30*time.Millisecond, false)
	type counts struct{ sent, succeeded, inFlight int64 }
	var got []counts
	for _, v := range *list {
		got = append(got, counts{v.Sent, v.Succeeded, v.InFlight})
	}
	require.Equal(t, []counts{{4, 2, 2}, {2, 2, 2}}, got)
}

// TestIntervals_stall checks the intervals of an open load whose only worker stalls for 4 s, by
// hand.
func TestIntervals_stall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &standIn{takes: func(n int64) time.Duration {
			if n == 300 {
				return 4 * time.Second
			}
			return 0
		}}
		x := ArrivalRate{Pacer: everyTenth{}, Workers: 1, Duration: 10 * time.Second, Drain: aMinute}
		e := newEnv(x, delivery.OpPush, 10, client)
		e.AlignIntervals = 10 * time.Second
		list := collect(&e)
		_, err := x.Run(t.Context(), e)
		require.NoError(t, err)
		require.Len(t, *list, 50)
		var seconds [10]Interval
		for i, v := range *list {
			require.Equal(t, time.Duration(i)*200*time.Millisecond, v.Start)
			if i < 49 {
				require.Equal(t, v.Start+200*time.Millisecond, v.End)
			}
			require.Equal(t, i == 49, v.Last)
			require.EqualValues(t, 20, v.Planned)
			s := &seconds[i/5]
			s.Planned, s.Sent, s.Succeeded = s.Planned+v.Planned, s.Sent+v.Sent, s.Succeeded+v.Succeeded
			s.NotSent, s.InFlight = v.NotSent, v.InFlight
		}
		for s, want := range []struct{ sent, succeeded, notSent, inFlight int64 }{
			{100, 100, 0, 0}, {100, 100, 0, 0}, {100, 100, 0, 0}, // three seconds go well
			{1, 0, 99, 1}, {0, 0, 199, 1}, {0, 0, 299, 1}, {0, 0, 399, 1}, // operation 300 stalls
			{499, 500, 0, 0}, {100, 100, 0, 0}, {100, 100, 0, 0}, // all that waited follow
		} {
			v := seconds[s]
			require.EqualValues(t, 100, v.Planned, s)
			require.Equal(t, want, struct{ sent, succeeded, notSent, inFlight int64 }{v.Sent, v.Succeeded, v.NotSent,
				v.InFlight}, s)
		}
		burst := (*list)[35].counts[delivery.OpPush]
		var longest int64
		for lowest := range burst {
			longest = max(longest, lowest)
		}
		require.InEpsilon(t, 4e9, longest, 0.001)
	})
}

// TestIntervals_last checks that operations that run at the end of a load's time count in its last
// interval, or in intervals of their own if they take long.
func TestIntervals_last(t *testing.T) {
	for takes, want := range map[time.Duration][]time.Duration{
		14 * time.Millisecond:  {994 * time.Millisecond},
		100 * time.Millisecond: {980 * time.Millisecond, 1000 * time.Millisecond, 1020 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			x := ClosedLoop{Workers: 1, Duration: 980 * time.Millisecond, Drain: aMinute}
			e := newEnv(x, delivery.OpPush, 10, &standIn{takes: each(takes)})
			e.AlignIntervals = 20 * time.Millisecond
			list := collect(&e)
			result, err := x.Run(t.Context(), e)
			require.NoError(t, err)
			var ends []time.Duration
			for _, v := range *list {
				if v.End >= 980*time.Millisecond {
					ends = append(ends, v.End)
				}
			}
			if takes < 100*time.Millisecond {
				require.Equal(t, []time.Duration{result.Elapsed}, ends)
				require.Less(t, result.Elapsed, 990*time.Millisecond)
			} else {
				require.Equal(t, want[:2], ends[:2])
				require.Equal(t, result.Elapsed, ends[len(ends)-1])
			}
		})
	}
}

// slowClient takes a random time for each operation and fails some. It counts by itself what a load
// should record.
type slowClient struct {
	nothing
	mu        sync.Mutex
	rng       *rand.Rand
	failed    map[string]int64
	succeeded int64
}

func (c *slowClient) Push(ctx context.Context, _ delivery.Device, _ *delivery.Update) error {
	c.mu.Lock()
	takes := time.Duration(c.rng.ExpFloat64() * float64(30*time.Millisecond))
	class := []string{"", "", "", "", "odd", "even"}[c.rng.IntN(6)]
	c.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if class == "" {
		c.succeeded++
		return nil
	}
	c.failed[class]++
	return classed(class)
}

// classed is an error of the class that it names.
type classed string

func (c classed) Error() string { return string(c) }
func (c classed) Class() string { return string(c) }

// TestIntervalsAddUp checks that the sum of all intervals is what the client did, what a hook saw,
// and what the recording has of the whole load, count by count. The same for groups.
func TestIntervalsAddUp(t *testing.T) {
	for name, x := range map[string]Executor{
		"closed":   ClosedLoop{Workers: 50, Duration: 5 * time.Second, Drain: time.Second},
		"once":     ClosedLoop{Workers: 50},
		"constant": ArrivalRate{Pacer: ConstantRate(1000), Workers: 20, Duration: 5 * time.Second, Drain: time.Second},
		"poisson": ArrivalRate{Pacer: Poisson{ConstantRate(1000)}, Workers: 90, Duration: 5 * time.Second,
			Drain: time.Second},
		"bursts": ArrivalRate{Pacer: Bursts{Size: 100, Every: time.Second}, Workers: 90, Duration: 5 * time.Second,
			Drain: time.Second},
		"never ready": ArrivalRate{Pacer: ConstantRate(9000), Workers: 5, Duration: time.Second, StopBehind: true},
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const devices = 777
					client := &slowClient{rng: rand.New(rand.NewPCG(seed, 1)), failed: map[string]int64{}}
					e := newEnv(x, delivery.OpPush, devices, client)
					e.Seed = seed
					config := e.Record.config
					config.Groups, config.GroupOf = []string{"a", "b", "c"}, func(i int) int { return i % 3 }
					e.Record = NewRecording(config)
					var mu sync.Mutex
					seen := hdrhistogram.New(resolution, int64(e.Record.Longest()), 3)
					e.NewHook = func() Hook {
						return hookFunc(func(_, response time.Duration, succeeded bool) {
							mu.Lock()
							defer mu.Unlock()
							if succeeded {
								require.NoError(t, seen.RecordValue(int64(response)))
							}
						})
					}
					list := collect(&e)
					result, err := x.Run(t.Context(), e)
					require.NoError(t, err)

					sum := Interval{Classes: map[string]int64{}}
					bars := map[int64]int64{}
					for i, v := range *list {
						require.Equal(t, sum.End, v.Start)
						require.Equal(t, i == len(*list)-1, v.Last)
						sum.End = v.End
						sum.Planned, sum.Sent, sum.BrokenOff = sum.Planned+v.Planned, sum.Sent+v.Sent, sum.BrokenOff+v.BrokenOff
						sum.Succeeded, sum.Failed = sum.Succeeded+v.Succeeded, sum.Failed+v.Failed
						for class, n := range v.Classes {
							sum.Classes[class] += n
						}
						for lowest, n := range v.counts[delivery.OpPush] {
							bars[lowest] += n
						}
						sum.NotSent, sum.InFlight = v.NotSent, v.InFlight
						require.Equal(t, sum.Sent-sum.Succeeded-sum.Failed-sum.BrokenOff, v.InFlight)
					}
					o := result.Operations
					require.Equal(t, client.succeeded, sum.Succeeded)
					require.Equal(t, client.failed, sum.Classes)
					require.Equal(t, result.Elapsed, sum.End)
					require.Equal(t, o.Started, sum.Sent)
					require.Equal(t, o.BrokenOff, sum.BrokenOff)
					require.Zero(t, sum.InFlight)
					if o.Planned > 0 {
						require.Equal(t, o.Planned, sum.Planned)
						require.Equal(t, o.NotSent, sum.NotSent)
					}
					want := map[int64]int64{}
					for _, bar := range seen.Distribution() {
						if bar.Count > 0 {
							want[bar.From] += bar.Count
						}
					}
					require.Equal(t, want, bars, "as a hook saw it")
					whole, _ := e.Record.Merge()
					require.Equal(t, want, counts(whole[delivery.OpPush].Response))

					groups, waves := e.Record.Parts()
					require.Nil(t, waves)
					of, failed := map[int64]int64{}, map[string]int64{}
					var retries, brokenOff int64
					for i, g := range groups {
						require.Equal(t, []string{"a", "b", "c"}[i], g.Name)
						require.Equal(t, g.Succeeded, g.Latencies[delivery.OpPush].Count)
						for lowest, n := range counts(g.Latencies[delivery.OpPush].Response) {
							of[lowest] += n
						}
						for class, n := range g.Classes {
							failed[class] += n
						}
						retries, brokenOff = retries+g.Retries, brokenOff+g.BrokenOff
					}
					require.Equal(t, o.BrokenOff, brokenOff)
					require.Equal(t, e.Record.Totals().Retries, retries)
					require.Equal(t, want, of)
					require.Equal(t, client.failed, failed)
				})
			})
		}
	}
}

// TestFailuresBoundClasses checks that a client that makes a class for each failure doesn't fill
// the memory.
func TestFailuresBoundClasses(t *testing.T) {
	f := newFailures(RecordingConfig{Longest: time.Second})
	for i := range 10 * MaxClasses {
		f.add(0, delivery.Device{}, delivery.OpPush, 0, delivery.Report{}, 0, classed(fmt.Sprint(i)))
	}
	require.Len(t, f.ByClass(), MaxClasses+1)
	require.Equal(t, 9*MaxClasses, f.ByClass()[OtherClass])
	taken := f.takeInterval()
	require.Len(t, taken, MaxClasses+1)
	require.Nil(t, f.takeInterval())
	f.add(0, delivery.Device{}, delivery.OpPush, 0, delivery.Report{}, 0, errors.New("x"))
	require.Equal(t, map[string]int64{OtherClass: 1}, maps.Collect(maps.All(f.takeInterval())))
}

// TestIntervalAllocatesNothing checks that the end of an interval doesn't add to the allocations of
// the client.
func TestIntervalAllocatesNothing(t *testing.T) {
	r := NewRecording(RecordingConfig{Op: delivery.OpDeliver, Planned: true, Devices: 1, Workers: 1})
	r.intervals.receive = func(*Interval) {}
	end := time.Duration(0)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		rec := r.recorder(0)
		for range 1000 {
			rec.recordDispatch(end, end, false)
			succeed(rec, end, end, end, delivery.Report{Push: 1, Verify: 2})
		}
		end += time.Second
		r.endInterval(end, end+time.Second, false)
	}))
}

// TestIntervals_late checks that the intervals of an open load of a second say how many operations
// succeeded after its plan. Those that are due after 0.7 s do, since each takes 0.3 s.
func TestIntervals_late(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &standIn{takes: func(int64) time.Duration { return 300 * time.Millisecond }}
		x := ArrivalRate{Pacer: everyTenth{}, Workers: 100, Duration: time.Second, Drain: aMinute}
		e := newEnv(x, delivery.OpPush, 10, client)
		list := collect(&e)
		_, err := x.Run(t.Context(), e)
		require.NoError(t, err)
		var succeeded, late int64
		for _, v := range *list {
			require.Equal(t, time.Second, v.Plan)
			if v.Start >= time.Second {
				require.Equal(t, v.Succeeded, v.SucceededLate)
			}
			succeeded, late = succeeded+v.Succeeded, late+v.SucceededLate
		}
		require.EqualValues(t, 100, succeeded)
		require.EqualValues(t, 30, late)
	})
}
