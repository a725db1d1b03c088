package rollout

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

// versionedClient is a fakeClient that records which update each device was given.
type versionedClient struct {
	fakeClient
	gave sync.Map // device to version
}

func (f *versionedClient) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	f.gave.Store(d.ID, u.Version())
	return f.fakeClient.Deliver(ctx, d, u)
}

func (f *versionedClient) Check(context.Context, delivery.Device, *delivery.Update,
	delivery.CheckOptions) (delivery.Report, error) {
	return delivery.Report{Verifies: 1}, &delivery.Error{Op: delivery.OpVerify, Class: delivery.ClassIntegrity,
		Err: delivery.ErrLacksUpdate}
}

func (f *versionedClient) all() map[string]string {
	all := map[string]string{}
	f.gave.Range(func(k, v any) bool {
		all[k.(string)] = v.(string)
		return true
	})
	return all
}

// TestRolloutUpdateFor checks that each device gets its own update. A resumed rollout leaves out
// what is done, by device and update: a device that is done with one artifact isn't done with
// another.
func TestRolloutUpdateFor(t *testing.T) {
	own := newUpdate(t, "2.0.0", []byte("x"))
	armv7, armv8, rebuilt := newUpdate(t, "2.0.0-armv7", []byte("7")), newUpdate(t, "2.0.0-armv8",
		[]byte("8")), newUpdate(t, "2.0.0-armv8", []byte("8, rebuilt"))
	no := errors.New("no artifact for this hardware")
	devices := slices.Values([]delivery.Device{{ID: "a7-1"}, {ID: "a8-1"}, {ID: "x-1"}, {ID: "odd-1"}, {ID: "a8-2"},
		{ID: "a8-1"}})
	by := func(eight *delivery.Update) func(delivery.Device) (*delivery.Update, error) {
		return func(d delivery.Device) (*delivery.Update, error) {
			switch kind, _, _ := strings.Cut(d.ID, "-"); kind {
			case "a7":
				return armv7, nil
			case "a8":
				return eight, nil
			case "odd":
				return nil, no
			default:
				return nil, nil
			}
		}
	}
	for name, update := range map[string]*delivery.Update{"with an update of its own": own, "by device alone": nil} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			run := func(updateFor func(delivery.Device) (*delivery.Update, error)) (map[string]string, Report, []error) {
				var failures []error
				f := &versionedClient{}
				cfg := Options{Workers: 2, UpdateFor: updateFor, Journal: Journal{Path: path}, OnEvent: func(e Event) {
					if e.Err != nil {
						failures = append(failures, e.Err)
					} else if e.Kind == DeviceUpdated && e.Update.Version() != f.all()[e.Device.ID] {
						failures = append(failures, errors.New("the event has another update"))
					}
				}}
				r := newRollout(f, update, cfg)
				report, err := r.Run(t.Context(), devices)
				require.NoError(t, err)
				return f.all(), report, failures
			}
			want := map[string]string{"a7-1": "2.0.0-armv7", "a8-1": "2.0.0-armv8", "a8-2": "2.0.0-armv8"}
			failed := 2
			if update != nil {
				want["x-1"], failed = "2.0.0", 1
			}
			gave, report, failures := run(by(armv8))
			require.Equal(t, want, gave)
			require.Len(t, failures, failed)
			require.True(t, slices.ContainsFunc(failures, func(err error) bool { return errors.Is(err, no) }))
			require.Equal(t, failed, report.Failed[delivery.ClassPermanent])
			require.Equal(t, 1, report.Duplicates)

			gave, report, _ = run(by(armv8)) // nothing is left to do
			require.Empty(t, gave)
			require.Equal(t, len(want), report.DoneBefore)
			require.True(t, report.Resumed)

			gave, report, _ = run(by(rebuilt)) // the other devices are done with the update that they have
			require.Equal(t, map[string]string{"a8-1": "2.0.0-armv8", "a8-2": "2.0.0-armv8"}, gave)
			require.Equal(t, len(want)-2, report.DoneBefore)

			gave, _, _ = run(by(rebuilt))
			require.Empty(t, gave)
			gave, _, _ = run(by(armv8)) // the journal keeps it so
			require.Empty(t, gave)

			text, err := os.ReadFile(path)
			require.NoError(t, err)
			for line := range strings.Lines(string(text)) {
				if strings.Contains(line, `"name":"a8-1"`) {
					require.True(t, strings.Contains(line, strings.Trim(armv8.IdempotencyKey(), `"`)) || strings.Contains(line,
						strings.Trim(rebuilt.IdempotencyKey(), `"`)), line)
				}
				if strings.Contains(line, `"name":"x-1"`) {
					require.NotContains(t, line, `"update"`)
				}
			}
			if update != nil { // without UpdateFor, every device has the rollout's own update
				gave, report, _ = run(nil)
				require.Equal(t, 1, report.DoneBefore)
				require.Equal(t, map[string]string{"a7-1": "2.0.0", "a8-1": "2.0.0", "a8-2": "2.0.0", "odd-1": "2.0.0"}, gave)
			}
		})
	}
	_, err := New(newClient(t, delivery.Config{}), nil, Options{})
	require.ErrorIs(t, err, errNoUpdate)
	_, err = New(newClient(t, delivery.Config{}), nil, Options{UpdateFor: by(armv8)})
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		asked := 0 // once for each device, though there are several waves
		cfg := Options{Waves: []Wave{{Share: 0.3}, {Share: 1}}, UpdateFor: func(delivery.Device) (*delivery.Update, error) {
			asked++
			return armv7, nil
		}}
		report, err := newTestRollout(t, &fakeClient{takes: time.Second}, cfg).Run(t.Context(), tills(100))
		require.NoError(t, err)
		require.Equal(t, 100, report.Updated)
		require.Equal(t, 100, asked)
	})
}
