package rollout

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// TestRolloutChecksBeforeAPush checks what follows from the question before a push, and when one is
// asked.
func TestRolloutChecksBeforeAPush(t *testing.T) {
	says := func(verifies int, waited time.Duration, class delivery.Class, cause error) (delivery.Report, error) {
		return delivery.Report{Verifies: verifies,
			Waited: waited}, &delivery.Error{Op: delivery.OpVerify, Class: class, Err: cause, RetryAfter: 3 * time.Second}
	}
	for name, row := range map[string]struct {
		check    func(delivery.Device) (delivery.Report, error)
		want     EventKind
		verifies int
		waited   time.Duration
	}{
		"has it": {func(delivery.Device) (delivery.Report, error) { return delivery.Report{Verifies: 1}, nil },
			DeviceHadIt, 1, 0},
		"lacks it": {nil, DeviceUpdated, 1, 0},
		"failed to before": {func(delivery.Device) (delivery.Report, error) {
			return says(1, 0, delivery.ClassIntegrity, delivery.ErrDeviceFailed)
		}, DeviceUpdated, 1, 0},
		"other content": {func(delivery.Device) (delivery.Report, error) {
			return says(1, 0, delivery.ClassIntegrity, delivery.ErrWrongDigest)
		}, DeviceFailed, 1, 0},
		"other device": {func(delivery.Device) (delivery.Report, error) {
			return says(1, 0, delivery.ClassIntegrity, delivery.ErrWrongDevice)
		}, DeviceFailed, 1, 0},
		"rolled back": {func(delivery.Device) (delivery.Report, error) {
			return says(1, 0, delivery.ClassIntegrity, fmt.Errorf("%w: %w", delivery.ErrRolledBack, delivery.ErrLacksUpdate))
		}, DeviceFailed, 1, 0},
		"installs, then has it": {func(delivery.Device) (delivery.Report, error) {
			return delivery.Report{Verifies: 4, Waited: 3 * time.Second}, nil
		}, DeviceHadIt, 4, 3 * time.Second},
		"installs, then lacks it": {func(delivery.Device) (delivery.Report, error) {
			return says(4, 3*time.Second, delivery.ClassIntegrity, delivery.ErrLacksUpdate)
		}, DeviceUpdated, 4, 3 * time.Second},
		"installs for ever": {func(delivery.Device) (delivery.Report, error) {
			return says(61, time.Minute, delivery.ClassPending, errInstalling)
		}, DeviceFailed, 61, time.Minute},
		"gone for good": {func(delivery.Device) (delivery.Report, error) {
			return says(61, time.Minute, delivery.ClassNotSent, errRefused)
		}, DeviceFailed, 61, time.Minute},
		"broke HTTP": {func(delivery.Device) (delivery.Report, error) {
			return says(4, time.Second, delivery.ClassProtocol, errRefused)
		}, DeviceFailed, 4, time.Second},
		"never answers": {func(delivery.Device) (delivery.Report, error) {
			return says(3, 6*time.Second, delivery.ClassTimeout, errRefused)
		}, DeviceFailed, 3, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeClient{says: row.check}
				var last Event
				r := newTestRollout(t, f, Options{SkipUpdated: true, OnEvent: func(e Event) { last = e }})
				report, err := r.Run(t.Context(), tills(1))
				require.NoError(t, err)
				require.Equal(t, row.want, last.Kind, "%v", last.Err)
				require.Equal(t, []delivery.CheckOptions{{}}, f.checks["till-0"], "it was not pushed to before")
				require.Equal(t, row.verifies+report.Pushes, report.Verifies)
				require.Equal(t, row.waited, last.Report.Waited)
				require.Equal(t, row.want == DeviceUpdated, len(f.begun) == 1)
			})
		})
	}
	f := &fakeClient{} // the context interrupts the check
	ctx, cancel := context.WithCancel(t.Context())
	f.says = func(delivery.Device) (delivery.Report, error) {
		cancel()
		return says(1, 0, delivery.ClassCanceled, context.Canceled)
	}
	report, err := newTestRollout(t, f, Options{SkipUpdated: true}).Run(ctx, tills(1))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, report.Interrupted)
	require.Empty(t, f.begun)
}

// TestRolloutWaitsForDevicesThatWereUnderWay checks that a device that the previous run was
// updating is waited for longer than others, because it may be rebooting.
func TestRolloutWaitsForDevicesThatWereUnderWay(t *testing.T) {
	for name, row := range map[string]struct {
		killed  int // runs that ended while it was under way
		waitFor bool
	}{
		"once":           {1, true},
		"was waited for": {2, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := Options{Workers: 1, Journal: Journal{Path: journalPath(t)}}
				for range row.killed {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
					defer cancel()
					_, err := newTestRollout(t, &fakeClient{takes: time.Second}, cfg).Run(ctx, tills(2))
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}

				f := &fakeClient{says: func(delivery.Device) (delivery.Report, error) {
					return delivery.Report{Verifies: 1}, &delivery.Error{Op: delivery.OpVerify, Class: delivery.ClassNotSent,
						Err: errRefused}
				}}
				ends := map[string]EventKind{}
				cfg.OnEvent = func(e Event) { ends[e.Device.ID] = e.Kind }
				report, err := newTestRollout(t, f, cfg).Run(t.Context(), tills(2))
				require.NoError(t, err)
				require.Equal(t, JournalState{UnderWay: 1}, report.Journal)
				require.Equal(t, map[string][]delivery.CheckOptions{"till-0": {{MayBeRebooting: row.waitFor}}, "till-1": {{}}},
					f.checks)
				require.Equal(t, DeviceFailed, ends["till-0"])
				require.Equal(t, DeviceFailed, ends["till-1"])
				require.Empty(t, f.begun)
			})
		})
	}
}

// TestRolloutTellsCheckWhetherItPushed checks that a Check is told whether an earlier turn pushed
// to the device, which may have rebooted with the update meanwhile.
func TestRolloutTellsCheckWhetherItPushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{fails: func(delivery.Device) delivery.Class { return delivery.ClassTimeout }}
		_, err := newTestRollout(t, f, Options{Requeue: Requeue{Turns: 2}}).Run(t.Context(), tills(1))
		require.NoError(t, err)
		require.Equal(t, map[string][]delivery.CheckOptions{"till-0": {{Pushed: true}, {Pushed: true}}}, f.checks)

		f = &fakeClient{says: func(delivery.Device) (delivery.Report, error) {
			return delivery.Report{Verifies: 1}, &delivery.Error{Op: delivery.OpVerify, Class: delivery.ClassNotSent,
				Err: errRefused}
		}}
		_, err = newTestRollout(t, f, Options{SkipUpdated: true, Requeue: Requeue{Turns: 1}}).Run(t.Context(), tills(1))
		require.NoError(t, err)
		require.Equal(t, map[string][]delivery.CheckOptions{"till-0": {{}, {}}}, f.checks, "it was only asked")
	})
}

// TestRolloutQuarantinesWrongDevices checks that a device that runs other bytes under this version,
// or is another device, is left alone, whether a push or the question before it showed that.
func TestRolloutQuarantinesWrongDevices(t *testing.T) {
	for version, cause := range map[string]error{
		`{"device_id":"till-17","version":"2","state":"idle","digest":"00"}`: delivery.ErrWrongDigest,
		`{"device_id":"till-18","version":"2","state":"idle"}`:               delivery.ErrWrongDevice,
	} {
		overBothInABubble(t, func(t *testing.T, tr delivery.Transport) {
			f := &wireFleet{answer: func(string, int,
				*http.Request) string {
				return deliverytest.JSONAnswer("200 OK", version)
			}}
			c := f.client(t, tr)
			defer c.Close()
			var failed error
			report, err := Run(t.Context(), c, slices.Values([]delivery.Device{{ID: "till-17", Address: "http://till-17"}}),
				newUpdate(t, "2", []byte("x")),
				Options{SkipUpdated: true, OnEvent: func(e Event) {
					if e.Kind == DeviceFailed {
						failed = e.Err
					}
				}})
			require.NoError(t, err)
			require.ErrorIs(t, failed, cause)
			require.ErrorIs(t, failed, delivery.ErrQuarantined)
			require.Equal(t, []int{0, 1}, []int{report.Pushes, report.Verifies})
			require.Zero(t, f.pushes["till-17"])
		})
	}
}
