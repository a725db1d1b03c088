package load

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
	"github.com/fleetmark/fleetmark/results"
)

// rollsOut is a client whose rollout has the given events and error.
type rollsOut struct {
	nothing
	events []rollout.Event
	err    error
	saw    []delivery.Device
}

func (r *rollsOut) Rollout(_ context.Context, devices iter.Seq[delivery.Device], _ *delivery.Update,
	cfg rollout.Options) (rollout.Report, error) {
	r.saw = slices.Collect(devices)
	for _, e := range r.events {
		cfg.OnEvent(e)
	}
	return rollout.Report{}, r.err
}

// devices is a list of devices.
type devices []delivery.Device

func (d devices) Len() int                 { return len(d) }
func (d devices) At(i int) delivery.Device { return d[i] }

var three = devices{{ID: "a", Address: "http://a"}, {ID: "b", Address: "http://b"}, {ID: "c", Address: "http://c"}}

func TestRolloutRecordsItsEvents(t *testing.T) {
	event := func(kind rollout.EventKind, i int, report delivery.Report, err error) rollout.Event {
		return rollout.Event{Kind: kind, Device: three[i], Report: report, Err: err}
	}
	done := delivery.Report{Pushes: 2, Verifies: 1, Push: time.Second, Verify: 2 * time.Second, Waited: 3 * time.Second}
	client := &rollsOut{events: []rollout.Event{
		{Kind: rollout.WaveBegun},
		event(rollout.DeviceUpdated, 0, done, nil),
		event(rollout.DeviceFailed, 1, delivery.Report{Pushes: 1}, errors.New("no")),
		event(rollout.DeviceInterrupted, 2, delivery.Report{Pushes: 1}, context.Canceled),
	}}
	record := NewRecording(RecordingConfig{Op: delivery.OpDeliver, Devices: 3, Workers: 1})
	var heard []rollout.EventKind
	x := Rollout{Options: rollout.Options{OnEvent: func(e rollout.Event) { heard = append(heard, e.Kind) }}}
	result, err := x.Run(t.Context(), Env{Client: client, Op: delivery.OpDeliver, Devices: three, Record: record})
	require.NoError(t, err)
	require.Equal(t, []delivery.Device(three), client.saw)
	require.Equal(t, []rollout.EventKind{rollout.WaveBegun, rollout.DeviceUpdated, rollout.DeviceFailed,
		rollout.DeviceInterrupted}, heard)
	require.Equal(t, results.Operations{Started: 3, Succeeded: 1, Failed: 1, BrokenOff: 1, SucceededInPlan: 1,
		EndedInPlan: 2}, result.Operations)
	require.Equal(t, Totals{Succeeded: 1, Failed: 1, Retries: 1}, record.Totals())
	require.Equal(t, []Outcome{{Succeeded: 1, Pushes: 2, Verifies: 1}, {Failed: 1, Pushes: 1}, {BrokenOff: 1, Pushes: 1}},
		[]Outcome{record.Outcomes.Of(0), record.Outcomes.Of(1), record.Outcomes.Of(2)})
	l, lateness := record.Merge()
	require.Nil(t, lateness)
	require.Equal(t, []float64{1e9, 2e9, 6e9},
		[]float64{l[delivery.OpPush].Mean(), l[delivery.OpVerify].Mean(), l[delivery.OpDeliver].Mean()})
	require.EqualValues(t, 3, x.Expect(3).Operations)
}

// TestRolloutCountsRequestsOnce checks that the requests of a device with several attempts are
// those of its last report, which covers all attempts.
func TestRolloutCountsRequestsOnce(t *testing.T) {
	event := func(kind rollout.EventKind, i, pushes, verifies int) rollout.Event {
		e := rollout.Event{Kind: kind, Device: three[i], Report: delivery.Report{Pushes: pushes, Verifies: verifies}}
		if kind == rollout.DeviceWaiting || kind == rollout.DeviceFailed {
			e.Err = errors.New("no")
		}
		return e
	}
	client := &rollsOut{events: []rollout.Event{
		event(rollout.DeviceBegun, 0, 0, 0),
		event(rollout.DeviceWaiting, 0, 1, 0),
		event(rollout.DeviceBegun, 0, 0, 0),
		event(rollout.DeviceWaiting, 0, 2, 1),
		event(rollout.DeviceBegun, 0, 0, 0),
		event(rollout.DeviceUpdated, 0, 3, 3),
		event(rollout.DeviceWaiting, 1, 1, 1),
		event(rollout.DeviceFailed, 1, 1, 1), // the rollout stops, so there is no further attempt
		event(rollout.DeviceHadIt, 2, 0, 1),
	}}
	record := NewRecording(RecordingConfig{Op: delivery.OpDeliver, Devices: 3, Workers: 1})
	_, err := Rollout{}.Run(t.Context(), Env{Client: client, Op: delivery.OpDeliver, Devices: three, Record: record})
	require.NoError(t, err)
	require.Equal(t, []Outcome{{Succeeded: 1, Pushes: 3, Verifies: 3}, {Failed: 1, Pushes: 1, Verifies: 1}, {Verifies: 1}},
		[]Outcome{record.Outcomes.Of(0), record.Outcomes.Of(1), record.Outcomes.Of(2)})
	require.EqualValues(t, 4, record.Totals().Retries, "three pushes and three verifications, without the first of each")
}

// TestRolloutStops checks that a rollout that stops after too many failures is no error.
func TestRolloutStops(t *testing.T) {
	run := func(ctx context.Context, c Client) (Result, error) {
		return Rollout{}.Run(ctx, Env{Client: c, Op: delivery.OpDeliver, Devices: three,
			Record: NewRecording(RecordingConfig{Op: delivery.OpDeliver, Devices: 3, Workers: 1})})
	}
	abort := &rollout.AbortError{Number: 1, Finished: 3, Share: 0.5}
	result, err := run(t.Context(), &rollsOut{err: abort})
	require.NoError(t, err)
	require.ErrorIs(t, result.Stopped, abort)
	_, err = run(t.Context(), &rollsOut{err: errors.New("no journal")})
	require.EqualError(t, err, "no journal")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	result, err = run(over, &rollsOut{err: context.Canceled})
	require.NoError(t, err)
	require.NoError(t, result.Stopped)
	_, err = run(t.Context(), nothing{})
	require.EqualError(t, err, "the client has no rollout")
}
