package rollout

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// hosts returns n devices of a wireFleet, d0 and so on.
func hosts(n int) iter.Seq[delivery.Device] {
	return func(yield func(delivery.Device) bool) {
		for i := range n {
			if !yield(delivery.Device{Address: fmt.Sprintf("http://d%d", i)}) {
				return
			}
		}
	}
}

// busyOnce answers a device's first push with 503 and the given header field, and behaves well
// afterwards.
func busyOnce(field string) func(string, int, *http.Request) string {
	busy := strings.Replace(deliverytest.JSONAnswer("503 Busy", "{}"), "\r\n", "\r\n"+field, 1)
	pushed := map[string]bool{}
	return func(host string, _ int, r *http.Request) string {
		switch {
		case r.Method == http.MethodPost && !pushed[host]:
			pushed[host] = true
			return busy
		case r.Method == http.MethodPost:
			pushed["has "+host] = true
		case !pushed["has "+host]:
			return deliverytest.JSONAnswer("200 OK", deliverytest.OldVersion)
		}
		return deliverytest.Good(r)
	}
}

// TestRolloutWaitsForItsRetryBudget has devices that each answer 503 once, with all defaults. The
// budget allows 10 retries a second and a fifth of the successes; no device fails because of it.
func TestRolloutWaitsForItsRetryBudget(t *testing.T) {
	overBothInABubble(t, func(t *testing.T, tr delivery.Transport) {
		f := &wireFleet{answer: busyOnce("")}
		c := f.client(t, tr)
		defer c.Close()
		began := time.Now()
		report, err := Run(t.Context(), c, hosts(1000), newUpdate(t, "2", []byte("x")), Options{})
		require.NoError(t, err)
		require.Equal(t, "1000 updated, 0 skipped, 0 failed, 0 not reached", report.String())
		require.Equal(t, 2000, report.Pushes)
		s := c.Stats()
		require.EqualValues(t, []uint64{1000, 0}, []uint64{s.Retries, s.RetriesRefused})

		// The budget allows so many retries in any 10 s. It forgets in slots of 1 s.
		var retries []time.Duration
		for _, at := range f.at {
			require.Len(t, at, 2)
			retries = append(retries, at[1].Sub(began))
		}
		for from := time.Duration(0); from < time.Since(began); from += time.Second {
			n := 0
			for _, at := range retries {
				if at >= from && at < from+9*time.Second {
					n++
				}
			}
			require.LessOrEqual(t, n, 100+1000/5, "from %v on", from)
		}
		require.Greater(t, time.Since(began), 30*time.Second, "(1000 - 300) / (10 a second and a fifth of that)")
		require.Less(t, time.Since(began), 2*time.Minute)
	})
}

// TestRolloutServesOthersWhileDevicesWait has 300 devices that wait for a retry, more than there
// are workers. The 200 healthy ones must not wait for them.
func TestRolloutServesOthersWhileDevicesWait(t *testing.T) {
	overBothInABubble(t, func(t *testing.T, tr delivery.Transport) {
		busy := busyOnce("")
		f := &wireFleet{answer: func(host string, n int, r *http.Request) string {
			if len(host) == 4 && host >= "d300" {
				return deliverytest.Good(r)
			}
			return busy(host, n, r)
		}}
		c := newClient(t, delivery.Config{Transport: tr, Dial: f.dial, Budget: delivery.RetryBudget{PerSecond: 1, Share: -1}})
		defer c.Close()
		began, most, waiting := time.Now(), 0, 0
		well := map[string]time.Duration{}
		cfg := Options{Workers: 8, OnEvent: func(e Event) {
			most, waiting = max(most, e.Progress.UnderWay), max(waiting, e.Progress.Waiting)
			if e.Kind == DeviceUpdated && e.Report.Pushes == 1 {
				well[e.Device.Address] = time.Since(began)
			}
		}}
		report, err := Run(t.Context(), c, hosts(500), newUpdate(t, "2", []byte("x")), cfg)
		require.NoError(t, err)
		require.Equal(t, 500, report.Updated)
		require.Len(t, well, 200)
		for address, at := range well {
			require.Less(t, at, time.Second, address)
		}
		require.LessOrEqual(t, most, 8)
		require.Greater(t, waiting, 250)
		require.GreaterOrEqual(t, time.Since(began), 289*time.Second, "290 retries, one a second")
	})
}

// TestRolloutHoldsABoundedNumberBack has more devices wait than may wait without a worker.
func TestRolloutHoldsABoundedNumberBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &wireFleet{answer: busyOnce("")}
		c := newClient(t, delivery.Config{Dial: f.dial, Budget: delivery.RetryBudget{PerSecond: 10, Share: -1}})
		defer c.Close()
		waiting := 0
		report, err := Run(t.Context(), c, hosts(maxResting+300), newUpdate(t, "2", []byte("x")), Options{
			OnEvent: func(e Event) { waiting = max(waiting, e.Progress.Waiting) },
		})
		require.NoError(t, err)
		require.Equal(t, maxResting+300, report.Updated)
		require.Equal(t, maxResting, waiting)
	})
}

// TestRolloutStopsThoseThatWaitForTheBudget checks that a rollout that ends doesn't wait for
// retries.
func TestRolloutStopsThoseThatWaitForTheBudget(t *testing.T) {
	overBothInABubble(t, func(t *testing.T, tr delivery.Transport) {
		u := newUpdate(t, "2", []byte("x"))
		config := delivery.Config{Transport: tr,
			Budget: delivery.RetryBudget{PerSecond: 1. / 3600, TTL: time.Hour, Share: -1}} // one an hour
		f := &wireFleet{answer: busyOnce("")}
		config.Dial = f.dial
		c := newClient(t, config)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		report, err := Run(ctx, c, hosts(30), u, Options{Workers: 4})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, []int{1, 29, 0, 0}, []int{report.Updated, report.Interrupted, report.Waiting, report.UnderWay})

		// Five devices are healthy and ten wait. The others refuse the update for good, which stops
		// the rollout.
		busy := busyOnce("")
		f = &wireFleet{answer: func(host string, n int, r *http.Request) string {
			switch i, _ := strconv.Atoi(host[1:]); {
			case i < 5:
				return deliverytest.Good(r)
			case i >= 15 && r.Method == http.MethodPost:
				return deliverytest.JSONAnswer("404 Not Found", "{}")
			}
			return busy(host, n, r)
		}}
		config.Dial = f.dial
		c = newClient(t, config)
		defer c.Close()
		began = time.Now()
		ends := map[delivery.Class]int{}
		report, err = Run(t.Context(), c, hosts(30), u, Options{AbortShare: 0.5, AbortLeast: 5, OnEvent: func(e Event) {
			if errors.Is(e.Err, delivery.ErrRetryBudget) {
				ends[delivery.ClassOf(e.Err)]++
			}
		}})
		require.ErrorContains(t, err, "devices failed")
		require.Zero(t, report.Waiting)
		require.Less(t, time.Since(began), time.Minute)
		require.Equal(t, map[delivery.Class]int{delivery.ClassThrottled: 9}, ends)
		require.Equal(t, 9, report.Failed[delivery.ClassThrottled])
	})
}

// TestABudgetThatNeverFillsIsNotWaitedFor checks that devices fail as they do outside of a rollout,
// and have their further turns.
func TestABudgetThatNeverFillsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &wireFleet{answer: busyOnce("")}
		c := newClient(t, delivery.Config{Dial: f.dial, Budget: delivery.RetryBudget{PerSecond: -1, Share: -1}})
		defer c.Close()
		began := time.Now()
		report, err := Run(t.Context(), c, hosts(10), newUpdate(t, "2", []byte("x")), Options{})
		require.NoError(t, err)
		require.Equal(t, 10, report.Updated)
		require.EqualValues(t, []uint64{0, 10}, []uint64{c.Stats().Retries, c.Stats().RetriesRefused})
		require.Equal(t, 20*time.Second, time.Since(began))
	})
}

// TestRolloutTriesFailedDevicesAgain has device d0 fail and d1 succeed, with one worker and all
// defaults. It checks what becomes of d0, and when it is pushed to.
func TestRolloutTriesFailedDevicesAgain(t *testing.T) {
	hour := time.Hour
	for name, row := range map[string]struct {
		refusesUntil time.Duration // connections
		first        string        // the answer to its first push; "" applies the update and closes
		status       string        // the answer to every push, instead of first
		afterFirst   time.Duration // how long it then refuses connections
		want         EventKind
		class        delivery.Class
		turns        []time.Duration // when it was begun, to the second
		pushes       int
	}{
		"well": {want: DeviceUpdated, turns: []time.Duration{0}, pushes: 1},
		"offline for half a minute": {refusesUntil: 30 * time.Second, want: DeviceUpdated,
			turns: []time.Duration{0, 20, 60}, pushes: 1},
		"offline for ten seconds": {refusesUntil: 10 * time.Second, want: DeviceUpdated, turns: []time.Duration{0, 20},
			pushes: 1},
		"offline for good": {refusesUntil: hour, want: DeviceFailed, class: delivery.ClassNotSent,
			turns: []time.Duration{0, 20, 60}},
		"throttled for ten minutes": {first: "503 Busy\r\nRetry-After: 600", want: DeviceUpdated,
			turns: []time.Duration{0, 600}, pushes: 2},
		"throttled for five seconds": {first: "503 Busy\r\nRetry-After: 5", want: DeviceUpdated, turns: []time.Duration{0},
			pushes: 2},
		"throttled for a day": {first: "429 Slow\r\nRetry-After: 86400", want: DeviceUpdated,
			turns: []time.Duration{0, 3600}, pushes: 2},
		"throttled for good": {status: "503 Busy", want: DeviceFailed, class: delivery.ClassThrottled,
			turns: []time.Duration{0, 20, 60}, pushes: 12},
		"refuses it": {status: "404 Not Found", want: DeviceFailed, class: delivery.ClassPermanent,
			turns: []time.Duration{0}, pushes: 1},
		"applies it, loses the answer and reboots for half a minute": {first: "applied", afterFirst: 30 * time.Second,
			want: DeviceUpdated, turns: []time.Duration{0, 20, 60}, pushes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			overBothInABubble(t, func(t *testing.T, tr delivery.Transport) {
				began, has := time.Now(), map[string]bool{}
				until := row.refusesUntil
				f := &wireFleet{}
				f.refuses = func(host string, _ int) bool { return host == "d0" && time.Since(began) < until }
				f.answer = func(host string, _ int, r *http.Request) string {
					switch post := r.Method == http.MethodPost; {
					case !post && has[host]:
						return deliverytest.Good(r)
					case !post:
						return deliverytest.JSONAnswer("200 OK", deliverytest.OldVersion)
					case host == "d0" && row.status != "":
						return deliverytest.JSONAnswer(row.status, "{}")
					case host == "d0" && f.pushes[host] == 1 && row.first == "applied":
						has[host], until = true, time.Since(began)+row.afterFirst
						return ""
					case host == "d0" && f.pushes[host] == 1 && row.first != "":
						return deliverytest.JSONAnswer(row.first, "{}")
					}
					has[host] = true
					return deliverytest.Good(r)
				}
				c := newClient(t, delivery.Config{Transport: tr, Dial: f.dial, Random: deliverytest.AlwaysZero{}})
				defer c.Close()
				var turns []time.Duration
				var kinds []EventKind
				var last Event
				var other time.Duration
				cfg := Options{Workers: 1, OnEvent: func(e Event) {
					switch {
					case e.Device.Address == "http://d1":
						other = time.Since(began)
					case e.Kind == DeviceBegun:
						turns = append(turns, time.Since(began)/time.Second)
					case e.Device.Address != "":
						kinds, last = append(kinds, e.Kind), e
						require.Equal(t, e.Kind == DeviceWaiting, !e.NotBefore.IsZero())
					}
				}}
				report, err := Run(t.Context(), c, hosts(2), newUpdate(t, "2", []byte("x")), cfg)
				require.NoError(t, err)
				require.Equal(t, row.want, last.Kind, "%v", last.Err)
				require.Equal(t, row.class, delivery.ClassOf(last.Err))
				require.Equal(t, row.turns, turns)
				require.Len(t, kinds, len(turns), "an end each, of which only the last is one")
				for _, kind := range kinds[:len(kinds)-1] {
					require.Equal(t, DeviceWaiting, kind)
				}
				require.Equal(t, row.pushes, f.pushes["d0"])
				require.Less(t, other, 12*time.Second, "the other device doesn't wait for it")
				require.Equal(t, []int{0, 0, 0}, []int{report.Waiting, report.UnderWay, report.NotReached})
				require.Equal(t, 2, report.Updated+report.Failed.Total())
				require.Equal(t, report.Pushes-last.Report.Pushes, 1, "its report has all its turns")
			})
		})
	}
}

// TestAWaveWaitsForItsDevices checks that a device that failed may be updated later in the wave,
// without stopping the rollout.
func TestAWaveWaitsForItsDevices(t *testing.T) {
	for name, row := range map[string]struct {
		healed  bool
		share   float64
		least   int
		aborted string
	}{
		"updated in the end": {healed: true, share: 0.05, least: 100},
		"failed in the end": {share: 0.05, least: 100,
			aborted: "wave 1 (50%): 5 of 10 devices failed (5 not-sent)"},
		"failed until updated, mid-wave": {healed: true, share: 0.05, least: 5, aborted: "devices failed"},
		"not judged":                     {share: 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				turns := map[string]int{}
				f := &fakeClient{takes: time.Second}
				// Those that fail are the first five that are begun.
				f.fails = func(d delivery.Device) delivery.Class {
					turns[d.ID]++
					if turns[d.ID] == 1 && len(turns) > 5 || turns[d.ID] > 1 && row.healed {
						return delivery.ClassUnknown
					}
					return delivery.ClassNotSent
				}
				var second time.Duration
				cfg := Options{
					Workers: 1, Waves: []Wave{{Share: 0.5}, {Share: 1}}, AbortShare: row.share, AbortLeast: row.least,
					Requeue: Requeue{Turns: 1},
					OnEvent: func(e Event) {
						if e.Kind == WaveBegun && e.Progress.Wave == 2 {
							second = time.Since(began)
						}
					},
				}
				report, err := newTestRollout(t, f, cfg).Run(t.Context(), tills(20))
				require.Zero(t, report.Waiting)
				if row.aborted != "" {
					require.ErrorContains(t, err, row.aborted)
					require.Zero(t, second)
					require.Equal(t, 5, report.Failed[delivery.ClassNotSent])
					return
				}
				require.NoError(t, err)
				require.GreaterOrEqual(t, second, 21*time.Second)
				require.Equal(t, 20, report.Updated+report.Failed.Total())
				require.Equal(t, row.healed, report.Failed.Total() == 0)
			})
		})
	}
}

// TestDevicesThatAskForAPauseDoNotStopARollout checks that such devices don't count as failures
// until they fail for good.
func TestDevicesThatAskForAPauseDoNotStopARollout(t *testing.T) {
	overBothInABubble(t, func(t *testing.T, tr delivery.Transport) {
		f := &wireFleet{answer: busyOnce("Retry-After: 900\r\n")}
		c := f.client(t, tr)
		defer c.Close()
		began := time.Now()
		report, err := Run(t.Context(), c, hosts(100), newUpdate(t, "2", []byte("x")), Options{AbortShare: 0.05})
		require.NoError(t, err)
		require.Equal(t, []int{100, 200}, []int{report.Updated, report.Pushes})
		require.Less(t, time.Since(began), 16*time.Minute)
		for host, at := range f.at {
			require.GreaterOrEqual(t, at[1].Sub(at[0]), 15*time.Minute, host)
		}
	})
}

func TestRequeueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{fails: func(delivery.Device) delivery.Class { return delivery.ClassTimeout }}
		most := 0
		cfg := Options{Workers: 3, Requeue: Requeue{Turns: 1, Devices: 4},
			OnEvent: func(e Event) { most = max(most, e.Progress.Waiting) }}
		report, err := newTestRollout(t, f, cfg).Run(t.Context(), tills(10))
		require.NoError(t, err)
		require.Equal(t, []int{10, 4, 14}, []int{report.Failed.Total(), most, len(f.begun)})
	})
}

func TestRequeueWaits(t *testing.T) {
	q := Requeue{}.withDefaults()
	for _, row := range []struct {
		turns       int
		asked, want time.Duration
	}{
		{0, 0, 20 * time.Second}, {1, 0, 40 * time.Second}, {0, time.Second, 20 * time.Second},
		{0, 10 * time.Minute, 10 * time.Minute},
		{3, 0, 160 * time.Second}, {900, 0, time.Hour}, {0, 24 * time.Hour, time.Hour},
	} {
		require.Equal(t, row.want, q.wait(row.turns, row.asked), "%+v", row)
	}
	for want, q := range map[string]Requeue{
		"requeue turns -2: want -1 (none), 0 (the default) to 1000": {Turns: -2},
		"requeue devices 1048577: want":                             {Devices: 1<<20 + 1},
		"requeue after -1ns: want":                                  {After: -1},
		"requeue max wait 24h0m0.000000001s: want":                  {MaxWait: 24*time.Hour + 1},
	} {
		require.ErrorContains(t, Options{Requeue: q}.Validate(), "rollout: "+want)
	}
}

// TestPausedRolloutHoldsTurnsBack checks that a Pause holds back further turns as well.
func TestPausedRolloutHoldsTurnsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := &fakeClient{fails: func(delivery.Device) delivery.Class { return delivery.ClassTimeout }}
		r := newTestRollout(t, f, Options{Requeue: Requeue{Turns: 1}})
		time.AfterFunc(time.Second, r.Pause)
		time.AfterFunc(time.Hour, r.Resume)
		_, err := r.Run(t.Context(), tills(1))
		require.NoError(t, err)
		require.Equal(t, []time.Duration{0, time.Hour}, []time.Duration{f.at[0].Sub(began), f.at[1].Sub(began)})
	})
}

// TestRolloutKeepsPausesInItsJournal kills a run while a device waits for the time that it asked
// for. The next run must wait for the rest of it.
func TestRolloutKeepsPausesInItsJournal(t *testing.T) {
	overBothInABubble(t, func(t *testing.T, tr delivery.Transport) {
		f := &wireFleet{answer: busyOnce("Retry-After: 600\r\n")}
		u, began := newUpdate(t, "2", []byte("x")), time.Now()
		cfg := Options{Journal: Journal{Path: journalPath(t)}}
		var report Report
		run := func(within time.Duration) (err error) {
			c := f.client(t, tr)
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			report, err = Run(ctx, c, hosts(3), u, cfg)
			return err
		}
		require.ErrorIs(t, run(time.Minute), context.DeadlineExceeded)
		require.Equal(t, 3, report.Failed[delivery.ClassThrottled])
		text, err := os.ReadFile(cfg.Journal.Path)
		require.NoError(t, err)
		// A reader that doesn't know not_before sees a device that failed.
		line := regexp.MustCompile(`"event":"failed","device":"[0-9a-f]{32}","name":"http://d[0-2]","class":"throttled","not_before":"2000-01-01T00:10:00.0\d\dZ"`)
		require.Len(t, line.FindAll(text, -1), 3, "%s", text)

		require.ErrorIs(t, run(time.Minute), context.DeadlineExceeded)
		require.Equal(t, []int{3, 0, 0}, []int{report.NotReached, report.Waiting, report.Pushes}, "not even begun")
		require.NoError(t, run(time.Hour))
		require.Equal(t, 3, report.Updated)
		for host, at := range f.at {
			require.Len(t, at, 2, host)
			require.GreaterOrEqual(t, at[1].Sub(at[0]), 10*time.Minute)
		}
		require.Less(t, time.Since(began), 11*time.Minute)
		require.NoError(t, run(time.Hour))
		require.Equal(t, 3, report.DoneBefore)
	})
}
