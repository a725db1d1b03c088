package main

import (
	"fmt"

	"github.com/fleetmark/fleetmark/results"
)

const targetsSection = "targets"

// target is what a figure of the page must be.
type target struct {
	what    string
	section string // of the page; empty: a scenario's median
	figure  string // its name there; of a scenario, its name, operation and metric
	limit   bound
	unit    string // how it is shown
	heldBy  string // package.Test, or where else it is held: "scenarios/catalog/…"
}

// bound is what a figure is held against.
type bound struct {
	most  float64
	exact bool // it must be that
}

func atMost(v float64) bound  { return bound{most: v} }
func exactly(v float64) bound { return bound{v, true} }

func (b bound) holds(v float64) bool { return v == b.most || !b.exact && v < b.most }

// targets are all of them, in one place: what the tests and scenarios of this repository
// hold anyway, beside what was measured.
func targets() []target {
	const mib = 1 << 20
	return []target{
		{"allocations of a push over lean, connection kept", "allocations", "push lean kept-alive allocs/op", atMost(0.01), "allocs/op", "delivery.TestAllocations"},
		{"allocations of a verification, likewise", "allocations", "verify lean kept-alive allocs/op", atMost(0.01), "allocs/op", "delivery.TestAllocations"},
		{"allocations of a push in throughput", "", "throughput push allocs/op", atMost(1), "allocs/op", "delivery.TestAllocations"},
		// The devices of the tests answer with fewer fields than the fleet's, which cost net/http some.
		{"allocations of a push over nethttp, connection kept", "allocations", "push nethttp kept-alive allocs/op", atMost(45), "allocs/op", "delivery.TestAllocationsOfNetHTTP"},
		{"allocations of a verification, likewise", "allocations", "verify nethttp kept-alive allocs/op", atMost(40), "allocs/op", "delivery.TestAllocationsOfNetHTTP"},
		{"memory that a push of 100 MB adds", "streaming", "100 MB peak growth B", atMost(8 * mib), "peak-rss-B", "delivery.TestMemoryOfALargeArtifact"},
		{"heap that a push of 100 MB asks for", "streaming", "100 MB allocated B", atMost(1 * mib), "peak-rss-B", "delivery.TestMemoryOfALargeArtifact"},
		{"memory of the driver in large-payload, 200 MB", "large-payload", "peak-rss-B", atMost(200e6), "peak-rss-B", "scenarios/catalog/large-payload.yaml"},
		{"requests a device in rollout", "", "rollout deliver requests/device", exactly(2), "requests/device", "scenarios.TestRun"},
		{"retries a device in rollout", "", "rollout deliver retries/device", exactly(0), "retries/device", "scenarios.TestRun"},
		{"devices that failed in rollout", "", "rollout deliver failed/device", exactly(0), "failed/device", "scenarios.TestReconcile"},
		{"checks of the suite integration that failed", "integration", "failed", exactly(0), "failed", "scenarios/catalog/integration.yaml"},
		{"processor time that a CPU profile costs a push, in percent", "profiling", "push cpu-ns/op percent more", atMost(3), "percent", results.BaselineFile},
		{"tests that failed", "tests", "failed", exactly(0), "failed", ".ci/run"},
	}
}

// writeTargets is the table of targets.
func writeTargets(w *results.SectionWriter, f *findings) {
	w.Text("What must hold, with what was measured here. The tests named hold the same, or stricter, on every commit; this page does when it is measured.")
	figures := scenarioFigures(f.page)
	for _, s := range f.page.Sections {
		if s.Name == targetsSection {
			continue
		}
		for name, v := range s.Figures {
			figures[s.Name+": "+name] = v
		}
	}
	var rows [][]string
	var met, unmet, unknown int
	for _, t := range targets() {
		key := t.figure
		if t.section != "" {
			key = t.section + ": " + t.figure
		}
		measured, verdict := "not measured", "–"
		if v, ok := figures[key]; !ok {
			unknown++
		} else {
			measured, verdict = results.FormatValue(v, t.unit), "yes"
			if t.limit.holds(v) {
				met++
			} else {
				verdict = "no"
				unmet++
			}
		}
		rows = append(rows, []string{t.what, t.wanted(), measured, verdict, "`" + t.heldBy + "`"})
	}
	w.Table("lrrll", []string{"target", "wanted", "measured", "met", "held by"}, rows)
	w.Text("%d met, %d not met, %d not measured.", met, unmet, unknown)
}

func (t target) wanted() string {
	sign := "≤ "
	if t.limit.exact {
		sign = ""
	}
	return sign + results.FormatValue(t.limit.most, t.unit)
}

// scenarioFigures are the medians of the page's scenarios: "rollout deliver allocs/op".
func scenarioFigures(page *results.Baseline) map[string]float64 {
	figures := map[string]float64{}
	for _, s := range page.Scenarios {
		for op, values := range results.Medians(s.Records) {
			for unit, v := range values {
				figures[fmt.Sprintf("%s %s %s", s.Name, op, unit)] = v
			}
		}
	}
	return figures
}
