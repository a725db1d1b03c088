package rollout

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// TestPlacesAreUniform checks that the hash gives every share of the places its share of the
// devices.
func TestPlacesAreUniform(t *testing.T) {
	below := map[float64]int{}
	for d := range tills(100_000) {
		_, place := endpoint.Fingerprint(d.ID, d.Address)
		if place < 0 || place >= 1 {
			t.Fatal(d, place)
		}
		for _, share := range []float64{0.01, 0.1, 0.5} {
			if place < share {
				below[share]++
			}
		}
	}
	// Four standard deviations of a binomial distribution: sqrt(n·p·(1-p)).
	require.InDelta(t, 1_000, below[0.01], 4*31.5)
	require.InDelta(t, 10_000, below[0.1], 4*94.9)
	require.InDelta(t, 50_000, below[0.5], 4*158.1)
}

// wavesOf runs a rollout of n devices, and returns how many devices begin in each wave.
func wavesOf(t testing.TB, n int, waves []Wave, fleet string) (sizes []int) {
	t.Helper()
	f := &fakeClient{}
	sizes = make([]int, len(waves))
	r := newTestRollout(t, f, Options{Waves: waves, OnEvent: func(e Event) {
		if e.Kind == DeviceBegun {
			sizes[e.Progress.Wave-1]++
		}
	}})
	report, err := r.Run(t.Context(), func(yield func(delivery.Device) bool) {
		for i := range n {
			if d := (delivery.Device{ID: fmt.Sprintf("%s-%d", fleet, i)}); !yield(d) || i%3 == 0 && !yield(d) {
				return
			}
		}
	})
	require.NoError(t, err)
	require.Equal(t, len(f.begun), report.Updated)
	slices.Sort(f.begun)
	require.Len(t, slices.Compact(f.begun), report.Updated, "no device is in two waves")
	require.Equal(t, n-report.Updated, report.NotReached-max(0, (n+2)/3-report.Duplicates))
	return sizes
}

func TestWaveSizes(t *testing.T) {
	for name, row := range map[string]struct {
		devices int
		waves   []Wave
		want    []int
	}{
		"a third each of seven": {7, []Wave{{Share: 0.33}, {Share: 0.66}, {Share: 1}}, []int{2, 3, 2}},
		"45% of forty":          {40, []Wave{{Share: 0.45}, {Share: 1}}, []int{18, 22}},
		"small ones of many": {1000, []Wave{{Share: 0.001}, {Share: 0.01}, {Share: 0.1}, {Share: 1}},
			[]int{1, 9, 90, 900}},
		"shares that are sums": {10, []Wave{{Share: 0.7}, {Share: 0.7 + 0.2}, {Share: 0.8 + 0.1 + 0.1 - 1e-12}},
			[]int{7, 2, 1}},
		"numbers of devices": {100, []Wave{{Devices: 1}, {Devices: 5}, {Share: 0.25}, {Share: 1}},
			[]int{1, 4, 20, 75}},
		"more than there are":     {20, []Wave{{Devices: 50}, {Share: 1}}, []int{19, 1}},
		"a number, and no more":   {20, []Wave{{Devices: 7}}, []int{7}},
		"a number that is beyond": {20, []Wave{{Devices: 10}, {Share: 0.1}, {Share: 1}}, []int{10, 1, 9}},
		"99% leave one":           {20, []Wave{{Share: 0.99}, {Share: 1}}, []int{19, 1}},
		"more waves than devices": {2, []Wave{{Share: 0.01}, {Share: 0.5}, {Share: 1}}, []int{1, 1, 0}},
		"one device":              {1, []Wave{{Share: 0.01}, {Share: 1}}, []int{1, 0}},
		"a part of one device":    {1, []Wave{{Share: 0.01}}, []int{1}},
		"no device":               {0, []Wave{{Share: 0.01}, {Share: 1}}, []int{0, 0}},
		"waves that are less than one": {30, []Wave{{Share: 0.001}, {Share: 0.002}, {Share: 0.003}, {Share: 1}},
			[]int{1, 1, 1, 27}},
		"the last ones less than one": {20, []Wave{{Share: 0.97}, {Share: 0.98}, {Share: 0.99}, {Share: 1}},
			[]int{17, 1, 1, 1}},
		"a share, and no more":          {1000, []Wave{{Share: 0.3}}, []int{300}},
		"everything, without a journal": {1000, []Wave{{Share: 1}}, []int{1000}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.want, wavesOf(t, row.devices, row.waves, "till"))
		})
	}
}

// TestEveryCanaryHasADevice checks small fleets with various names.
func TestEveryCanaryHasADevice(t *testing.T) {
	for i := range 40 {
		require.Equal(t, []int{1, 19}, wavesOf(t, 20, []Wave{{Share: 0.01}, {Share: 1}}, fmt.Sprintf("fleet-%d", i)))
	}
}

// TestWavesAreWithinOneOfTheirShare has fleets of all sizes, in waves of at least one device.
func TestWavesAreWithinOneOfTheirShare(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := 10; n < 3000; n += 1 + n/7 {
		places := make([]float64, n)
		for i := range places {
			places[i] = rnd.Float64()
		}
		slices.Sort(places)
		var waves []Wave
		for share := 0.0; share < 1; {
			share = min(1, share+(1+5*rnd.Float64())/float64(n)) // a device at least
			waves = append(waves, Wave{Share: share})
		}
		before, from := 0, Wave{}
		for i, end := range waveEnds(waves, places) {
			exact := (waves[i].Share - from.Share) * float64(n)
			require.InDelta(t, exact, end.devices-before, 1, "wave %d of %d devices", i+1, n)
			require.Greater(t, end.devices, before)
			if below, _ := slices.BinarySearch(places, end.place); end.devices != below {
				t.Fatalf("wave %d of %d devices: %d are below its end, want %d", i+1, n, below, end.devices)
			}
			before, from = end.devices, waves[i]
		}
		require.Equal(t, n, before)
	}
}

func TestRolloutStopsWhenTooManyFail(t *testing.T) {
	some := func(share float64) func(delivery.Device) delivery.Class {
		n := 0.0
		return func(delivery.Device) delivery.Class { // called under the lock of the fakeClient
			if n += share; n >= 1 {
				n--
				return delivery.ClassTimeout
			}
			return delivery.ClassUnknown
		}
	}
	from := func(begin, n int) func(delivery.Device) delivery.Class { // n devices, from the begin-th on
		i := 0
		return func(delivery.Device) delivery.Class {
			if i++; i >= begin && i < begin+n {
				return delivery.ClassPermanent
			}
			return delivery.ClassUnknown
		}
	}
	first := func(n int) func(delivery.Device) delivery.Class { return from(1, n) }
	for name, row := range map[string]struct {
		cfg   Options
		fails func(delivery.Device) delivery.Class
		want  string // of the error; empty if the rollout succeeds
	}{
		"no threshold": {Options{}, some(1), ""},
		"below it":     {Options{AbortShare: 0.11, AbortLeast: 30}, some(0.1), ""},
		"in the canary": {Options{Waves: []Wave{{Share: 0.1}, {Share: 1}}, AbortShare: 0.1}, some(0.25),
			"rollout stopped in wave 1 (10%): 5 of 20 devices failed (5 timeout), 25%: want less than 10%"},
		"in the long run": {Options{AbortShare: 0.5, AbortLeast: 100}, some(1),
			"rollout stopped in wave 1 (100%): 100 of 100 devices failed (100 timeout), 100%: want less than 50%"},
		"too few to judge, but all": {Options{Waves: []Wave{{Share: 0.005}, {Share: 1}}, AbortShare: 0.5, AbortLeast: 500},
			some(1),
			"devices failed"},
		"too few to judge, and not all": {Options{Waves: []Wave{{Share: 0.01}, {Share: 1}}, AbortShare: 0.3,
			AbortLeast: 500}, first(5),
			"rollout stopped in wave 1 (1%): 5 of 10 devices failed (5 permanent), 50%: want less than 30%"},
		"exactly the share": {Options{Waves: []Wave{{Devices: 100}, {Share: 1}}, AbortShare: 0.07, AbortLeast: 100},
			first(7), "7 of 100 devices failed"},
		"one less than it": {Options{Waves: []Wave{{Devices: 100}, {Share: 1}}, AbortShare: 0.07, AbortLeast: 100},
			first(6), ""},
		"of a wave, not of all": {Options{Waves: []Wave{{Devices: 500}, {Devices: 510}, {Share: 1}}, AbortShare: 0.5},
			from(501, 5), "wave 2 (510 devices): 5 of 10 devices failed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row.cfg.Workers = 1
				f := &fakeClient{takes: time.Second, fails: row.fails}
				report, err := newTestRollout(t, f, row.cfg).Run(t.Context(), tills(1000))
				require.Equal(t, len(f.begun), report.Updated+report.Failed.Total())
				if row.want == "" {
					require.NoError(t, err)
					require.Len(t, f.begun, 1000)
					return
				}
				require.ErrorContains(t, err, row.want)
				abort, ok := errors.AsType[*AbortError](err)
				require.True(t, ok)
				require.Equal(t, report.Failed, abort.Failed)
				require.Equal(t, abort.Finished, report.CurrentWave.Devices, "and no further one was begun")
				require.Positive(t, report.NotReached)
			})
		})
	}
}

func TestRolloutWaitsForThoseUnderWayWhenItAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{takes: time.Second, fails: func(delivery.Device) delivery.Class { return delivery.ClassProtocol }}
		report, err := newTestRollout(t, f, Options{Workers: 16, AbortShare: 0.5, AbortLeast: 17}).Run(t.Context(),
			tills(1000))
		_, ok := errors.AsType[*AbortError](err)
		require.True(t, ok)
		require.Equal(t, 17, report.Failed[delivery.ClassProtocol])
		require.Equal(t, len(f.begun), report.Failed.Total())
		require.Contains(t, report.String(), "failed (")
	})
	synctest.Test(t, func(t *testing.T) { // 16 are under way when the second of two fails
		f := &fakeClient{takes: time.Second}
		f.fails = func(delivery.Device) delivery.Class {
			if len(f.begun) > 1 {
				return delivery.ClassProtocol
			}
			return delivery.ClassUnknown
		}
		report, err := newTestRollout(t, f, Options{Workers: 16, AbortShare: 0.4, AbortLeast: 1}).Run(t.Context(),
			tills(1000))
		require.ErrorContains(t, err, "1 of 2 devices failed")
		require.Equal(t, []int{1, 16}, []int{report.Updated, report.Failed.Total()})
	})
}

// TestRolloutBeginsNoMoreThanItTakesToFindOut checks how many devices begin at most before the wave
// is judged, however many workers there are.
func TestRolloutBeginsNoMoreThanItTakesToFindOut(t *testing.T) {
	for name, row := range map[string]struct {
		share float64
		slow  int // so many of the first devices take an hour instead of a second
		want  int // devices that begin in the first minute
	}{
		"one slow device decides":    {0.05, 1, 20},
		"it can't decide":            {0.1, 1, 400}, // 1 of 20 is 5%
		"two can't, but three might": {0.15, 2, 400},
		"all of the first":           {0.5, 20, 20},
		"no threshold":               {0, 20, 400},
		"as many as may be failing":  {0.5, 9, 400},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeClient{lasts: func(n int) time.Duration {
					if n <= row.slow {
						return time.Hour
					}
					return time.Second
				}}
				r := newTestRollout(t, f, Options{Workers: 64, AbortShare: row.share})
				done := make(chan error)
				go func() {
					_, err := r.Run(t.Context(), tills(400))
					done <- err
				}()
				pacing.Wait(t.Context(), time.Minute, nil)
				synctest.Wait()
				f.mu.Lock()
				begun := len(f.begun)
				f.mu.Unlock()
				require.Equal(t, row.want, begun)
				require.NoError(t, <-done)
				require.Len(t, f.begun, 400)
			})
		})
	}
}

func TestRolloutSoaksAndAsksForApproval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{}
		began := time.Now()
		var asked []string
		cfg := Options{
			Waves: []Wave{{Share: 1e-9, Soak: 700 * time.Hour}, {Share: 0.1, Soak: time.Hour},
				{Share: 0.5, Soak: 2 * time.Hour}, {Share: 1, Soak: 3 * time.Hour}},
			Approve: func(_ context.Context, w Wave, p Report) error {
				asked = append(asked, fmt.Sprint(p.CurrentWave, " by ", w, " after ", time.Since(began), ", wave ", p.Wave))
				return nil
			},
		}
		report, err := newTestRollout(t, f, cfg).Run(t.Context(), tills(200))
		require.NoError(t, err)
		require.Equal(t, 200, report.Updated)
		require.Equal(t, []string{
			"1 devices: 1 updated, 0 skipped, 0 failed by 1e-07% after 700h0m0s, wave 1",
			"19 devices: 19 updated, 0 skipped, 0 failed by 10% after 701h0m0s, wave 2",
			"80 devices: 80 updated, 0 skipped, 0 failed by 50% after 703h0m0s, wave 3",
		}, asked)
		require.Equal(t, 703*time.Hour, time.Since(began), "not after the last")

		no := errors.New("the shop is full")
		cfg.Approve = func(context.Context, Wave, Report) error { return no }
		f = &fakeClient{}
		report, err = newTestRollout(t, f, cfg).Run(t.Context(), tills(200))
		require.ErrorIs(t, err, no)
		require.Len(t, f.begun, 1)
		require.Equal(t, 199, report.NotReached)
		require.True(t, report.Counted)
	})
}

func TestRolloutToAShareOnly(t *testing.T) {
	f := &fakeClient{}
	report, err := newTestRollout(t, f, Options{Waves: []Wave{{Share: 0.3}}}).Run(t.Context(), tills(1000))
	require.NoError(t, err)
	require.Equal(t, []int{300, 700}, []int{report.Updated, report.NotReached})
}

func TestRolloutWantsARepeatableSequence(t *testing.T) {
	once := func() iter.Seq[delivery.Device] {
		left := make(chan delivery.Device, 10)
		for d := range tills(10) {
			left <- d
		}
		close(left)
		return func(yield func(delivery.Device) bool) {
			for d := range left {
				if !yield(d) {
					return
				}
			}
		}
	}
	report, err := newTestRollout(t, &fakeClient{}, Options{Waves: []Wave{{Share: 0.5}, {Share: 1}}}).Run(t.Context(),
		once())
	require.ErrorIs(t, err, ErrNotRepeatable)
	require.Equal(t, 10, report.NotReached, "nothing is begun that can't be ended")
	_, err = newTestRollout(t, &fakeClient{}, Options{Waves: []Wave{{Devices: 3}}}).Run(t.Context(), once())
	require.ErrorIs(t, err, ErrNotRepeatable)
	report, err = newTestRollout(t, &fakeClient{}, Options{}).Run(t.Context(), once())
	require.NoError(t, err)
	require.Equal(t, 10, report.Updated)
	_, err = newTestRollout(t, &fakeClient{}, Options{}).Run(t.Context(), nil)
	require.Error(t, err)
}
