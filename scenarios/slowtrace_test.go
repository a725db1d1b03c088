package scenarios

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

// TestSlowIsToldHoweverItEnds: an operation beyond slow_trace is told whether it succeeded or failed,
// through the worker as through the client's own rollout, and a quick one isn't.
func TestSlowIsToldHoweverItEnds(t *testing.T) {
	device := delivery.Device{ID: "d0", Address: "127.0.0.1:1"}
	for name, row := range map[string]struct {
		takes time.Duration
		err   error
		told  bool
	}{
		"succeeded":      {20 * time.Millisecond, nil, true},
		"failed":         {20 * time.Millisecond, errors.New("gone"), true},
		"quick":          {0, nil, false},
		"failed at once": {0, errors.New("gone"), false},
	} {
		t.Run(name, func(t *testing.T) {
			slow := make(chan time.Duration, 1)
			spec := LoadSpec{Operation: Push, Workers: 1}
			r := newRecorder(spec)
			r.slow, r.tooSlow = 10*time.Millisecond, slow
			l := &load{
				spec: spec, client: unhurried{row.takes, row.err}, devices: listOf(device),
				recorders: []*recorder{r}, claims: newClaims(1), failures: newFailures(), start: time.Now(),
			}
			now := time.Since(l.start)
			l.do(t.Context(), r, 0, now, now)
			require.Equal(t, row.told, len(slow) == 1)

			r.reset()
			r.slow, r.tooSlow = 10*time.Millisecond, slow
			for len(slow) > 0 {
				<-slow
			}
			e := delivery.RolloutEvent{Kind: delivery.DeviceUpdated, Device: device, Report: delivery.Report{Push: row.takes}}
			if row.err != nil {
				e.Kind, e.Err = delivery.DeviceFailed, row.err
			}
			deliver := newRecorder(LoadSpec{Operation: Deliver, Workers: 1})
			deliver.slow, deliver.tooSlow = 10*time.Millisecond, slow
			l.recorders = []*recorder{deliver}
			l.rolled(e, 0)
			require.Equal(t, row.told, len(slow) == 1)
		})
	}
}

// unhurried takes its time and ends as it is told to.
type unhurried struct {
	takes time.Duration
	err   error
}

func (s unhurried) Push(context.Context, delivery.Device, *delivery.Update) error {
	time.Sleep(s.takes)
	return s.err
}

func (s unhurried) Verify(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	return s.Push(ctx, d, u)
}

func (s unhurried) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	return delivery.Report{}, s.Push(ctx, d, u)
}
