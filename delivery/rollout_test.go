package delivery

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// rolloutFleet stands in for a client and its devices: what it is told to do takes
// the time that it is told.
type rolloutFleet struct {
	takes  time.Duration               // of a Deliver
	fails  func(d Device) Class        // ClassUnknown: it works
	verify func(d Device, n int) error // nil: says what the device runs

	mu       sync.Mutex
	begun    []string // devices, in the order of their Deliver
	at       []time.Time
	runs     map[string]bool
	verifies map[string]int
	busy     map[string]bool
	most     int // devices at the same time
	now      int
	onPush   func(n int)
}

func (f *rolloutFleet) Deliver(ctx context.Context, d Device, _ *Update) (Report, error) {
	f.mu.Lock()
	f.begun, f.at = append(f.begun, d.name()), append(f.at, time.Now())
	n := len(f.begun)
	if f.busy == nil {
		f.busy, f.runs = map[string]bool{}, map[string]bool{}
	}
	if f.busy[d.name()] {
		panic("two updates of one device at once")
	}
	f.busy[d.name()] = true
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	if f.onPush != nil {
		f.onPush(n)
	}
	ok := wakeAfter(ctx, f.takes, nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy[d.name()] = false
	f.now--
	r := Report{Pushes: 1, Verifies: 1}
	if !ok {
		return r, &Error{Op: OpPush, Device: d.name(), Class: ClassCanceled, Err: ctx.Err()}
	}
	if f.fails != nil {
		if class := f.fails(d); class != ClassUnknown {
			return r, &Error{Op: OpPush, Device: d.name(), Class: class, Err: errors.New("made to fail")}
		}
	}
	f.runs[d.name()] = true
	return r, nil
}

func (f *rolloutFleet) Verify(_ context.Context, d Device, _ *Update) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.verifies == nil {
		f.verifies = map[string]int{}
	}
	f.verifies[d.name()]++
	if f.verify != nil {
		return f.verify(d, f.verifies[d.name()])
	}
	if f.runs[d.name()] {
		return nil
	}
	return &Error{Op: OpVerify, Device: d.name(), Class: ClassIntegrity, Err: ErrLacksUpdate}
}

func rolloutDevices(n int) iter.Seq[Device] {
	return func(yield func(Device) bool) {
		for i := range n {
			if !yield(Device{ID: fmt.Sprintf("till-%d", i), Address: "http://192.0.2.1"}) {
				return
			}
		}
	}
}

func testRollout(t testing.TB, f *rolloutFleet, cfg RolloutConfig) *Rollout {
	t.Helper()
	require.NoError(t, cfg.Validate())
	retry := Retry{MaxAttempts: 3, Base: time.Second, Cap: 4 * time.Second, Poll: time.Second, PollFor: time.Minute}
	return newRollout(f, newUpdate(t, "2.0.0", []byte("x")), cfg, retry, func() float64 { return 0.5 })
}

func TestRolloutReachesEveryDeviceOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &rolloutFleet{takes: time.Second}
		var events []RolloutEvent
		inside := 0
		r := testRollout(t, f, RolloutConfig{Workers: 8, Waves: []Wave{{Share: 0.01}, {Share: 0.1}, {Share: 1}}, OnEvent: func(e RolloutEvent) {
			inside++ // a race, were it called from two goroutines at a time
			events = append(events, e)
			inside--
		}})
		report, err := r.Run(t.Context(), rolloutDevices(1000))
		require.NoError(t, err)
		require.Equal(t, RolloutReport{Wave: 3, Updated: 1000, Pushes: 1000, Verifies: 1000, Counted: true}, report)
		require.Equal(t, report, r.Progress())
		require.Equal(t, 8, f.most)
		require.Len(t, f.begun, 1000)
		slices.Sort(f.begun)
		require.Len(t, slices.Compact(f.begun), 1000)

		kinds := map[RolloutEventKind]int{}
		before := 0
		for _, e := range events {
			kinds[e.Kind]++
			require.GreaterOrEqual(t, e.Progress.Updated, before)
			before = e.Progress.Updated
			require.LessOrEqual(t, e.Progress.UnderWay, 8)
		}
		require.Equal(t, map[RolloutEventKind]int{WaveBegun: 3, WavePassed: 2, DeviceBegun: 1000, DeviceUpdated: 1000}, kinds)
		last := events[len(events)-1]
		require.Equal(t, DeviceUpdated, last.Kind)
		require.Equal(t, Wave{Share: 1}, last.Wave)
		require.NotEmpty(t, last.Device.ID)

		_, err = r.Run(t.Context(), rolloutDevices(1))
		require.ErrorIs(t, err, ErrRolloutRan)
	})
}

// TestWavesAreOfTheirSize: a wave is near its share, and the same in any order.
func TestWavesAreOfTheirSize(t *testing.T) {
	below := map[float64]int{}
	for d := range rolloutDevices(100_000) {
		_, place := fingerprint(d)
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

// What sha256sum says of "itill-17": the first 16 bytes, and the last 8 as a share of 2^64.
const (
	tillKey   = "299cec1141bb353875f4c54d8a723135"
	tillPlace = 0.1879038999138294
)

// TestFingerprint holds what journals and waves rest on.
func TestFingerprint(t *testing.T) {
	key, place := fingerprint(Device{ID: "till-17", Address: "http://a"})
	require.Equal(t, tillKey, fmt.Sprintf("%x", key))
	require.InDelta(t, tillPlace, place, 1e-12)
	same, _ := fingerprint(Device{ID: "till-17", Address: "http://b"})
	require.Equal(t, key, same)
	byAddress, _ := fingerprint(Device{Address: "till-17"})
	require.NotEqual(t, key, byAddress)
}

func TestRolloutOfADeviceThatComesTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &rolloutFleet{takes: time.Second}
		r := testRollout(t, f, RolloutConfig{Workers: 4})
		report, err := r.Run(t.Context(), func(yield func(Device) bool) {
			for i := range 100 { // some while the first is under way, some after it
				if !yield(Device{ID: fmt.Sprintf("till-%d", i/3%7)}) {
					return
				}
			}
			yield(Device{Address: "http://a"})
			yield(Device{Address: "http://a"})
		})
		require.NoError(t, err)
		require.Equal(t, 8, report.Updated)
		require.Equal(t, 94, report.Duplicates)
		require.Equal(t, 94, report.Skipped())
		require.Zero(t, report.NotReached)
		require.Len(t, f.begun, 8)
	})
}

func TestRolloutPaceIsEven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &rolloutFleet{takes: time.Minute}
		r := testRollout(t, f, RolloutConfig{Workers: 100, PerSecond: 10})
		began := time.Now()
		_, err := r.Run(t.Context(), rolloutDevices(50))
		require.NoError(t, err)
		for i, at := range f.at {
			require.InDelta(t, float64(i)/10, at.Sub(began).Seconds(), 0.001, "device %d", i)
		}
	})
}

func TestPace(t *testing.T) {
	at := func(d time.Duration) time.Time { return time.Unix(1_000_000, 0).Add(d) }
	p := pace{perSecond: 1000} // a burst of 10
	require.Zero(t, p.take(at(0)))
	require.Equal(t, time.Millisecond, p.take(at(0)).Round(time.Microsecond))
	require.Zero(t, p.take(at(time.Millisecond)))
	for range 10 { // after an hour without any, ten and not an hour's worth
		require.Zero(t, p.take(at(time.Hour)))
	}
	require.NotZero(t, p.take(at(time.Hour)))
	p = pace{perSecond: minPerSecond}
	require.Zero(t, p.take(at(0)))
	require.Equal(t, 100_000*time.Second, p.take(at(0)).Round(time.Second))
	p = pace{}
	for range 1000 {
		require.Zero(t, p.take(at(0)))
	}
}

func TestRolloutPauseAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &rolloutFleet{takes: time.Second}
		r := testRollout(t, f, RolloutConfig{Workers: 2, PerSecond: 100})
		r.Pause()
		r.Pause()
		done := make(chan error)
		go func() {
			_, err := r.Run(t.Context(), rolloutDevices(20))
			done <- err
		}()
		wakeAfter(t.Context(), time.Hour, nil)
		synctest.Wait()
		require.Empty(t, f.begun, "nothing begins while it is paused")
		r.Resume()
		wakeAfter(t.Context(), 2500*time.Millisecond, nil)
		r.Pause()
		synctest.Wait()
		begun := len(f.begun)
		require.NotZero(t, begun)
		require.Less(t, begun, 20)
		wakeAfter(t.Context(), time.Hour, nil)
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

func TestRolloutEndsAtOnceWhenCanceled(t *testing.T) {
	for name, row := range map[string]struct {
		cfg   RolloutConfig
		after time.Duration
	}{
		"while workers are busy": {RolloutConfig{Workers: 5}, 90 * time.Minute},
		"while it is paused":     {RolloutConfig{Workers: 5, OnEvent: nil}, 0},
		"while it soaks":         {RolloutConfig{Workers: 1000, Waves: []Wave{{Share: 0.5, Soak: 24 * time.Hour}, {Share: 1}}}, 2 * time.Hour},
		"while the rate holds":   {RolloutConfig{PerSecond: minPerSecond}, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &rolloutFleet{takes: time.Hour}
				ctx, cancel := context.WithCancel(t.Context())
				r := testRollout(t, f, row.cfg)
				if row.after == 0 {
					r.Pause()
				}
				began := time.Now()
				time.AfterFunc(row.after+time.Minute, cancel)
				report, err := r.Run(ctx, rolloutDevices(1000))
				require.ErrorIs(t, err, context.Canceled)
				require.Equal(t, row.after+time.Minute, time.Since(began))
				require.Zero(t, report.UnderWay)
				require.Equal(t, len(f.begun), report.Updated+report.Interrupted)
				require.Zero(t, report.Failed.Total(), "what was broken off didn't fail")
				if name == "while workers are busy" {
					require.Equal(t, 5, report.Interrupted)
					require.False(t, report.Counted)
					require.Contains(t, report.String(), "5 updated, 0 skipped, 0 failed, 5 interrupted, 1 not reached at least")
				}
			})
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := &rolloutFleet{}
	_, err := testRollout(t, f, RolloutConfig{}).Run(ctx, rolloutDevices(10))
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, f.begun)
}

func TestRolloutStopsWhereTooManyFail(t *testing.T) {
	some := func(share float64) func(Device) Class {
		n := 0.0
		return func(Device) Class { // called under the fleet's lock
			if n += share; n >= 1 {
				n--
				return ClassTimeout
			}
			return ClassUnknown
		}
	}
	for name, row := range map[string]struct {
		cfg   RolloutConfig
		fails func(Device) Class
		want  string // of the error; empty: it goes through
	}{
		"no threshold":    {RolloutConfig{}, some(1), ""},
		"below it":        {RolloutConfig{AbortShare: 0.11, AbortLeast: 30}, some(0.1), ""},
		"in the canary":   {RolloutConfig{Waves: []Wave{{Share: 0.1}, {Share: 1}}, AbortShare: 0.1}, some(0.25), "rollout stopped in wave 1 (10%): 5 of 20 devices failed (5 timeout), 25%: want less than 10%"},
		"in the long run": {RolloutConfig{AbortShare: 0.5, AbortLeast: 100}, some(1), "rollout stopped in wave 1 (100%): 100 of 100 devices failed (100 timeout), 100%: want less than 50%"},
		"too few to judge, but all": {RolloutConfig{Waves: []Wave{{Share: 0.005}, {Share: 1}}, AbortShare: 0.5, AbortLeast: 500}, some(1),
			"devices failed"},
		"too few to judge, and not all": {RolloutConfig{Waves: []Wave{{Share: 0.01}, {Share: 1}}, AbortShare: 0.3, AbortLeast: 500}, func() func(Device) Class {
			n := 0
			return func(Device) Class {
				if n++; n <= 5 {
					return ClassPermanent
				}
				return ClassUnknown
			}
		}(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row.cfg.Workers = 1
				f := &rolloutFleet{takes: time.Second, fails: row.fails}
				report, err := testRollout(t, f, row.cfg).Run(t.Context(), rolloutDevices(1000))
				require.Equal(t, len(f.begun), report.Updated+report.Failed.Total())
				if row.want == "" {
					require.NoError(t, err)
					require.Len(t, f.begun, 1000)
					return
				}
				require.ErrorContains(t, err, row.want)
				abort, ok := errors.AsType[*RolloutAbortError](err)
				require.True(t, ok)
				require.Equal(t, report.Failed, abort.Failed)
				require.LessOrEqual(t, len(f.begun), abort.Finished+1, "one may have been under way")
				require.Positive(t, report.NotReached)
			})
		})
	}
}

func TestRolloutWaitsForThoseUnderWayWhenItAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &rolloutFleet{takes: time.Second, fails: func(Device) Class { return ClassProtocol }}
		report, err := testRollout(t, f, RolloutConfig{Workers: 16, AbortShare: 1, AbortLeast: 1}).Run(t.Context(), rolloutDevices(1000))
		_, ok := errors.AsType[*RolloutAbortError](err)
		require.True(t, ok)
		require.GreaterOrEqual(t, report.Failed[ClassProtocol], 16)
		require.Equal(t, len(f.begun), report.Failed.Total())
		require.Contains(t, report.String(), "failed (")
	})
}

func TestRolloutSoaksAndAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &rolloutFleet{}
		began := time.Now()
		var asked []string
		cfg := RolloutConfig{
			Waves: []Wave{{Share: 1e-9, Soak: 700 * time.Hour}, {Share: 0.1, Soak: time.Hour}, {Share: 0.5, Soak: 2 * time.Hour}, {Share: 1, Soak: 3 * time.Hour}},
			Approve: func(_ context.Context, w Wave, p RolloutReport) error {
				asked = append(asked, fmt.Sprint(w, " after ", time.Since(began), ", wave ", p.Wave))
				return nil
			},
		}
		report, err := testRollout(t, f, cfg).Run(t.Context(), rolloutDevices(200))
		require.NoError(t, err)
		require.Equal(t, 200, report.Updated)
		require.Equal(t, []string{"1e-07% after 0s, wave 1", "10% after 1h0m0s, wave 2", "50% after 3h0m0s, wave 3"}, asked)
		require.Equal(t, 3*time.Hour, time.Since(began), "not after a wave without a device, nor after the last")

		no := errors.New("the shop is full")
		cfg.Approve = func(context.Context, Wave, RolloutReport) error { return no }
		f = &rolloutFleet{}
		report, err = testRollout(t, f, cfg).Run(t.Context(), rolloutDevices(200))
		require.ErrorIs(t, err, no)
		require.Empty(t, f.begun)
		require.Equal(t, 200, report.NotReached)
		require.True(t, report.Counted)
	})
}

func TestRolloutToAShareOnly(t *testing.T) {
	f := &rolloutFleet{}
	report, err := testRollout(t, f, RolloutConfig{Waves: []Wave{{Share: 0.3}}}).Run(t.Context(), rolloutDevices(1000))
	require.NoError(t, err)
	require.InDelta(t, 300, report.Updated, 60)
	require.Equal(t, 1000-report.Updated, report.NotReached)
}

func TestRolloutWantsARepeatableSequence(t *testing.T) {
	once := func() iter.Seq[Device] {
		left := make(chan Device, 10)
		for d := range rolloutDevices(10) {
			left <- d
		}
		close(left)
		return func(yield func(Device) bool) {
			for d := range left {
				if !yield(d) {
					return
				}
			}
		}
	}
	report, err := testRollout(t, &rolloutFleet{}, RolloutConfig{Waves: []Wave{{Share: 0.5}, {Share: 1}}}).Run(t.Context(), once())
	require.ErrorIs(t, err, ErrNotRepeatable)
	require.Positive(t, report.NotReached)
	report, err = testRollout(t, &rolloutFleet{}, RolloutConfig{}).Run(t.Context(), once())
	require.NoError(t, err)
	require.Equal(t, 10, report.Updated)
	_, err = testRollout(t, &rolloutFleet{}, RolloutConfig{}).Run(t.Context(), nil)
	require.Error(t, err)
}

func TestRolloutOutlivesASequenceThatPanics(t *testing.T) {
	f := &rolloutFleet{}
	require.PanicsWithValue(t, "no more", func() {
		_, _ = testRollout(t, f, RolloutConfig{}).Run(t.Context(), func(yield func(Device) bool) {
			yield(Device{ID: "a"})
			panic("no more")
		})
	}) // and goleak sees that the workers are gone
	require.Equal(t, []string{"a"}, f.begun)
}

func TestRolloutEventsMayPauseIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &rolloutFleet{takes: time.Second}
		var r *Rollout
		agree := true
		r = testRollout(t, f, RolloutConfig{Workers: 1, OnEvent: func(e RolloutEvent) {
			if e.Kind == DeviceUpdated {
				agree = agree && e.Progress == r.Progress()
				r.Pause()
				time.AfterFunc(time.Hour, r.Resume)
			}
		}})
		began := time.Now()
		_, err := r.Run(t.Context(), rolloutDevices(5))
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(began), 3*time.Hour)
		require.True(t, agree)
	})
}

func TestRolloutOverTheWire(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		c, dev := newClient(t, cfg), newTestDevice(t)
		u := newUpdate(t, "2", []byte("x"))
		nobody := Device{ID: "till-18", Address: "http://127.0.0.1:1"}
		invalid := Device{ID: "till-19", Address: "till-19"}
		report, err := c.Rollout(t.Context(), slices.Values([]Device{dev.Device, nobody, invalid, dev.Device}), u, RolloutConfig{})
		require.NoError(t, err)
		require.Equal(t, 1, report.Updated)
		require.Equal(t, 1, report.Failed[ClassNotSent])
		require.Equal(t, 1, report.Failed[ClassPermanent])
		require.Equal(t, "1 updated, 1 skipped, 2 failed (1 not-sent, 1 permanent), 0 not reached", report.String())
		report, err = c.Rollout(t.Context(), slices.Values([]Device{dev.Device}), u, RolloutConfig{SkipUpdated: true})
		require.NoError(t, err)
		require.Equal(t, 1, report.HadIt)
		pushes, _, _ := dev.counts()
		require.Equal(t, 1, pushes)
	})
	_, err := (*Client)(nil).Rollout(t.Context(), nil, nil, RolloutConfig{Workers: -1})
	for _, want := range []string{"workers -1", "client is nil", "update is nil"} {
		require.ErrorContains(t, err, want)
	}
}

func TestRolloutConfigErrorsNameTheThing(t *testing.T) {
	nan := float64(0)
	nan /= nan
	for want, cfg := range map[string]RolloutConfig{
		"workers -1: want 0 (the default) to 65536":                                   {Workers: -1},
		"abort least -1: want":                                                        {AbortLeast: -1},
		"per second NaN: want 0 (no limit), or 1e-05 to 1e+06 devices":                {PerSecond: nan},
		"per second -1:":                                                              {PerSecond: -1},
		"per second 1e-06:":                                                           {PerSecond: 1e-6},
		"abort share 1.5: want 0 (never) to 1":                                        {AbortShare: 1.5},
		"abort share NaN":                                                             {AbortShare: nan},
		"journal every -1ns: want":                                                    {Journal: JournalConfig{Every: -1}},
		"journal records 65537: want":                                                 {Journal: JournalConfig{Records: 65537}},
		"wave 1: share 0: want more than 0 (the wave before), at most 1":              {Waves: []Wave{{}}},
		"wave 2: share 0.1: want more than 0.1 (the wave before), at most 1":          {Waves: []Wave{{Share: 0.1}, {Share: 0.1}}},
		"wave 1: share NaN":                                                           {Waves: []Wave{{Share: nan}}},
		"wave 1: soak -1s: want 0 to 720h0m0s":                                        {Waves: []Wave{{Share: 1, Soak: -time.Second}}},
		"101 waves: want at most 100":                                                 {Waves: make([]Wave, 101)},
		"rollout: workers 65537: want 0 (the default) to 65536\nrollout: abort least": {Workers: 65537, AbortLeast: -1},
	} {
		require.ErrorContains(t, cfg.Validate(), want)
	}
	require.NoError(t, RolloutConfig{}.Validate())
	require.Equal(t, 64, RolloutConfig{}.withDefaults().Workers)
}

// TestRolloutAsks is the policy of what comes before a push, where one comes before.
func TestRolloutAsks(t *testing.T) {
	says := func(class Class, cause error) error {
		return &Error{Op: OpVerify, Class: class, Err: cause, RetryAfter: 3 * time.Second}
	}
	for name, row := range map[string]struct {
		verify   func(Device, int) error
		want     RolloutEventKind
		verifies int
		waited   time.Duration
	}{
		"has it":           {func(Device, int) error { return nil }, DeviceHadIt, 1, 0},
		"lacks it":         {nil, DeviceUpdated, 1, 0},
		"failed to before": {func(Device, int) error { return says(ClassIntegrity, ErrDeviceFailed) }, DeviceUpdated, 1, 0},
		"other content":    {func(Device, int) error { return says(ClassIntegrity, ErrWrongDigest) }, DeviceFailed, 1, 0},
		"other device":     {func(Device, int) error { return says(ClassIntegrity, ErrWrongDevice) }, DeviceFailed, 1, 0},
		"not ours":         {func(Device, int) error { return errors.New("x") }, DeviceFailed, 1, 0},
		"installs, then has it": {func(_ Device, n int) error {
			if n < 4 {
				return says(ClassPending, errStillBusy)
			}
			return nil
		}, DeviceHadIt, 4, 3 * time.Second},
		"installs for ever": {func(Device, int) error { return says(ClassPending, errStillBusy) }, DeviceFailed, 61, time.Minute},
		"answers the third time": {func(_ Device, n int) error {
			if n < 3 {
				return says(ClassAmbiguous, errStatus)
			}
			return nil
		}, DeviceHadIt, 3, 6 * time.Second}, // as long as it asked for
		"never answers": {func(Device, int) error { return says(ClassTimeout, errStatus) }, DeviceFailed, 3, 6 * time.Second},
		"backs off":     {func(Device, int) error { return &Error{Class: ClassNotSent, Err: errStatus} }, DeviceFailed, 3, 1500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &rolloutFleet{verify: row.verify}
				var last RolloutEvent
				r := testRollout(t, f, RolloutConfig{SkipUpdated: true, OnEvent: func(e RolloutEvent) { last = e }})
				report, err := r.Run(t.Context(), rolloutDevices(1))
				require.NoError(t, err)
				require.Equal(t, row.want, last.Kind, "%v", last.Err)
				require.Equal(t, row.verifies, f.verifies["till-0"])
				require.Equal(t, row.verifies+report.Pushes, report.Verifies)
				require.Equal(t, row.waited, last.Report.Waited)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // and no wait outlives the context
		f := &rolloutFleet{verify: func(Device, int) error { return says(ClassPending, errStillBusy) }}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		report, err := testRollout(t, f, RolloutConfig{SkipUpdated: true}).Run(ctx, rolloutDevices(1))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 1, report.Interrupted)
		require.Empty(t, f.begun)
	})
	f := &rolloutFleet{}
	ctx, cancel := context.WithCancel(t.Context())
	f.verify = func(Device, int) error { cancel(); return says(ClassCanceled, context.Canceled) }
	report, err := testRollout(t, f, RolloutConfig{SkipUpdated: true}).Run(ctx, rolloutDevices(1))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, report.Interrupted)
}

func TestClassCounts(t *testing.T) {
	var c ClassCounts
	require.Empty(t, c.String())
	c[ClassTimeout], c[ClassIntegrity] = 3, 1
	require.Equal(t, 4, c.Total())
	require.Equal(t, "3 timeout, 1 integrity", c.String())
	require.True(t, strings.HasPrefix(Wave{Share: 0.005}.String(), "0.5%"))
}
