package opcost

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// These environment variables make this test's program act as the process of a fleet, or as the
// child that measures.
const (
	asFleet = "FLEETMARK_TEST_FLEET"
	asChild = "FLEETMARK_TEST_OPCOST"
)

func TestMain(m *testing.M) {
	if os.Getenv(asFleet) != "" {
		if err := target.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	runtime.MemProfileRate = 1
	if os.Getenv(asChild) != "" {
		if err := Serve(context.Background(), os.Stdin, os.Stdout, thisFleet()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func thisFleet() Fleet {
	return Fleet{Command: []string{"/usr/bin/env", "-u", asChild, asFleet + "=1", os.Args[0]}, Stderr: io.Discard}
}

func mustMeasure(t *testing.T, cfg Config) *Report {
	t.Helper()
	r, err := measure(t.Context(), cfg, thisFleet(), func(string) {})
	require.NoError(t, err)
	return r
}

// TestPhases checks that every variant has a time for the whole, and that no phase exceeds the
// whole's 99th percentile.
func TestPhases(t *testing.T) {
	r := mustMeasure(t, Config{Time: true, Operations: 50})
	require.Len(t, r.Phases, 8)
	for _, p := range r.Phases {
		require.Equal(t, 50, p.N)
		require.Positive(t, p.Whole, "%s", p.Variant)
		require.GreaterOrEqual(t, p.P99, p.Whole)
		for _, part := range []int64{p.Prepare, p.Connect, p.Write, p.Wait, p.Read} {
			require.GreaterOrEqual(t, part, int64(0))
			require.LessOrEqual(t, part, p.P99, "%s", p.Variant)
		}
	}
}

// TestAllocations checks that the parts add up to the profile, and that the profile adds up to what
// the runtime counted, except for objects that share a block. Hardly anything may belong to no
// component.
func TestAllocations(t *testing.T) {
	r := mustMeasure(t, Config{Allocations: true, Operations: 200, Components: DeliveryComponents()})
	require.Len(t, r.Allocations, 8)
	for _, a := range r.Allocations {
		var objects, bytes int64
		for _, c := range a.Profile.Components {
			objects, bytes = objects+c.Objects, bytes+c.Bytes
		}
		require.Equal(t, a.Profile.Objects, objects)
		require.Equal(t, a.Profile.Bytes, bytes)
		objectsLeft, bytesLeft := a.Unprofiled()
		require.GreaterOrEqual(t, objectsLeft, int64(0), "%s", a.Variant)
		require.InDelta(t, 0, bytesLeft, 0.02*float64(a.Bytes)+64<<10, "%s: %d bytes of %d", a.Variant, bytesLeft, a.Bytes)
		other := a.Profile.Components[len(a.Profile.Components)-1]
		require.Equal(t, "other", other.Name)
		require.LessOrEqual(t, float64(other.Bytes), 0.02*float64(a.Bytes)+64<<10, "%s: in no component", a.Variant)
		if a.NewConnection {
			require.Greater(t, a.Objects, int64(10*a.N), "%s: a new connection allocates", a.Variant)
		} else if a.Transport == delivery.Lean && !testenv.Raced {
			require.Less(t, a.Objects, int64(a.N), "%s: less than one object an operation", a.Variant)
		}
	}
}

func TestPushMemory(t *testing.T) {
	r := mustMeasure(t, Config{Streaming: true, Operations: 1, Sizes: []int64{1e6, 20e6}})
	require.Len(t, r.PushMemory, 2)
	for i, size := range []int64{1e6, 20e6} {
		m := r.PushMemory[i]
		require.Equal(t, size, m.Size)
		require.Positive(t, m.Nanos)
		require.GreaterOrEqual(t, m.Peak, m.PeakBefore)
		require.Less(t, m.Allocated, int64(8<<20))
	}
}

func TestMeasureRefuses(t *testing.T) {
	for want, cfg := range map[string]Config{
		"operations 0: want 1 to 10000":          {},
		"operations 10001: want 1 to 10000":      {Operations: MaxOperations + 1},
		"artifact of 0 bytes: want one at least": {Operations: 1, Sizes: []int64{0}},
	} {
		_, err := measure(t.Context(), cfg, Fleet{}, nil)
		require.EqualError(t, err, want)
	}
}

// TestPhasesOf compares with medians worked out by hand.
func TestPhasesOf(t *testing.T) {
	at := func(ns int64) time.Time { return time.Unix(1, ns) }
	v := Variant{Op: delivery.OpPush, Transport: delivery.Lean}
	line := func(slower int64) delivery.Timeline {
		return delivery.Timeline{Reused: true, Begun: at(0), Prepared: at(1 * slower), Ready: at(3 * slower),
			Written: at(6 * slower), Answered: at(10 * slower), Ended: at(15 * slower)}
	}
	p, err := phasesOf(v, []delivery.Timeline{line(1), line(10), line(100)})
	require.NoError(t, err)
	require.Equal(t, Phases{Variant: v, N: 3, Prepare: 10, Connect: 20, Write: 30, Wait: 40, Read: 50, Whole: 150,
		P99: 1500}, p)

	overtaken := line(1)
	overtaken.Written = at(12)
	p, err = phasesOf(v, []delivery.Timeline{overtaken})
	require.NoError(t, err)
	require.Equal(t, []int64{7, 0, 5}, []int64{p.Write, p.Wait, p.Read})

	fresh := line(1)
	fresh.Reused = false
	_, err = phasesOf(v, []delivery.Timeline{fresh})
	require.ErrorContains(t, err, "another connection")
	gap := line(1)
	gap.Answered = time.Time{}
	_, err = phasesOf(v, []delivery.Timeline{gap})
	require.ErrorContains(t, err, "gap")
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		values  []int64
		percent int
		want    int64
	}{{nil, 50, 0}, {[]int64{7}, 99, 7}, {[]int64{3, 1, 2}, 50, 2}, {[]int64{4, 3, 2, 1}, 50, 2},
		{[]int64{1, 2, 3, 4}, 99, 4}} {
		require.Equal(t, c.want, quantile(c.values, c.percent))
	}
}

func thisChild() []string { return []string{"/usr/bin/env", asChild + "=1", os.Args[0]} }

func TestRun(t *testing.T) {
	var steps []string
	r, err := Run(t.Context(), thisChild(), Config{Time: true, Streaming: true, Operations: 3, Sizes: []int64{2e6}},
		func(s string) { steps = append(steps, s) })
	require.NoError(t, err)
	require.Len(t, r.Phases, 8)
	require.Len(t, r.PushMemory, 1)
	require.Len(t, steps, 9)
	require.Equal(t, "memory of a push of 2 MB", steps[8])
}

func TestRun_fails(t *testing.T) {
	_, err := Run(t.Context(), thisChild(), Config{}, func(string) {})
	require.ErrorContains(t, err, "operations 0: want 1 to 10000")
	_, err = Run(t.Context(), []string{"/bin/sh", "-c", "read order; echo nonsense"}, Config{}, func(string) {})
	require.ErrorContains(t, err, "without a report")
	_, err = Run(t.Context(), []string{"/nowhere/at/all"}, Config{}, func(string) {})
	require.ErrorContains(t, err, "can't be started")
}

// TestRun_canceled checks that the child and its fleet end with the context.
func TestRun_canceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, thisChild(), Config{Time: true, Operations: MaxOperations}, func(string) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
}
