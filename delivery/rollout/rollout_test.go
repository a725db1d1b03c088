package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// A fakeClient stands in for a client and its devices. Its fields say how long each delivery takes
// and how it ends.
type fakeClient struct {
	takes time.Duration                                    // of a Deliver
	lasts func(n int) time.Duration                        // instead of takes, of the nth Deliver
	fails func(d delivery.Device) delivery.Class           // ClassUnknown: it works
	says  func(d delivery.Device) (delivery.Report, error) // of a Check. No function: what the device runs

	mu     sync.Mutex
	begun  []string // devices, in the order of their Deliver
	at     []time.Time
	runs   map[string]bool
	checks map[string][]delivery.CheckOptions // by device, in their order
	busy   map[string]bool
	most   int // devices at the same time
	now    int
	onPush func(n int)
}

func (f *fakeClient) Deliver(ctx context.Context, d delivery.Device, _ *delivery.Update) (delivery.Report, error) {
	f.mu.Lock()
	f.begun, f.at = append(f.begun, d.Name()), append(f.at, time.Now())
	n := len(f.begun)
	if f.busy == nil {
		f.busy, f.runs = map[string]bool{}, map[string]bool{}
	}
	if f.busy[d.Name()] {
		panic("two updates of one device at once")
	}
	f.busy[d.Name()] = true
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	if f.onPush != nil {
		f.onPush(n)
	}
	takes := f.takes
	if f.lasts != nil {
		takes = f.lasts(n)
	}
	ok := pacing.Wait(ctx, takes, nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy[d.Name()] = false
	f.now--
	r := delivery.Report{Pushes: 1, Verifies: 1}
	if !ok {
		return r, &delivery.Error{Op: delivery.OpPush, Device: d.Name(), Class: delivery.ClassCanceled, Err: ctx.Err()}
	}
	if f.fails != nil {
		if class := f.fails(d); class != delivery.ClassUnknown {
			return r, &delivery.Error{Op: delivery.OpPush, Device: d.Name(), Class: class, Err: errors.New("made to fail")}
		}
	}
	f.runs[d.Name()] = true
	return r, nil
}

func (f *fakeClient) Check(_ context.Context, d delivery.Device, _ *delivery.Update,
	opts delivery.CheckOptions) (delivery.Report, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.checks == nil {
		f.checks = map[string][]delivery.CheckOptions{}
	}
	f.checks[d.Name()] = append(f.checks[d.Name()], opts)
	if f.says != nil {
		return f.says(d)
	}
	if f.runs[d.Name()] {
		return delivery.Report{Verifies: 1}, nil
	}
	return delivery.Report{Verifies: 1}, &delivery.Error{Op: delivery.OpVerify, Device: d.Name(),
		Class: delivery.ClassIntegrity, Err: delivery.ErrLacksUpdate}
}

// tills returns n devices, which share an address.
func tills(n int) iter.Seq[delivery.Device] {
	return func(yield func(delivery.Device) bool) {
		for i := range n {
			if !yield(delivery.Device{ID: fmt.Sprintf("till-%d", i), Address: "http://192.0.2.1"}) {
				return
			}
		}
	}
}

// newTestRollout returns a rollout that gives every device one turn, unless cfg says how many.
func newTestRollout(t testing.TB, f *fakeClient, cfg Options) *Rollout {
	t.Helper()
	cfg.Requeue.Turns = cmp.Or(cfg.Requeue.Turns, -1)
	require.NoError(t, cfg.Validate())
	return newRollout(f, newUpdate(t, "2.0.0", []byte("x")), cfg)
}

func TestRolloutReachesEveryDeviceOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{takes: time.Second}
		var events []Event
		inside := 0
		r := newTestRollout(t, f, Options{Workers: 8, Waves: []Wave{{Share: 0.01}, {Share: 0.1}, {Share: 1}},
			OnEvent: func(e Event) {
				inside++ // a race, were it called from two goroutines at a time
				events = append(events, e)
				inside--
			}})
		report, err := r.Run(t.Context(), tills(1000))
		require.NoError(t, err)
		wave3 := WaveReport{Devices: 900, Updated: 900}
		require.Equal(t, Report{Wave: 3, CurrentWave: wave3, Updated: 1000, Pushes: 1000, Verifies: 1000, Counted: true},
			report)
		require.Equal(t, report, r.Progress())
		require.Equal(t, 8, f.most)
		require.Len(t, f.begun, 1000)
		slices.Sort(f.begun)
		require.Len(t, slices.Compact(f.begun), 1000)

		kinds := map[EventKind]int{}
		before := 0
		for _, e := range events {
			kinds[e.Kind]++
			require.GreaterOrEqual(t, e.Progress.Updated, before)
			before = e.Progress.Updated
			require.LessOrEqual(t, e.Progress.UnderWay, 8)
		}
		require.Equal(t, map[EventKind]int{WaveBegun: 3, WavePassed: 2, DeviceBegun: 1000, DeviceUpdated: 1000}, kinds)
		last := events[len(events)-1]
		require.Equal(t, DeviceUpdated, last.Kind)
		require.Equal(t, Wave{Share: 1}, last.Wave)
		require.NotEmpty(t, last.Device.ID)

		_, err = r.Run(t.Context(), tills(1))
		require.ErrorIs(t, err, ErrAlreadyRun)
	})
}

func TestRolloutOfADeviceThatComesTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{takes: time.Second}
		r := newTestRollout(t, f, Options{Workers: 4})
		report, err := r.Run(t.Context(), func(yield func(delivery.Device) bool) {
			for i := range 100 { // some come while the first is under way, some after it
				if !yield(delivery.Device{ID: fmt.Sprintf("till-%d", i/3%7)}) {
					return
				}
			}
			yield(delivery.Device{Address: "http://a"})
			yield(delivery.Device{Address: "http://a"})
		})
		require.NoError(t, err)
		require.Equal(t, 8, report.Updated)
		require.Equal(t, 94, report.Duplicates)
		require.Equal(t, 94, report.Skipped())
		require.Zero(t, report.NotReached)
		require.Len(t, f.begun, 8)
	})
}

func TestRolloutStartsDevicesEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{takes: time.Minute}
		r := newTestRollout(t, f, Options{Workers: 100, PerSecond: 10})
		began := time.Now()
		_, err := r.Run(t.Context(), tills(50))
		require.NoError(t, err)
		for i, at := range f.at {
			require.InDelta(t, float64(i)/10, at.Sub(began).Seconds(), 0.001, "device %d", i)
		}
	})
}

func TestAdmission(t *testing.T) {
	at := func(d time.Duration) time.Time { return time.Unix(1_000_000, 0).Add(d) }
	p := rateLimiter{perSecond: 1000} // a burst of 10
	require.Zero(t, p.reserve(at(0)))
	require.Equal(t, time.Millisecond, p.reserve(at(0)).Round(time.Microsecond))
	require.Zero(t, p.reserve(at(time.Millisecond)))
	for range 10 { // after an hour without any, ten and not an hour's worth
		require.Zero(t, p.reserve(at(time.Hour)))
	}
	require.NotZero(t, p.reserve(at(time.Hour)))
	p = rateLimiter{perSecond: minPerSecond}
	require.Zero(t, p.reserve(at(0)))
	require.Equal(t, 100_000*time.Second, p.reserve(at(0)).Round(time.Second))
	p = rateLimiter{}
	for range 1000 {
		require.Zero(t, p.reserve(at(0)))
	}
}

func TestRolloutPauseAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{takes: time.Second}
		r := newTestRollout(t, f, Options{Workers: 2, PerSecond: 100})
		r.Pause()
		r.Pause()
		done := make(chan error)
		go func() {
			_, err := r.Run(t.Context(), tills(20))
			done <- err
		}()
		pacing.Wait(t.Context(), time.Hour, nil)
		synctest.Wait()
		require.Empty(t, f.begun, "nothing begins while it is paused")
		r.Resume()
		pacing.Wait(t.Context(), 2500*time.Millisecond, nil)
		r.Pause()
		synctest.Wait()
		begun := len(f.begun)
		require.NotZero(t, begun)
		require.Less(t, begun, 20)
		pacing.Wait(t.Context(), time.Hour, nil)
		synctest.Wait()
		require.Len(t, f.begun, begun, "those under way end, and nothing begins")
		p := r.Progress()
		require.Equal(t, begun, p.Updated)
		require.Zero(t, p.UnderWay)
		r.Resume()
		require.NoError(t, <-done)
		require.Len(t, f.begun, 20)
	})
}

// TestRolloutPausedWhileItWaitsForItsRate checks that a device that waits for the rate during a
// Pause begins only after Resume.
func TestRolloutPausedWhileItWaitsForItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, began := &fakeClient{}, time.Now()
		r := newTestRollout(t, f, Options{Workers: 2, PerSecond: 0.1})
		go func() {
			pacing.Wait(t.Context(), 5*time.Second, nil)
			r.Pause()
			pacing.Wait(t.Context(), time.Hour, nil)
			r.Resume()
		}()
		_, err := r.Run(t.Context(), tills(2))
		require.NoError(t, err)
		require.Equal(t, []time.Time{began, began.Add(time.Hour + 5*time.Second)}, f.at)
	})
}

func TestRolloutEndsAtOnceWhenCanceled(t *testing.T) {
	for name, row := range map[string]struct {
		cfg   Options
		after time.Duration
	}{
		"while workers are busy": {Options{Workers: 5}, 90 * time.Minute},
		"while it is paused":     {Options{Workers: 5, OnEvent: nil}, 0},
		"while it soaks": {Options{Workers: 1000, Waves: []Wave{{Share: 0.5, Soak: 24 * time.Hour}, {Share: 1}}},
			2 * time.Hour},
		"while the rate holds": {Options{PerSecond: minPerSecond}, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeClient{takes: time.Hour}
				ctx, cancel := context.WithCancel(t.Context())
				r := newTestRollout(t, f, row.cfg)
				if row.after == 0 {
					r.Pause()
				}
				began := time.Now()
				time.AfterFunc(row.after+time.Minute, cancel)
				report, err := r.Run(ctx, tills(1000))
				require.ErrorIs(t, err, context.Canceled)
				require.Equal(t, row.after+time.Minute, time.Since(began))
				require.Zero(t, report.UnderWay)
				require.Equal(t, len(f.begun), report.Updated+report.Interrupted)
				require.Zero(t, report.Failed.Total(), "what was broken off didn't fail")
				if name == "while workers are busy" {
					require.Equal(t, 5, report.Interrupted)
					require.False(t, report.Counted)
					// One device was waiting for a worker, and each worker may have been given one
					// more.
					require.Regexp(t, "5 updated, 0 skipped, 0 failed, 5 interrupted, [1-6] not reached at least", report.String())
				}
			})
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := &fakeClient{}
	_, err := newTestRollout(t, f, Options{}).Run(ctx, tills(10))
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, f.begun)
}

func TestRolloutOutlivesASequenceThatPanics(t *testing.T) {
	f := &fakeClient{}
	require.PanicsWithValue(t, "no more", func() {
		_, _ = newTestRollout(t, f, Options{}).Run(t.Context(), func(yield func(delivery.Device) bool) {
			yield(delivery.Device{ID: "a"})
			panic("no more")
		})
	}) // and goleak sees that the workers are gone
	require.Equal(t, []string{"a"}, f.begun)
}

func TestRolloutEventsMayPauseIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{takes: time.Second}
		var r *Rollout
		agree := true
		r = newTestRollout(t, f, Options{Workers: 1, OnEvent: func(e Event) {
			if e.Kind == DeviceUpdated {
				agree = agree && e.Progress == r.Progress()
				r.Pause()
				time.AfterFunc(time.Hour, r.Resume)
			}
		}})
		began := time.Now()
		_, err := r.Run(t.Context(), tills(5))
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(began), 3*time.Hour)
		require.True(t, agree)
	})
}

func TestRolloutOverTheWire(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg delivery.Config) {
		c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
		f := newSocketFleet(t, 1, func(int, int) string { return "" }, nil)
		dev := f.devices[0]
		nobody := delivery.Device{ID: "till-18", Address: "http://127.0.0.1:1"}
		invalid := delivery.Device{ID: "till-19", Address: "till-19"}
		report, err := Run(t.Context(), c, slices.Values([]delivery.Device{dev, nobody, invalid, dev}), u,
			Options{Requeue: Requeue{Turns: -1}})
		require.NoError(t, err)
		require.Equal(t, 1, report.Updated)
		require.Equal(t, 1, report.Failed[delivery.ClassNotSent])
		require.Equal(t, 1, report.Failed[delivery.ClassPermanent])
		require.Equal(t, "1 updated, 1 skipped, 2 failed (1 not-sent, 1 permanent), 0 not reached", report.String())
		report, err = Run(t.Context(), c, slices.Values([]delivery.Device{dev}), u, Options{SkipUpdated: true})
		require.NoError(t, err)
		require.Equal(t, 1, report.HadIt)
		f.mu.Lock()
		defer f.mu.Unlock()
		require.Equal(t, map[int]int{0: 1}, f.pushes)
	})
	for _, nobody := range []Client{nil, (*delivery.Client)(nil)} {
		_, err := Run(t.Context(), nobody, nil, nil, Options{Workers: -1})
		for _, want := range []string{"workers -1", "client is nil", "update is nil"} {
			require.ErrorContains(t, err, want)
		}
	}
}

func TestOptionsErrorsNameTheThing(t *testing.T) {
	nan := float64(0)
	nan /= nan
	for want, cfg := range map[string]Options{
		"workers -1: want 0 (the default) to 65536":                      {Workers: -1},
		"abort least -1: want":                                           {AbortLeast: -1},
		"per second NaN: want 0 (no limit), or 1e-05 to 1e+06 devices":   {PerSecond: nan},
		"per second -1:":                                                 {PerSecond: -1},
		"per second 1e-06:":                                              {PerSecond: 1e-6},
		"abort share 1.5: want 0 (never) to 1":                           {AbortShare: 1.5},
		"abort share NaN":                                                {AbortShare: nan},
		"journal every -1ns: want":                                       {Journal: Journal{Every: -1}},
		"journal records 65537: want":                                    {Journal: Journal{Records: 65537}},
		"wave 1: share 0: want more than 0 (the wave before), at most 1": {Waves: []Wave{{}}},
		"wave 2: share 0.1: want more than 0.1 (the wave before), at most 1": {Waves: []Wave{{Share: 0.1},
			{Share: 0.1}}},
		"wave 1: share NaN": {Waves: []Wave{{Share: nan}}},
		"wave 1: soak -1s: want 0 to 720h0m0s": {Waves: []Wave{{Share: 1,
			Soak: -time.Second}}},
		"wave 1: share 0.1 and 3 devices: want one of them": {Waves: []Wave{{Share: 0.1,
			Devices: 3}}},
		"wave 1: -1 devices: want more than 0 (reached before), at most 1073741824": {Waves: []Wave{{Devices: -1}}},
		"wave 3: 5 devices: want more than 5 (reached before)": {Waves: []Wave{{Devices: 5},
			{Share: 0.5}, {Devices: 5}}},
		"wave 3: share 0.5: want more than 0.5 (the wave before)": {Waves: []Wave{{Share: 0.5},
			{Devices: 5}, {Share: 0.5}}},
		"wave 2: 5 devices: the wave before has reached all": {Waves: []Wave{{Share: 1},
			{Devices: 5}}},
		"101 waves: want at most 100": {Waves: make([]Wave, 101)},
		"rollout: workers 65537: want 0 (the default) to 65536\nrollout: abort least": {Workers: 65537, AbortLeast: -1},
	} {
		require.ErrorContains(t, cfg.Validate(), want)
	}
	require.NoError(t, Options{}.Validate())
	require.NoError(t, Options{Waves: []Wave{{Devices: 1}, {Devices: 10}, {Share: 0.1}, {Devices: 500},
		{Share: 1}}}.Validate())
	require.Equal(t, 64, Options{}.withDefaults().Workers)
}

func TestWaveStrings(t *testing.T) {
	c := delivery.ClassCounts{delivery.ClassTimeout: 3, delivery.ClassIntegrity: 1}
	require.Equal(t, "0.5%", Wave{Share: 0.005}.String())
	require.Equal(t, "5 devices", Wave{Devices: 5}.String())
	require.Equal(t, "9 devices: 2 updated, 3 skipped, 4 failed (3 timeout, 1 integrity)",
		WaveReport{Devices: 9, Updated: 2, HadIt: 1, DoneBefore: 2, Failed: c}.String())
}
