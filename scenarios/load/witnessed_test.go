package load

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

// TestWitnessedCountsWhatWasSeen records sightings of five devices by the times that they have, and
// checks that each is in the interval of its time.
func TestWitnessedCountsWhatWasSeen(t *testing.T) {
	const ms = time.Millisecond
	devices := someDevices(5)
	record := NewRecording(RecordingConfig{Op: delivery.OpDeliver, Devices: 5, Workers: 5})
	var seen []Interval
	w := Witnessed{Watch: func(_ context.Context, s *Sightings) error {
		s.Start(time.Now().Add(-time.Second))
		for i, at := range []time.Duration{5 * ms, 15 * ms, 15 * ms, 995 * ms} {
			s.Until(at)
			s.Began(i)
			s.Updated(i, at)
			s.Updated(i, 2*at) // changes nothing
		}
		s.Failed(4, time.Second, "left-out", "the service never contacted %s", "it")
		return nil
	}}
	require.Equal(t, Expectation{Operations: 5}, w.Expect(5))
	result, err := w.Run(t.Context(), Env{
		Op: delivery.OpDeliver, Devices: devices, Record: record,
		OnInterval: func(v *Interval) {
			seen = append(seen, *v)
		},
	})
	require.NoError(t, err)
	require.EqualValues(t, 5, result.Operations.Started)
	require.EqualValues(t, 4, result.Operations.Succeeded)
	require.EqualValues(t, 1, result.Operations.Failed)
	times, lateness := record.Merge()
	require.Nil(t, lateness)
	require.EqualValues(t, 4, times[delivery.OpDeliver].Count)
	require.InDelta(t, float64(257500*time.Microsecond), times[delivery.OpDeliver].Mean(), 1)
	require.InDelta(t, float64(995*ms), float64(times[delivery.OpDeliver].Response.Max()), float64(ms))

	var succeeded, failed int64
	at := map[time.Duration]int64{} // by the end of the interval
	for i, v := range seen {
		succeeded, failed = succeeded+v.Succeeded, failed+v.Failed
		if v.Succeeded > 0 {
			at[v.End] = v.Succeeded
		}
		require.Equal(t, i == len(seen)-1, v.Last)
		if i > 0 {
			require.Equal(t, seen[i-1].End, v.Start)
		}
	}
	require.EqualValues(t, 4, succeeded)
	require.EqualValues(t, 1, failed)
	require.EqualValues(t, 3, at[20*ms], "5 ms and 15 ms are before the end of the first 20 ms")
	failures := record.Failures.Sample()
	require.Len(t, failures, 1)
	require.Equal(t, "left-out", failures[0].Class)
	require.Equal(t, "the service never contacted it", failures[0].Error)
	require.Equal(t, 4, failures[0].Device)
}

func TestWitnessedIsInterrupted(t *testing.T) {
	record := NewRecording(RecordingConfig{Op: delivery.OpDeliver, Devices: 3, Workers: 3})
	ctx, cancel := context.WithCancel(t.Context())
	result, err := Witnessed{Watch: func(ctx context.Context, s *Sightings) error {
		s.Updated(0, time.Second)
		s.Began(1)
		cancel()
		return ctx.Err()
	}}.Run(ctx, Env{Op: delivery.OpDeliver, Devices: someDevices(3), Record: record})
	require.NoError(t, err)
	require.EqualValues(t, 1, result.Operations.Succeeded)
	require.EqualValues(t, 1, result.Operations.BrokenOff, "device 1 had begun")

	broken := errors.New("the fleet doesn't answer")
	record.Reset()
	_, err = Witnessed{Watch: func(context.Context, *Sightings) error { return broken }}.
		Run(t.Context(), Env{Op: delivery.OpDeliver, Devices: someDevices(3), Record: record})
	require.ErrorIs(t, err, broken)
}
