package runner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestConnectionsAreWarmed checks that a load with a duration finds a connection for each worker,
// and that the ledger only contains the load.
func TestConnectionsAreWarmed(t *testing.T) {
	for _, transport := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
		for _, operation := range []delivery.Op{delivery.OpPush, delivery.OpVerify, delivery.OpDeliver} {
			t.Run(string(transport)+" "+string(operation), func(t *testing.T) {
				s := small()
				s.Fleet.Devices, s.Client.Transport = 1, transport
				s.Load.Operation, s.Load.Workers, s.Load.Duration = operation, 16, scenarios.Duration(20*time.Millisecond)
				r, err := begin(t.Context(), options(t, s))
				require.NoError(t, err)
				defer func() { require.NoError(t, r.close()) }()
				c, err := r.clients.open(t.Context(), 1)
				require.NoError(t, err)
				defer c.Client.Close()
				u, err := r.update(Timed, 1)
				require.NoError(t, err)

				work := task{Repetition: Repetition{Phase: Timed, Number: 1}, load: r.spec.Load}
				_, err = r.prepare(t.Context(), work, c, u)
				require.NoError(t, err)
				dials := c.stats().Dials
				require.GreaterOrEqual(t, dials, uint64(16))
				var verifies, pushes uint32
				for e, err := range r.claims.minusOffset(r.target.Witness().Ledger(t.Context())) {
					require.NoError(t, err)
					verifies, pushes = verifies+e.Verifies, pushes+e.Pushes
				}
				require.Equal(t, []uint32{0, 0}, []uint32{verifies, pushes})

				m, err := r.measure(t.Context(), work, c, r.newDrive(work, c.driven, u), snapshot{})
				require.NoError(t, err)
				require.Positive(t, m.Succeeded)
				require.Zero(t, m.traffic.Dials)
				require.Equal(t, dials, c.stats().Dials)
			})
		}
	}
}

// TestARolloutIsNotWarmed checks that connections are opened in the load if each device has one
// operation.
func TestARolloutIsNotWarmed(t *testing.T) {
	res, err := Run(t.Context(), options(t, small()))
	require.NoError(t, err)
	requests, _ := res.Records[2].Value("requests/device")
	require.Equal(t, 2.0, requests)
	require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
}

// TestHungDevicesAreLeftAlone checks that devices that don't answer before the load don't delay it.
func TestHungDevicesAreLeftAlone(t *testing.T) {
	s := small()
	s.Fleet.Devices, s.Repetitions, s.Warmup, s.Profiled = 40, 1, 0, 0
	s.Fleet.Groups = []behavior.Group{{Name: "hung", Share: 0.05,
		Behavior: behavior.Behavior{Faults: []fault.Fault{{Kind: "blackhole"}}}}}
	s.Client.AnswerTimeout = scenarios.Duration(time.Minute)
	s.Load = scenarios.LoadSpec{Model: scenarios.ConstantRate, Operation: delivery.OpPush, Rate: 10,
		Duration: scenarios.Duration(100 * time.Millisecond), Drain: scenarios.Duration(100 * time.Millisecond), Workers: 8}
	o, watch := options(t, s), &steps{}
	o.Observer = watch
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.NotEmpty(t, watch.prepared)
	require.Regexp(t, `^opening connections \d+/40$`, watch.prepared[0])
	require.NotEqual(t, "opening connections 40/40", watch.prepared[0])
	require.Contains(t, res.Run.Notes, "2 of 40 devices did not answer within 500ms before the load, so that their connections were opened in it")
}

// TestADeviceThatAnswersTheLoadIsForgiven checks that such a device is tried again before the next
// load, since the machine may have been slow.
func TestADeviceThatAnswersTheLoadIsForgiven(t *testing.T) {
	c, u := newClaims(3), unopened{devices: map[int]bool{0: true, 1: true, 2: true}}
	c.Succeed(1)
	c.Fail(2)
	u.dropResponsive(c)
	require.Equal(t, map[int]bool{0: true, 2: true}, u.devices)
}

// TestUnanswered checks that any answer of a device counts as an answer.
func TestUnanswered(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		want bool
	}{
		"it succeeded":              {nil, false},
		"no such page":              {&delivery.Error{Class: delivery.ClassPermanent, Status: 404}, false},
		"the device is busy":        {&delivery.Error{Class: delivery.ClassThrottled, Status: 503}, false},
		"another version":           {&delivery.Error{Class: delivery.ClassIntegrity}, false},
		"no connection":             {&delivery.Error{Class: delivery.ClassNotSent}, true},
		"no answer in time":         {&delivery.Error{Class: delivery.ClassTimeout}, true},
		"wrapped":                   {fmt.Errorf("verifying: %w", &delivery.Error{Class: delivery.ClassTimeout}), true},
		"another client's network":  {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		"another client's deadline": {fmt.Errorf("verifying: %w", context.DeadlineExceeded), true},
		"broken off":                {fmt.Errorf("verifying: %w", context.Canceled), true},
		"another client's answer":   {errors.New("the device runs version 1"), false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, row.want, unanswered(row.err)) })
	}
}

// TestEndWithin checks that the wait for requests that don't end is bounded.
func TestEndWithin(t *testing.T) {
	var all sync.WaitGroup
	require.True(t, endWithin(&all, time.Hour))
	release := make(chan struct{})
	all.Go(func() { <-release })
	require.False(t, endWithin(&all, time.Millisecond))
	close(release)
	require.True(t, endWithin(&all, time.Hour))
}
