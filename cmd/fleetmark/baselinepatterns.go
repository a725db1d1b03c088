package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/census"
	"github.com/fleetmark/fleetmark/results"
)

// antiPattern is a mistake that a load generator or a delivery client makes easily, and
// the tests that fail if this one does.
type antiPattern struct {
	what  string
	tests []string // package.Test
}

func antiPatterns() []antiPattern {
	return []antiPattern{
		{"goroutines or descriptors that outlive their operation", []string{"scenarios.TestFaultTable", "delivery.TestCancelOfAThousand", "delivery.TestRolloutEndsAtOnceWhenCanceled"}},
		{"a goroutine for each idle connection", []string{"mockfleet.TestIdleConnectionsHaveNoGoroutine"}},
		{"unbounded concurrency", []string{"delivery.TestAdmission", "mockfleet.TestConnectionsBeyondTheLimitAreClosedAndCounted", "mockfleet.TestADeviceHasSoManyConnections"}},
		{"global state that changes, and work before main", []string{"internal/house.TestNothingIsGlobal"}},
		{"memory that grows with the artifact", []string{"delivery.TestMemoryOfALargeArtifact", "mockfleet.TestTheMemoryOfALargeBodyIsConstant"}},
		{"memory that grows with what others send", []string{"delivery.TestRegistryIsBounded", "delivery.TestBreakersAreBounded", "profiles.TestDecodeIsBounded"}},
		{"a new connection for each request", []string{"delivery.TestConnectionsAreReused"}},
		{"allocations in the usual operation", []string{"delivery.TestAllocations", "scenarios.TestRecordingAllocatesNothing"}},
		{"an old answer taken for a new one", []string{"delivery.TestWhatCameWhileIdleIsNoAnswer"}},
		{"retries that make an outage worse", []string{"delivery.TestBudgetOfAFleet"}},
		{"a lock held while the network is waited for", []string{"delivery.TestThePoolClosesOutsideItsLock"}},
		{"an update applied twice, or claimed and not applied", []string{"scenarios.TestRolloutKilled", "scenarios.TestReconcile"}},
		{"latency that leaves out the wait for a worker (coordinated omission)", []string{"scenarios.TestCoordinatedOmission"}},
		{"a driver or a fleet that is the bottleneck, unnoticed", []string{"scenarios.TestAThrottledFleetMakesTheRunInvalid"}},
		{"the client under test that knows it is measured", []string{"internal/house.TestImports"}},
		{"secrets in errors, logs and pages", []string{"delivery.TestConfigNeverShowsASecret", "delivery.TestNothingShowsASecret", "scenarios.TestMistakesTellNoSecret"}},
	}
}

func writeAntiPatterns(w *results.SectionWriter, _ *findings) {
	w.Text("Mistakes that are easily made here, and the tests that fail when one is. Besides, the tests of delivery, mockfleet, profiles and scenarios end with a look for goroutines that are left (go.uber.org/goleak), and all of them run under the race detector in CI.")
	var rows [][]string
	names := map[string][]string{} // by room
	for _, p := range antiPatterns() {
		for i, test := range p.tests {
			what := ""
			if i == 0 {
				what = p.what
			}
			rows = append(rows, []string{what, "`" + test + "`"})
			room, name, _ := strings.Cut(test, ".")
			names[room] = append(names[room], strings.TrimPrefix(name, "Test"))
		}
	}
	w.Table("ll", []string{"anti-pattern", "test"}, rows)
	w.Text("All of them at once:")
	var commands []string
	for _, room := range slices.Sorted(maps.Keys(names)) {
		slices.Sort(names[room])
		commands = append(commands, fmt.Sprintf("go test -run '^Test(%s)$' ./%s", strings.Join(slices.Compact(names[room]), "|"), room))
	}
	w.Commands(commands...)
}

// writeAgain says how each figure is measured again.
func writeAgain(w *results.SectionWriter, _ *findings) {
	w.Text("The whole page, with its optimization history kept; and whether it may still be believed:")
	w.Commands("fleetmark baseline", "fleetmark baseline --check")
	var rows [][]string
	for _, name := range baselineScenarios() {
		rows = append(rows, []string{"scenario " + name + ", held against this page", "fleetmark run " + name})
	}
	for _, e := range extraRuns() {
		rows = append(rows, []string{"operations: " + e.what, e.command})
	}
	rows = append(rows, [][]string{
		{"time, allocations, streaming", "fleetmark baseline --sections time,allocations,streaming --file NEW.md"},
		{"a profile of a scenario's own", "fleetmark profile top RUN --kind allocs"},
		{"integration, and its large-payload", "fleetmark run integration"},
		{"the same over net/http", "fleetmark run integration --transport nethttp"},
		{"what profiling costs", "fleetmark profile overhead --budget 40s"},
		{"code, tests and coverage", "fleetmark baseline --sections code,tests --file NEW.md"},
		{"tests and coverage by themselves", census.Command()},
		{"single operations as Go benchmarks, beside bare sockets", "go test -run '^$' -bench 'Push|Verify|Reference' -benchmem -count 10 ./delivery"},
		{"this page against other samples", "go tool benchstat " + results.BaselineFile + " NEW.txt"},
	}...)
	for i := range rows {
		rows[i][1] = "`" + rows[i][1] + "`"
	}
	w.Table("ll", []string{"figure", "command"}, rows)
}
