package exporter

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// A dashboard is what these tests read of Grafana's dashboard.
type dashboard struct {
	UID           string  `json:"uid"`
	SchemaVersion int     `json:"schemaVersion"`
	Panels        []panel `json:"panels"`
	Templating    struct {
		List []struct{ Name, Type, Definition string } `json:"list"`
	} `json:"templating"`
}

type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Datasource  *struct{ Type, UID string }
	Targets     []struct {
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat"`
		RefID        string `json:"refId"`
		Datasource   struct{ Type, UID string }
	} `json:"targets"`
	GridPos struct{ X, Y, W, H int } `json:"gridPos"`
}

// dashboardFile returns the text of the dashboard, and what it says.
func dashboardFile(t *testing.T) (string, dashboard) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "grafana", "fleetmark-run.json"))
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(text, &d))
	return string(text), d
}

// TestDashboard checks that the dashboard can be imported anywhere: its panels have their own IDs
// and places, and their data source is a variable.
func TestDashboard(t *testing.T) {
	text, d := dashboardFile(t)
	require.Equal(t, "fleetmark-run", d.UID)
	require.GreaterOrEqual(t, d.SchemaVersion, 39)
	machines := regexp.MustCompile(`https?://|localhost|\d+\.\d+\.\d+\.\d+|/home/`)
	require.NotRegexp(t, machines, text, "no machine is named")
	require.Equal(t, "datasource", d.Templating.List[0].Type)
	ids, places := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		require.NotZero(t, p.ID)
		require.False(t, ids[p.ID], "two panels have the ID %d", p.ID)
		ids[p.ID] = true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, places[at], "%s covers another panel", p.Title)
				places[at] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		require.NotEmpty(t, p.Description, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		require.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
		refs := map[string]bool{}
		for _, target := range p.Targets {
			require.Equal(t, "${datasource}", target.Datasource.UID, p.Title)
			require.False(t, refs[target.RefID], p.Title)
			refs[target.RefID] = true
		}
	}
}

// TestDashboard_queries checks that each metric and label in the dashboard's queries exists in what
// a run and a fleet serve, and that the queries name every metric that a user would miss.
func TestDashboard_queries(t *testing.T) {
	_, d := dashboardFile(t)
	metrics := map[string][]string{} // labels by name
	for _, m := range definitions() {
		metrics[m.name] = m.labels
	}
	maps.Copy(metrics, fleetMetrics(t))
	used := map[string]bool{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			names, err := checkQuery(target.Expr, target.LegendFormat, metrics)
			require.NoError(t, err, "%s %s", p.Title, target.RefID)
			for _, name := range names {
				used[name] = true
			}
		}
	}
	for _, v := range d.Templating.List[1:] {
		m := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(v.Definition)
		require.NotNil(t, m, v.Definition)
		require.Contains(t, metrics[m[1]], m[2])
		used[m[1]] = true
	}
	for _, m := range definitions() {
		if m.name != "fleetmark_run_scrapes_total" {
			require.True(t, used[m.name], "no panel shows %s", m.name)
		}
	}
}

// fleetMetrics returns the labels of the metrics that a fleet serves.
func fleetMetrics(t *testing.T) map[string][]string {
	t.Helper()
	f, err := mockfleet.Start(t.Context(), mockfleet.Config{Devices: 1, Addressing: address.Path})
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	ready := f.Ready()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ready.Control+"/metrics", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+ready.Token)
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, 200, answer.StatusCode)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(text)))
	require.NoError(t, err)
	metrics := map[string][]string{"fleetmark_fleet_faults": {"kind"}} // there is one for each kind that acted
	for name, f := range families {
		metrics[name] = []string{}
		for _, l := range f.Metric[0].Label {
			metrics[name] = append(metrics[name], l.GetName())
		}
	}
	return metrics
}

// checkQuery returns the metrics of a query. It returns an error if one doesn't exist, a label is
// of none of them, or a name is none that it knows.
func checkQuery(query, legend string, metrics map[string][]string) (names []string, err error) {
	labels := regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(legend, -1)
	// Texts, durations in brackets, names, numbers, and everything else.
	parts := regexp.MustCompile(`"[^"]*"|\[[^\]]*\]|[A-Za-z_][A-Za-z0-9_:]*|[0-9][0-9.]*|\s+|.`)
	var inBraces, inBy bool
	for _, part := range parts.FindAllString(query, -1) {
		_, isMetric := metrics[part]
		switch c := part[0]; {
		case part == "{":
			inBraces = true
		case part == "}":
			inBraces = false
		case part == "by":
			inBy = true
		case part == ")":
			inBy = false
		case c == '[':
			if part != "[$__rate_interval]" {
				return nil, fmt.Errorf("%s: want $__rate_interval", part)
			}
		case c != '_' && (c|0x20 < 'a' || c|0x20 > 'z'):
		case inBraces || inBy:
			labels = append(labels, []string{part, part})
		case isMetric:
			names = append(names, part)
		case slices.Contains([]string{"sum", "max", "rate", "histogram_quantile"}, part):
		default:
			return nil, fmt.Errorf("%s is no metric, label or function that is known", part)
		}
	}
	if len(names) != 1 {
		return nil, fmt.Errorf("it has %d metrics: want 1", len(names))
	}
	for _, label := range labels {
		if !slices.Contains(metrics[names[0]], label[1]) {
			return nil, fmt.Errorf("%s has no label %s", names[0], label[1])
		}
	}
	return names, nil
}

func TestCheckQuery(t *testing.T) {
	metrics := map[string][]string{"a_total": {"x", "y"}}
	for query, says := range map[string]string{
		`sum by (x) (rate(a_total{y=~"$y"}[$__rate_interval])) > 0`: "",
		`histogram_quantile(0.99, sum(a_total))`:                    "",
		`b_total`:                                                   "b_total is no metric",
		`a_total{z="1"}`:                                            "a_total has no label z",
		`sum by (x, z) (a_total)`:                                   "a_total has no label z",
		`quantile(0.5, a_total)`:                                    "quantile is no metric",
		`rate(a_total[5m])`:                                         "want $__rate_interval",
		`sum(1)`:                                                    "it has 0 metrics",
		`a_total / a_total`:                                         "it has 2 metrics",
		`a_total{x="b_total"} == on() group_left`:                   "is no metric",
	} {
		_, err := checkQuery(query, "", metrics)
		if says == "" {
			require.NoError(t, err, query)
			continue
		}
		require.ErrorContains(t, err, says, query)
	}
	_, err := checkQuery("a_total", "{{x}} {{z}}", metrics)
	require.ErrorContains(t, err, "no label z")
}
