package runner

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestSlowIsToldHoweverItEnds: an operation beyond slow_trace is told whether it succeeded or failed,
// through the worker as through the client's own rollout, and one within it isn't.
func TestSlowIsToldHoweverItEnds(t *testing.T) {
	const took = 20 * time.Millisecond // at least: since it was planned
	device := delivery.Device{ID: "d0", Address: "127.0.0.1:1"}
	for name, row := range map[string]struct {
		most time.Duration
		err  error
		told bool
	}{
		"succeeded":     {took / 2, nil, true},
		"failed":        {took / 2, errors.New("gone"), true},
		"within":        {time.Hour, nil, false},
		"failed within": {time.Hour, errors.New("gone"), false},
	} {
		t.Run(name, func(t *testing.T) {
			slow := make(chan time.Duration, 1)
			spec := scenarios.LoadSpec{Operation: scenarios.Push, Workers: 1}
			l := &load{spec: spec, client: ending{row.err}, devices: listOf(1), claims: newClaims(1), failures: newFailures(leastLongest), start: time.Now()}
			watched := func(spec scenarios.LoadSpec) *recorder {
				r := newRecorder(spec, leastLongest)
				r.slow, r.tooSlow = row.most, slow
				l.recorders = []*recorder{r}
				return r
			}
			now := time.Since(l.start)
			l.do(t.Context(), watched(spec), 0, now-took, now)
			require.Equal(t, row.told, len(slow) == 1)

			for len(slow) > 0 {
				<-slow
			}
			e := delivery.RolloutEvent{Kind: delivery.DeviceUpdated, Device: device, Report: delivery.Report{Push: took}}
			if row.err != nil {
				e.Kind, e.Err = delivery.DeviceFailed, row.err
			}
			watched(scenarios.LoadSpec{Operation: scenarios.Deliver, Workers: 1})
			l.rolled(e, 0)
			require.Equal(t, row.told, len(slow) == 1)
		})
	}
}

// ending is a client whose operations end as it is told.
type ending struct{ err error }

func (e ending) Push(context.Context, delivery.Device, *delivery.Update) error   { return e.err }
func (e ending) Verify(context.Context, delivery.Device, *delivery.Update) error { return e.err }
func (e ending) Deliver(context.Context, delivery.Device, *delivery.Update) (delivery.Report, error) {
	return delivery.Report{}, e.err
}
