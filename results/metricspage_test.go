package results

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/docpage"
)

// TestMetricsPage writes the tables of docs/reference/metrics.md from the table of units.
func TestMetricsPage(t *testing.T) {
	var meaning, judged, devices [][]string
	for _, u := range unitTable {
		better := "lower"
		if u.Better > 0 {
			better = "higher"
		}
		row := []string{"`" + u.Name + "`", measureOf(t, u), better, u.Doc}
		if u.Scope == DeviceCount {
			devices = append(devices, row)
			continue
		}
		meaning = append(meaning, row)
		judged = append(judged, judgedRow(u))
	}
	docpage.Check(t, "reference/metrics.md", "metrics",
		docpage.Table([]string{"metric", "unit", "better", "what it is"}, meaning))
	docpage.Check(t, "reference/metrics.md", "judged", docpage.Table([]string{
		"metric", "on which machine", "how", "tolerance against a page", "tolerance with `gate --base`", "0 is a measurement",
	}, judged))
	docpage.Check(t, "reference/metrics.md", "devices",
		docpage.Table([]string{"count", "unit", "better", "what it is"}, devices))
}

// measureOf returns the unit of a metric's values in words.
func measureOf(t *testing.T, u Unit) string {
	words := map[Quantity]string{
		Objects: "objects", Duration: "nanoseconds", Bytes: "bytes", BytesPerSecond: "1,000,000 bytes a second",
		Rate: "operations a second", Ratio: "requests", Share: "share, from 0 to 1",
	}
	switch {
	case u.Scope == DeviceCount, u.Name == UnitDevicesAtOnce:
		return "devices"
	case u.Name == UnitStopped:
		return "0 or 1"
	}
	require.Contains(t, words, u.Quantity, u.Name)
	return words[u.Quantity]
}

// judgedRow returns where and how a metric is judged.
func judgedRow(u Unit) []string {
	where, how, page, turns, zero := "the same", "test", percent(u.Tolerance), "not judged", "no"
	if u.Class.Portable() {
		where = "any"
	}
	if u.Slack > 0 {
		page += " and " + slackOf(u, u.Slack)
	}
	if m := u.Sequential; !m.IsZero() {
		var parts []string
		if m.Relative > 0 {
			parts = append(parts, percent(m.Relative))
		}
		if m.Slack > 0 {
			parts = append(parts, slackOf(u, m.Slack))
		}
		turns = strings.Join(parts, " and ")
	}
	if u.Exact {
		how, page, turns = "exactly", "none ("+percent(u.InexactTolerance)+")", "none ("+turns+")"
	}
	if !u.Judged() {
		where, how, page = "–", "never: shown", "–"
		turns = "–"
	}
	if u.MayBeZero {
		zero = "yes"
	}
	return []string{"`" + u.Name + "`", where, how, page, turns, zero}
}

func percent(share float64) string { return fmt.Sprintf("%.3g%%", 100*share) }

// slackOf returns an absolute tolerance in the unit's own measure.
func slackOf(u Unit, slack float64) string {
	if u.Quantity == Bytes {
		return fmt.Sprintf("%g bytes", slack)
	}
	return fmt.Sprintf("%g objects", slack)
}
