package runner

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A seed must always stand for the same run, so what is drawn from it must not change. The numbers
// here were computed with another implementation of PCG-DXSM (O'Neill, "PCG: A Family of Simple
// Fast Space-Efficient Statistically Good Algorithms for Random Number Generation", 2014), which
// agrees with the reference output that math/rand/v2 is tested against.

// TestRepetitionsDrawFromStreamsOfTheirOwn checks that timed repetition n draws from stream 4n of
// the scenario's seed, a warm-up from the next stream, and a profiled repetition from the one after
// that.
func TestRepetitionsDrawFromStreamsOfTheirOwn(t *testing.T) {
	s := &Session{spec: scenarios.Spec{Seed: 7}}
	for rep, want := range map[Repetition]uint64{
		{Phase: Timed, Number: 1}:    0xc2c7a14f0f94a112,
		{Phase: Timed, Number: 2}:    0x8348e0b158e099ec,
		{Phase: Timed, Number: 10}:   0xc75c824039c9615b,
		{Phase: WarmUp, Number: 1}:   0xfca7bac57f93ee6c,
		{Phase: Profiled, Number: 1}: 0xb764d60fc2973cbe,
		{Phase: Profiled, Number: 2}: 0x36962b9f4656a1fa,
	} {
		require.Equal(t, want, s.repetitionSeed(rep), "%s %d", rep.Phase, rep.Number)
	}
}

// TestPoissonArrivalsDrawFromAStreamOfTheirOwn checks that arrivals have their own stream, whose
// number is the eight bytes "\0poisson".
func TestPoissonArrivalsDrawFromAStreamOfTheirOwn(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 0x00_70_6f_69_73_73_6f_6e))
	n, sum := 0, 0.0
	for at := range pacerOf(scenarios.LoadSpec{Model: scenarios.Poisson, Rate: 100}).Arrivals(7) {
		sum += random.ExpFloat64() / 100 // seconds
		require.InDelta(t, sum, at.Seconds(), 2e-9)
		if n++; n == 100 {
			break
		}
	}
}

// TestJitterIsDrawnByRepetition checks that jitter is drawn from stream n of the seed,
// independently of earlier repetitions. The first draws of streams 1 to 3 of this seed are 0.9315,
// 0.0513 and 0.5871, so the first waits, of at most 500 ms, last 465, 25 and 293 ms.
func TestJitterIsDrawnByRepetition(t *testing.T) {
	s := small()
	s.Seed = 679
	s.Fleet.Devices, s.Load.Workers, s.Fleet.Behavior.FailFirst = 1, 1, 1
	s.Client.MaxAttempts, s.Client.RetryBase, s.Client.RetryCap = 2, scenarios.Duration(500*time.Millisecond), scenarios.Duration(500*time.Millisecond)
	s.Repetitions, s.Warmup, s.Profiled = 3, 0, 0
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	var took []time.Duration
	for _, r := range res.Records {
		if r.Op == "deliver" {
			ns, _ := r.Value(results.UnitMax)
			took = append(took, time.Duration(ns))
		}
	}
	require.Len(t, took, 3)
	for i, least := range []time.Duration{465 * time.Millisecond, 25 * time.Millisecond, 293 * time.Millisecond} {
		require.GreaterOrEqual(t, took[i], least)
	}
	require.Less(t, took[1], 293*time.Millisecond)
	require.Less(t, took[2], 465*time.Millisecond)
}
