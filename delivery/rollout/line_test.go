package rollout

import (
	"cmp"
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

	"github.com/fleetmark/fleetmark/delivery"
)

// sites returns devices by their site: "a*3 b*2" means three of a and then two of b.
func sites(t testing.TB, spec string) (iter.Seq[delivery.Device], func(delivery.Device) map[string]string) {
	var devices []delivery.Device
	for part := range strings.FieldsSeq(spec) {
		site, count, _ := strings.Cut(part, "*")
		n := 0
		_, err := fmt.Sscan(count, &n)
		require.NoError(t, err)
		for range n {
			devices = append(devices, delivery.Device{ID: fmt.Sprintf("%s-%d", site, len(devices)), Address: "http://192.0.2.1"})
		}
	}
	return slices.Values(devices), func(d delivery.Device) map[string]string {
		site, _, _ := strings.Cut(d.ID, "-")
		if site == "none" {
			return nil
		}
		return map[string]string{"site": site, "kind": "till"}
	}
}

// crowds records how many devices of each site are under way.
type crowds struct {
	mu   sync.Mutex
	now  map[string]int
	most map[string]int
}

func (c *crowds) event(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		c.now, c.most = map[string]int{}, map[string]int{}
	}
	site, _, _ := strings.Cut(e.Device.ID, "-")
	switch e.Kind {
	case DeviceBegun:
		c.now[site]++
	case DeviceUpdated, DeviceFailed:
		c.now[site]--
	}
	c.most[site] = max(c.most[site], c.now[site])
}

// TestRolloutPerLabel checks that only so many devices of a site are under way at a time, and that
// the other sites don't wait for them. Each device takes a second.
func TestRolloutPerLabel(t *testing.T) {
	for name, row := range map[string]struct {
		fleet   string
		workers int
		limits  map[string]int
		held    int
		takes   time.Duration // at most
		most    map[string]int
		least   time.Duration // it takes, if that isn't as long
	}{
		"one site after the other": {"a*20 b*20", 8, map[string]int{"site": 2}, 0, 10 * time.Second,
			map[string]int{"a": 2, "b": 2}, 0},
		// Three at a time are done in 14 s, and 15 s if the third worker is always b's: then the
		// last ten of b are left.
		"fewer workers than would fit": {"a*20 b*20", 3, map[string]int{"site": 2}, 0, 15 * time.Second,
			map[string]int{"a": 2, "b": 2}, 14 * time.Second},
		"one at a time": {"a*5 b*3 c*1", 8, map[string]int{"site": 1}, 0, 5 * time.Second,
			map[string]int{"a": 1, "b": 1, "c": 1}, 0},
		"without the label": {"a*4 none*8", 12, map[string]int{"site": 1}, 0, 4 * time.Second,
			map[string]int{"a": 1, "none": 8}, 0},
		"two labels": {"a*6 b*6", 12, map[string]int{"site": 4, "kind": 6}, 0, 2 * time.Second, nil, 0},
		"no room to hold back": {"a*20 b*20", 8, map[string]int{"site": 2}, 1, 20 * time.Second,
			map[string]int{"a": 2, "b": 2}, 0},
		"a label that no device has":      {"a*8", 8, map[string]int{"rack": 1}, 0, time.Second, map[string]int{"a": 8}, 0},
		"more than there are devices for": {"a*8", 8, map[string]int{"site": 100}, 0, time.Second, map[string]int{"a": 8}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				devices, labels := sites(t, row.fleet)
				f, seen := &fakeClient{takes: time.Second}, &crowds{}
				r := newTestRollout(t, f, Options{Workers: row.workers, PerLabel: row.limits, Labels: labels, MaxHeld: row.held,
					OnEvent: seen.event})
				begun := time.Now()
				report, err := r.Run(t.Context(), devices)
				require.NoError(t, err)
				n := len(slices.Collect(devices))
				require.Equal(t, n, report.Updated, "%v", report)
				require.Zero(t, report.Held)
				require.Zero(t, report.NotReached)
				// While no more devices can be held, others are taken from the sequence as held
				// ones begin.
				require.LessOrEqual(t, time.Since(begun), row.takes)
				if row.held == 0 {
					require.GreaterOrEqual(t, time.Since(begun).Round(time.Second), cmp.Or(row.least, row.takes))
				}
				for site, most := range row.most {
					require.LessOrEqual(t, seen.most[site], most, site)
				}
			})
		})
	}
}

// TestRolloutPerLabelWithASlowEvent checks that a device's slot becomes free only once OnEvent has
// returned for its end, however long that takes. The devices that wait for the slot are still
// reached, though none is under way meanwhile.
func TestRolloutPerLabelWithASlowEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		devices, labels := sites(t, "a*5")
		f := &fakeClient{takes: time.Second}
		r := newTestRollout(t, f, Options{PerLabel: map[string]int{"site": 1}, Labels: labels, OnEvent: func(e Event) {
			if e.Kind == DeviceUpdated {
				time.Sleep(time.Millisecond)
			}
		}})
		report, err := r.Run(t.Context(), devices)
		require.NoError(t, err)
		require.Equal(t, 5, report.Updated, "%v", report)
		require.Zero(t, report.NotReached)
	})
}

// TestRolloutPerLabelWhoseDevicesFail checks that a failure, and a device without an update, free a
// slot as a success does. An abort and a cancel release what is held back.
func TestRolloutPerLabelWhoseDevicesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		devices, labels := sites(t, "a*10")
		f := &fakeClient{takes: time.Second, fails: func(delivery.Device) delivery.Class { return delivery.ClassPermanent }}
		r := newTestRollout(t, f, Options{PerLabel: map[string]int{"site": 1}, Labels: labels})
		report, err := r.Run(t.Context(), devices)
		require.NoError(t, err)
		require.Equal(t, 10, report.Failed[delivery.ClassPermanent])

		f = &fakeClient{takes: time.Second, fails: func(delivery.Device) delivery.Class { return delivery.ClassPermanent }}
		r = newTestRollout(t, f, Options{PerLabel: map[string]int{"site": 1}, Labels: labels, AbortShare: 0.5, AbortLeast: 3})
		report, err = r.Run(t.Context(), devices)
		aborted, ok := errors.AsType[*AbortError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, 3, aborted.Finished)
		require.Equal(t, 7, report.NotReached)
		require.Zero(t, report.Held)

		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		f = &fakeClient{takes: time.Minute}
		r = newTestRollout(t, f, Options{PerLabel: map[string]int{"site": 1}, Labels: labels})
		go func() {
			time.Sleep(30 * time.Second)
			if p := r.Progress(); p.Held != 9 || p.UnderWay != 1 {
				t.Errorf("%+v", p)
			}
		}()
		report, err = r.Run(ctx, devices)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 1, report.Updated)
		require.Equal(t, 1, report.Interrupted)
		require.Equal(t, 8, report.NotReached)
	})
}

// daily is a window from one hour of each day to another, in UTC.
func daily(from, to int) func(delivery.Device, time.Time) (bool, time.Time) {
	return func(_ delivery.Device, at time.Time) (bool, time.Time) {
		at = at.UTC()
		if at.Hour() >= from && at.Hour() < to {
			return true, time.Time{}
		}
		opens := time.Date(at.Year(), at.Month(), at.Day(), from, 0, 0, 0, time.UTC)
		if !opens.After(at) {
			opens = opens.AddDate(0, 0, 1)
		}
		return false, opens
	}
}

// TestRolloutWindow checks that no device begins outside its window, whatever it waited for, and
// that the devices of other windows go on meanwhile. The fake clock begins at midnight.
func TestRolloutWindow(t *testing.T) {
	byWindow := func(d delivery.Device, at time.Time) (bool, time.Time) {
		switch d.ID[0] {
		case 'm':
			return daily(2, 4)(d, at)
		case 'e':
			return daily(22, 24)(d, at)
		case 'n':
			return false, time.Time{} // never
		default:
			return true, time.Time{}
		}
	}
	hours := func(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }
	for name, row := range map[string]struct {
		fleet string
		cfg   Options
		takes time.Duration
		begun map[string][]time.Duration // by site, since the start
		left  int
	}{
		"each at its time": {"e*2 m*2 x*2", Options{Workers: 4}, hours(0.1), map[string][]time.Duration{
			"e": {hours(22), hours(22)}, "m": {hours(2), hours(2)}, "x": {0, 0}}, 0},
		"what the workers don't manage is for the next day": {"m*4", Options{Workers: 1}, hours(1.5),
			map[string][]time.Duration{
				"m": {hours(2), hours(3.5), hours(26), hours(27.5)}}, 0},
		"nor what the site's limit doesn't": {"m*4 x*1", Options{Workers: 4, PerLabel: map[string]int{"site": 1}},
			hours(1.5), map[string][]time.Duration{
				"m": {hours(2), hours(3.5), hours(26), hours(27.5)}, "x": {0}}, 0},
		"nor what the rate doesn't": {"m*3", Options{Workers: 4, PerSecond: 1 / 4500.}, hours(0.1),
			map[string][]time.Duration{
				"m": {hours(2), hours(3.25), hours(26)}}, 0},
		"never": {"n*3 x*1", Options{Workers: 2}, hours(0.1), map[string][]time.Duration{"x": {0}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				devices, labels := sites(t, row.fleet)
				f := &fakeClient{takes: row.takes}
				cfg := row.cfg
				cfg.Window, cfg.Labels = byWindow, labels
				begun := time.Now()
				require.Zero(t, begun.UTC().Hour())
				report, err := newTestRollout(t, f, cfg).Run(t.Context(), devices)
				require.NoError(t, err)
				require.Equal(t, row.left, report.NotReached)
				require.Zero(t, report.Failed.Total())
				got := map[string][]time.Duration{}
				for i, name := range f.begun {
					site, _, _ := strings.Cut(name, "-")
					got[site] = append(got[site], f.at[i].Sub(begun))
				}
				require.Equal(t, row.begun, got)
			})
		})
	}
	t.Run("a pause that outlasts the window", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			devices, _ := sites(t, "m*2")
			f := &fakeClient{takes: time.Minute}
			r := newTestRollout(t, f, Options{Workers: 1, Window: byWindow})
			begun := time.Now()
			go func() {
				time.Sleep(hours(1))
				r.Pause()
				time.Sleep(hours(5))
				r.Resume()
			}()
			report, err := r.Run(t.Context(), devices)
			require.NoError(t, err)
			require.Equal(t, 2, report.Updated)
			for _, at := range f.at {
				require.GreaterOrEqual(t, at.Sub(begun), hours(26))
				require.Less(t, at.Sub(begun), hours(28))
			}
		})
	})
}

// TestRolloutFurtherTurnsKeepToTheLine checks that the further turn of a failed device keeps to its
// window and to the limit of its label. If its window doesn't open again, the device fails with the
// error of its last turn.
func TestRolloutFurtherTurnsKeepToTheLine(t *testing.T) {
	hours := func(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }
	for name, row := range map[string]struct {
		window func(delivery.Device, time.Time) (bool, time.Time)
		takes  time.Duration
		want   []time.Duration // when turns begin, since the start
		failed int
		left   int
	}{
		"in the same window": {daily(2, 4), time.Minute,
			[]time.Duration{hours(2), hours(2) + time.Minute, hours(2) + 2*time.Minute, hours(2) + 3*time.Minute}, 0, 0},
		"in the next": {daily(2, 3), hours(0.75), []time.Duration{hours(2), hours(2.75), hours(26), hours(26.75)}, 0, 0},
		"never again": {func(_ delivery.Device, at time.Time) (bool, time.Time) {
			return at.UTC().Hour() == 0, time.Time{}
		}, hours(0.75), []time.Duration{0, hours(0.75)}, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				devices, labels := sites(t, "m*2")
				f := &fakeClient{takes: row.takes, fails: func(delivery.Device) delivery.Class { return delivery.ClassTimeout }}
				f.onPush = func(n int) { // f.mu isn't held; only the first two turns fail
					if n > 2 {
						f.mu.Lock()
						f.fails = nil
						f.mu.Unlock()
					}
				}
				r := newTestRollout(t, f, Options{Requeue: Requeue{Turns: 2}, Window: row.window,
					PerLabel: map[string]int{"site": 1}, Labels: labels})
				begun := time.Now()
				report, err := r.Run(t.Context(), devices)
				require.NoError(t, err)
				var at []time.Duration
				for _, moment := range f.at {
					at = append(at, moment.Sub(begun))
				}
				require.Equal(t, row.want, at)
				require.Equal(t, []int{2 - row.failed, row.failed, row.left, 0, 0},
					[]int{report.Updated, report.Failed[delivery.ClassTimeout], report.NotReached, report.Waiting, report.Held})
			})
		})
	}
}

func TestRolloutLineConfig(t *testing.T) {
	labels := func(delivery.Device) map[string]string { return nil }
	for want, cfg := range map[string]Options{
		"": {PerLabel: map[string]int{"site": 1}, Labels: labels,
			BytesPerSecond: 1 << 20, MaxHeld: 7},
		"per label: want Labels too":           {PerLabel: map[string]int{"site": 1}},
		`per label: "site": 0: want 1 to 6553`: {PerLabel: map[string]int{"site": 0}, Labels: labels},
		"max held -1: want 0 (the default) to": {MaxHeld: -1},
		"bytes per second 1023: want 0":        {BytesPerSecond: 1023},
		"bytes per second -1: want 0 (no":      {BytesPerSecond: -1},
	} {
		err := cfg.Validate()
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}
