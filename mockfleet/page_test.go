package mockfleet

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/docpage"
	"github.com/fleetmark/fleetmark/internal/markdown"
)

// TestControlPortPage writes what docs/reference/device-http.md says of the ledger, the status, the
// queries and the metrics, and checks that the page has every request of the control port.
func TestControlPortPage(t *testing.T) {
	const page = "reference/device-http.md"
	ours, ledger := docpage.ReadSource(t, "."), docpage.ReadSource(t, "ledger")
	ledger.Foreign = map[string]string{"wire.State": "string", "N": "number"}
	ours.Foreign = map[string]string{"address.Mode": "string", "netip.Prefix": "string"}
	server := docpage.ReadSource(t, filepath.Join("internal", "server"))
	docpage.Check(t, page, "entry", ledger.FieldTable(t, "Entry"))
	docpage.Check(t, page, "counts", ledger.FieldTable(t, "Counts"))
	docpage.Check(t, page, "status", ours.FieldTable(t, "Status"))
	docpage.Check(t, page, "traffic", server.FieldTable(t, "Traffic"))
	docpage.Check(t, page, "health", ours.FieldTable(t, "Health"))

	var stages, query [][]string
	for _, s := range ledger.Constants(t, "Stage") {
		stages = append(stages, []string{"`" + s.Value + "`", s.Doc})
	}
	docpage.Check(t, page, "stages", docpage.Table([]string{"stage", "the device"}, stages))
	for _, f := range ledger.Fields(t, "Query") {
		query = append(query, []string{"`" + strings.ToLower(f.Name) + "`", f.Doc})
	}
	docpage.Check(t, page, "query", docpage.Table([]string{"parameter", "entries of"}, query))

	var metrics [][]string
	for _, m := range (Status{}).metrics() {
		kind := "gauge"
		if m.kind == prometheus.CounterValue {
			kind = "counter"
		}
		metrics = append(metrics, []string{"`" + m.name + "`", kind, markdown.Escape(m.help)})
	}
	metrics = append(metrics,
		[]string{"`fleetmark_fleet_stage_devices{group,stage}`", "gauge", "Devices in each stage of their lives, by group."},
		[]string{"`fleetmark_fleet_faults{kind}`", "gauge",
			"Injections of each kind of fault that acted, since the last reset."})
	docpage.Check(t, page, "metrics", docpage.Table([]string{"metric", "type", "what it is"}, metrics))

	text, err := os.ReadFile(filepath.Join("..", "docs", filepath.FromSlash(page)))
	require.NoError(t, err)
	_, control, ok := strings.Cut(string(text), "## The control port")
	require.True(t, ok)
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /\\S*)` \\|").FindAllStringSubmatch(control, -1) {
		documented = append(documented, m[1])
	}
	code, err := os.ReadFile("controlserver.go")
	require.NoError(t, err)
	routes := []string{"POST /lease", "DELETE /lease"} // one handler serves both
	for _, m := range regexp.MustCompile(`HandleFunc\("(/[^"]+)", allow\(http\.Method(\w+),`).FindAllSubmatch(code, -1) {
		path := strings.NewReplacer("{index}", "INDEX", "{group}", "NAME").Replace(string(m[1]))
		routes = append(routes, strings.ToUpper(string(m[2]))+" "+path)
	}
	require.Greater(t, len(routes), 12)
	slices.Sort(routes)
	slices.Sort(documented)
	require.Equal(t, routes, documented)
}
