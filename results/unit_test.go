package results

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUnits holds the table against its contract, written out by hand.
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
	require.Equal(t, strings.Fields("ns/op p50-ns/op p75-ns/op p90-ns/op p95-ns/op p99-ns/op p99.9-ns/op max-ns/op service-p99-ns/op ops/s limit-ops/s MB/s cpu-ns/op B/op allocs/op"+
		" requests/device wire-B/device retries/device failed/device failed/fleet updated/fleet reached/fleet stopped failed-p99-ns/op peak-rss-B"), names)
	require.Equal(t, strings.Fields("requests/device wire-B/device retries/device failed/device stopped"), exact)
	require.Equal(t, strings.Fields("ops/s limit-ops/s MB/s updated/fleet reached/fleet"), higher)
	require.Equal(t, strings.Fields("B/op allocs/op requests/device wire-B/device retries/device failed/device failed/fleet updated/fleet reached/fleet stopped"), portable)
	require.Equal(t, strings.Fields("ops/s limit-ops/s MB/s cpu-ns/op B/op allocs/op requests/device wire-B/device retries/device failed/device"+
		" failed/fleet updated/fleet reached/fleet stopped failed-p99-ns/op peak-rss-B"), whole)
	require.Equal(t, strings.Fields("ns/op p50-ns/op p75-ns/op p90-ns/op p95-ns/op p99-ns/op p99.9-ns/op max-ns/op service-p99-ns/op ops/s limit-ops/s MB/s cpu-ns/op"+
		" requests/device wire-B/device failed-p99-ns/op peak-rss-B"), neverZero)
	require.Equal(t, strings.Fields("p75-ns/op p95-ns/op max-ns/op"), shown)
	require.Equal(t, strings.Fields("failed/fleet updated/fleet reached/fleet stopped"), rollout)
	require.Equal(t, map[int]string{1: "ops/s", 2: "limit-ops/s", 3: "p50-ns/op", 4: "p99-ns/op", 5: "failed/device", 6: "failed/fleet"}, key)
	require.Equal(t, "unknown", UnitClass(0).String())
}

// Device counts are units, but no record holds one: a benchmark may report a metric with such a name.
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

// metricTable is the table of metrics that docs/running.md has.
func metricTable() []string {
	rows := []string{"| metric | better | tolerance | judged | what it is |", "|---|---|---|---|---|"}
	for _, u := range Units() {
		better, judged, tolerance := "lower", "on the same machine", fmt.Sprintf("%.0f%%", 100*u.Tolerance)
		if u.Better > 0 {
			better = "higher"
		}
		if u.Class.Portable() {
			judged = "on any machine"
		}
		if u.Slack > 0 {
			tolerance += " and " + FormatValue(u.Slack, u.Name)
		}
		if u.Exact {
			tolerance = "exact"
		}
		if !u.Judged() {
			tolerance, judged = "–", "never: shown"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s | %s |", u.Name, better, tolerance, judged, u.Doc))
	}
	return rows
}

// TestMetricTableInTheDocumentation: docs/running.md says of each metric what this package does with it.
func TestMetricTableInTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/running.md")
	require.NoError(t, err)
	require.Contains(t, string(text), "\n"+strings.Join(metricTable(), "\n")+"\n\n")
}

// TestSequentialMarginsInTheDocumentation: docs/gate.md names the tolerance of each metric that is tested when
// two sides take turns, and no other.
func TestSequentialMarginsInTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/gate.md")
	require.NoError(t, err)
	_, sentence, ok := strings.Cut(string(text), "\nTolerances are ")
	require.True(t, ok)
	sentence, _, _ = strings.Cut(sentence, "\n")
	documented := map[string]Margin{}
	for clause := range strings.SplitSeq(sentence, ", ") {
		var m Margin
		for _, number := range regexp.MustCompile(`([\d.]+)(%?)`).FindAllStringSubmatch(strings.Split(clause, "`")[0], -1) {
			v, err := strconv.ParseFloat(number[1], 64)
			require.NoError(t, err)
			if number[2] == "%" {
				m.Relative = v / 100
			} else {
				m.Slack = v
			}
		}
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(clause, -1) {
			documented[name[1]] = m
		}
	}
	tested := map[string]Margin{}
	for _, u := range Units() {
		if m := u.Sequential; !m.IsZero() && !u.Exact {
			m.Absolute = false
			tested[u.Name] = m
		}
	}
	require.Equal(t, tested, documented)
}
