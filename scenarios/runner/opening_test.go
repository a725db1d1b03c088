package runner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestHungDevicesAreLeftAlone: what doesn't answer before the load holds nobody up.
func TestHungDevicesAreLeftAlone(t *testing.T) {
	s := small()
	s.Fleet.Devices, s.Repetitions, s.Warmup, s.Profiled = 40, 1, 0, 0
	s.Fleet.Groups = []behavior.Group{{Name: "hung", Share: 0.05, Behavior: behavior.Behavior{Faults: []fault.Fault{{Kind: "blackhole"}}}}}
	s.Client.AnswerTimeout = scenarios.Duration(time.Minute)
	s.Load = scenarios.LoadSpec{Model: scenarios.ConstantRate, Operation: delivery.OpPush, Rate: 10, Duration: scenarios.Duration(100 * time.Millisecond), Drain: scenarios.Duration(100 * time.Millisecond), Workers: 8}
	o, watch := options(t, s), &steps{}
	o.Observer = watch
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.NotEmpty(t, watch.prepared)
	require.Regexp(t, `^opening connections \d+/40$`, watch.prepared[0])
	require.NotEqual(t, "opening connections 40/40", watch.prepared[0])
	require.Contains(t, res.Run.Notes, "2 of 40 devices did not answer within 500ms before the load, so that their connections were opened in it")
}

// TestADeviceThatAnswersTheLoadIsForgiven: the machine may have been slow when its connection was opened.
func TestADeviceThatAnswersTheLoadIsForgiven(t *testing.T) {
	c, u := newClaims(3), unopened{devices: map[int]bool{0: true, 1: true, 2: true}}
	c.Succeed(1)
	c.Fail(2)
	u.dropResponsive(c)
	require.Equal(t, map[int]bool{0: true, 2: true}, u.devices)
}
