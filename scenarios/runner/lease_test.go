package runner

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// twice is a client that sends every request twice, and reports one.
type twice struct{ load.Client }

func (c twice) Push(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	if err := c.Client.Push(ctx, d, u); err != nil {
		return err
	}
	return c.Client.Push(ctx, d, u)
}

func (c twice) Verify(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	if err := c.Client.Verify(ctx, d, u); err != nil {
		return err
	}
	return c.Client.Verify(ctx, d, u)
}

func (c twice) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	if _, err := c.Client.Deliver(ctx, d, u); err != nil {
		return delivery.Report{}, err
	}
	return c.Client.Deliver(ctx, d, u)
}

// TestLedgerFindsAClientThatSendsTwice checks that a client that sends more than it reports is
// found, although every device counted the second request as a repeat.
func TestLedgerFindsAClientThatSendsTwice(t *testing.T) {
	for operation, says := range map[delivery.Op]string{
		delivery.OpPush:    "received 2 pushes, the client says that it sent 1",
		delivery.OpVerify:  "received 2 verifications, the client says that it sent 1",
		delivery.OpDeliver: "received 2 pushes, the client says that it sent 1",
	} {
		t.Run(string(operation), func(t *testing.T) {
			s := small()
			s.Repetitions, s.Warmup, s.Profiled, s.Load.Operation = 1, 0, 0, operation
			o := options(t, s)
			o.wrap = func(c load.Client) load.Client { return twice{c} }
			res, err := Run(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, results.Invalid, res.Run.Verdict)
			require.Contains(t, strings.Join(res.Run.Invalid, "\n"), says)
		})
	}
}

// outside starts a fleet as another user would, and returns the options that drive it.
func outside(t *testing.T, s *scenarios.Spec) (*mockfleet.Fleet, Options) {
	t.Helper()
	s.Fleet.Addressing = address.Path
	f, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	o := options(t, *s)
	at := f.Ready()
	o.Target.Address, o.Target.Control, o.Target.Token = at.Address, at.Control, at.Token
	return f, o
}

// TestSecondDriverIsRefused checks that only one run at a time can drive a fleet.
func TestSecondDriverIsRefused(t *testing.T) {
	s := small()
	_, o := outside(t, &s)
	second, late := o, o
	second.Out, late.Out = t.TempDir(), t.TempDir()
	var refused atomic.Value
	o.Observer = &atRepetition{phase: Timed, number: 1, do: func() {
		_, err := Run(t.Context(), second)
		refused.Store(err)
	}}
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
	err, _ = refused.Load().(error)
	require.ErrorAs(t, err, new(*scenarios.OptionError))
	require.Regexp(t, `^Target\.Address http://\S+: the fleet is driven by "a run of small, process \d+", whose lease lasts \d+s more unless it is renewed: `+
		`wait until the other driver has ended, or drive a fleet of your own$`, err.Error())

	res, err = Run(t.Context(), late)
	require.NoError(t, err, "the first run has given the lease back")
	require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
}

// verifiesFirst is a client that sends a verification before each push.
type verifiesFirst struct{ load.Client }

func (c verifiesFirst) Push(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	_ = c.Verify(ctx, d, u) // the error is that the device doesn't run the update yet
	return c.Client.Push(ctx, d, u)
}

// TestSession_sharesAFleet checks that two sessions can take turns at one fleet.
func TestSession_sharesAFleet(t *testing.T) {
	s := small()
	s.Load.Operation = delivery.OpPush
	_, o := outside(t, &s)
	var sides []*Session
	for range 2 {
		one, err := OpenSession(t.Context(), o)
		require.NoError(t, err)
		defer func() { require.NoError(t, one.Close()) }()
		sides = append(sides, one)
	}
	// One more request in the ledger is no contradiction if Wrap announced it.
	sides[1].Wrap(func(c load.Client) load.Client { return verifiesFirst{c} }, 1)
	for range 2 {
		for _, one := range sides {
			m, err := one.Repeat(t.Context(), s.Load, Timed, nil)
			require.NoError(t, err)
			require.Empty(t, m.Findings)
			require.Equal(t, results.Counts{Devices: 40, Updated: 40}, m.Counts)
		}
	}
}

// TestResetUnderARun checks that a run whose fleet was reset while it ran is invalid.
func TestResetUnderARun(t *testing.T) {
	s := small()
	f, o := outside(t, &s)
	o.Observer = &atRepetition{phase: Timed, number: 1, do: func() {}, end: f.Reset}
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results.Invalid, res.Run.Verdict)
	// On a busy machine, the run may be invalid for a second reason.
	require.Contains(t, res.Run.Invalid,
		"the fleet was reset while a repetition was under way: its ledger is of a part of it; have it driven by one run at a time")
	require.NotContains(t, strings.Join(res.Run.Invalid, "\n"), "contradicts", "an incomplete ledger isn't compared")
}
