package load

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
)

// hookFunc is a function that implements Hook.
type hookFunc func(planned, response time.Duration, succeeded bool)

func (f hookFunc) Operation(planned, response time.Duration, succeeded bool) {
	f(planned, response, succeeded)
}

// ending is a client whose pushes return the given error, or nil.
type ending struct {
	nothing
	err error
}

func (e ending) Push(context.Context, delivery.Device, *delivery.Update) error { return e.err }

// TestHooksHearOfEveryOperation checks that a hook is called for every operation, however it ended,
// both in workers and in the client's own rollout.
func TestHooksHearOfEveryOperation(t *testing.T) {
	for name, err := range map[string]error{"succeeded": nil, "failed": errors.New("gone")} {
		t.Run(name, func(t *testing.T) {
			var heard []time.Duration
			e := newEnv(ClosedLoop{Workers: 1}, delivery.OpPush, 1, ending{err: err})
			e.NewHook = func() Hook {
				return hookFunc(func(planned, response time.Duration, succeeded bool) {
					require.Equal(t, err == nil, succeeded)
					heard = append(heard, planned, response)
				})
			}
			l := newLoop(e, 0, 0, 0)
			l.begun = make([]bool, 1)
			const took = 20 * time.Millisecond // the least response time, counted from when it was planned
			l.start = time.Now().Add(-took)
			l.operate(t.Context(), e.Record.recorder(0), 0, time.Millisecond, took)
			require.Len(t, heard, 2)
			require.Equal(t, time.Millisecond, heard[0])
			require.GreaterOrEqual(t, heard[1], took-time.Millisecond)

			event := rollout.Event{Kind: rollout.DeviceUpdated, Device: three[0], Report: delivery.Report{Push: took}}
			if err != nil {
				event.Kind, event.Err = rollout.DeviceFailed, err
			}
			l.recordEvent(event, 0)
			require.Equal(t, []time.Duration{0, took}, heard[2:])

			e.Record.Reset()
			l.recordEvent(event, 0)
			require.Len(t, heard, 4, "hooks of an earlier load aren't called")
		})
	}
}
