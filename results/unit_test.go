package results

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUnits compares the table with lists written by hand.
func TestUnits(t *testing.T) {
	var names, exact, higher, portable, whole, rollout, neverZero, shown []string
	key := map[int]string{}
	for _, u := range Units() {
		names = append(names, u.Name)
		if u.Exact {
			exact = append(exact, u.Name)
			require.Zero(t, u.Tolerance, u.Name)
		} else {
			require.Greater(t, u.Tolerance, 0.0, u.Name)
			require.Less(t, u.Tolerance, 1.0, u.Name)
		}
		if u.Better > 0 {
			higher = append(higher, u.Name)
		} else {
			require.Equal(t, -1, u.Better, u.Name)
		}
		if u.Class.Portable() {
			portable = append(portable, u.Name)
		}
		if u.Scope != PerOperation {
			whole = append(whole, u.Name)
		}
		if u.Scope == WholeRollout {
			rollout = append(rollout, u.Name)
		}
		if u.KeyFigure > 0 {
			key[u.KeyFigure] = u.Name
		}
		if u.Exact {
			require.Equal(t, 0.05, u.InexactTolerance, u.Name)
		} else {
			require.Zero(t, u.InexactTolerance, u.Name)
		}
		require.Equal(t, u.Name == "failed-p99-ns/op", u.OfFailed, u.Name)
		if !u.MayBeZero {
			neverZero = append(neverZero, u.Name)
		}
		if u.ShownOnly {
			shown = append(shown, u.Name)
		}
		require.NotEmpty(t, u.Doc, u.Name)
		require.NotEqual(t, "unknown", u.Class.String(), u.Name)
	}
	require.Equal(t, strings.Fields("ns/op p50-ns/op p75-ns/op p90-ns/op p95-ns/op p99-ns/op p99.9-ns/op max-ns/op service-p99-ns/op"+
		" time-to-updated-p50-ns/op time-to-updated-p90-ns/op time-to-updated-p99-ns/op time-to-updated-max-ns/op rollout-ns devices-at-once"+
		" ops/s limit-ops/s MB/s cpu-ns/op B/op allocs/op"+
		" requests/device wire-B/device retries/device failed/device failed/fleet updated/fleet reached/fleet stopped failed-p99-ns/op peak-rss-B"), names)
	require.Equal(t, strings.Fields("requests/device wire-B/device retries/device failed/device stopped"), exact)
	require.Equal(t, strings.Fields("devices-at-once ops/s limit-ops/s MB/s updated/fleet reached/fleet"), higher)
	require.Equal(t, strings.Fields("B/op allocs/op requests/device wire-B/device retries/device failed/device failed/fleet updated/fleet reached/fleet stopped"), portable)
	require.Equal(t, strings.Fields("time-to-updated-p50-ns/op time-to-updated-p90-ns/op time-to-updated-p99-ns/op time-to-updated-max-ns/op"+
		" rollout-ns devices-at-once ops/s limit-ops/s MB/s cpu-ns/op B/op allocs/op requests/device wire-B/device retries/device failed/device"+
		" failed/fleet updated/fleet reached/fleet stopped failed-p99-ns/op peak-rss-B"), whole)
	require.Equal(t, strings.Fields("ns/op p50-ns/op p75-ns/op p90-ns/op p95-ns/op p99-ns/op p99.9-ns/op max-ns/op service-p99-ns/op"+
		" time-to-updated-p50-ns/op time-to-updated-p90-ns/op time-to-updated-p99-ns/op time-to-updated-max-ns/op rollout-ns devices-at-once"+
		" ops/s limit-ops/s MB/s cpu-ns/op requests/device wire-B/device failed-p99-ns/op peak-rss-B"), neverZero)
	require.Equal(t, strings.Fields("p75-ns/op p95-ns/op max-ns/op time-to-updated-max-ns/op devices-at-once"), shown)
	require.Equal(t, strings.Fields("failed/fleet updated/fleet reached/fleet stopped"), rollout)
	require.Equal(t, map[int]string{1: "ops/s", 2: "limit-ops/s", 3: "p50-ns/op", 4: "p99-ns/op", 5: "failed/device",
		6: "failed/fleet", 7: "time-to-updated-p50-ns/op", 8: "time-to-updated-p99-ns/op", 9: "rollout-ns"}, key)
	require.Equal(t, "unknown", UnitClass(0).String())
}

// TestDeviceCountUnit checks that device counts have units, but LookupUnit doesn't find them, since
// a benchmark may report a metric with such a name.
func TestDeviceCountUnit(t *testing.T) {
	for name, better := range map[string]int{"updated": +1, "failed": -1, "lost": -1, "applied_twice": -1} {
		u := DeviceCountUnit(name)
		require.Equal(t, name, u.Name)
		require.Equal(t, better, u.Better, name)
		require.True(t, u.Exact && u.Class.Portable(), name)
		_, ok := LookupUnit(name)
		require.False(t, ok, name)
		require.Equal(t, UnitOrder("widgets"), UnitOrder(name))
	}
}

func TestUnitsIsACopy(t *testing.T) {
	Units()[0].Name = "changed"
	require.Equal(t, "ns/op", Units()[0].Name)
}

func TestLookupUnit(t *testing.T) {
	for name, want := range map[string]string{
		"ns/op": "ns/op", "sec/op": "ns/op", "p99.9-sec/op": "p99.9-ns/op", "service-p99-sec/op": "service-p99-ns/op",
		"B/s": "MB/s", "B/op": "B/op", "cpu-sec/op": "cpu-ns/op", "peak-rss-B": "peak-rss-B",
	} {
		unit, ok := LookupUnit(name)
		require.True(t, ok, name)
		require.Equal(t, want, unit.Name)
	}
	for _, name := range []string{"", "ns", "p98-ns/op", "NS/OP"} {
		_, ok := LookupUnit(name)
		require.False(t, ok, name)
	}
}

// TestSequentialMargins compares the margins between two sides that take turns with values written
// by hand.
func TestSequentialMargins(t *testing.T) {
	tested := map[string]Margin{}
	for _, u := range Units() {
		if !u.Sequential.IsZero() {
			tested[u.Name] = u.Sequential
		}
	}
	timed, exact := func(by float64) Margin { return Margin{Relative: by} }, Margin{Relative: 0.05, Absolute: true}
	require.Equal(t, map[string]Margin{
		"ns/op": timed(0.04), "p99-ns/op": timed(0.10), "cpu-ns/op": timed(0.025), "peak-rss-B": timed(0.10),
		"time-to-updated-p50-ns/op": timed(0.05), "time-to-updated-p99-ns/op": timed(0.10), "rollout-ns": timed(0.05),
		"B/op": {Relative: 0.01, Slack: 8, Absolute: true}, "allocs/op": {Slack: 0.25, Absolute: true},
		"requests/device": exact, "wire-B/device": exact, "retries/device": exact, "failed/device": exact, "stopped": exact,
	}, tested)
}
