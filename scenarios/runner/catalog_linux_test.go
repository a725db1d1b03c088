package runner

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// shortened returns a scenario of the catalog so that it takes about a second: with fewer
// repetitions and, if it is long or large, less time and fewer devices. It still answers the same
// question.
func shortened(s scenarios.Spec) scenarios.Spec {
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	s.Fleet.Devices = min(s.Fleet.Devices, 2000)
	if s.Client.Defaults == scenarios.Shipped {
		s.Fleet.Devices = min(s.Fleet.Devices,
			200) // the retry budget is enough for so many, so that none waits ten seconds for it
	}
	if s.Load.Duration > 0 && s.Load.Model != scenarios.Spike {
		s.Load.Duration = scenarios.Duration(time.Second)
	}
	if s.Load.Model == scenarios.Breakpoint {
		s.Load.Breakpoint.To, s.Load.Breakpoint.TrialDuration, s.Load.Breakpoint.Tolerance = 2*s.Load.Rate, scenarios.Duration(300*time.Millisecond), 0.3
	}
	return s
}

// timely reports whether a busy machine may fail the threshold. Tests don't assert times.
func timely(t scenarios.Threshold) bool {
	known, _ := results.LookupUnit(t.Unit)
	return !known.Class.Portable()
}

// TestEveryScenarioOfTheCatalogRuns checks that each scenario's thresholds hold, and that the
// client's claims agree with the ledger.
func TestEveryScenarioOfTheCatalogRuns(t *testing.T) {
	testenv.Slow(t)
	for _, name := range scenarios.CatalogNames() {
		t.Run(name, func(t *testing.T) {
			s, err := scenarios.Find(name)
			require.NoError(t, err)
			if len(s.Suite) > 0 {
				return // its scenarios are in the catalog, too
			}
			transports := []delivery.Transport{delivery.Lean}
			if s.Fleet.Devices <= 10 {
				transports = append(transports, delivery.NetHTTP)
			}
			for _, transport := range transports {
				short := shortened(s)
				short.Client.Transport = transport
				o := options(t, short)
				o.Target.Address, o.Target.Command = target.OwnProcess, fleetCommand(t)
				res, err := Run(t.Context(), o)
				require.NoError(t, err)
				run := res.Run
				require.Zero(t, run.Counts.Lost+run.Counts.AppliedTwice)
				for _, reason := range run.Invalid { // a busy machine may be late, but nothing else may be wrong
					require.Regexp(t, `^(behind schedule|the fleet was the bottleneck: .*late|the harness was the bottleneck: (a tenth of the operations|garbage)|the search has no lower end|the limit that was found, .*, (isn't the devices'|may be too low))`, reason)
				}
				if len(res.Records) > 0 {
					requireIntervals(t, res.Directory)
					require.Equal(t, len(s.Fleet.Groups) > 0, len(run.Groups) > 0)
				}
				require.Len(t, run.Thresholds, len(s.Thresholds))
				for i, o := range run.Thresholds {
					if !timely(s.Thresholds[i]) && len(res.Records) > 0 { // on a busy machine a search may find no rate that holds, and then has no records
						require.True(t, o.Held, "%+v", o)
					}
				}
			}
		})
	}
}

func TestTheCatalogIsWhole(t *testing.T) {
	want := strings.Fields(`single-device multiple-devices failure-and-retry concurrent-updates large-payload context-timeout
		custom-headers integration rollout canary-rollout throughput million constant-rate poisson thundering-herd spike
		breakpoint slow-devices flaky-network offline-tenth reboot-storm tls mixed-fleet chaos soak gate gate-push
		gate-verify gate-deliver shipped-defaults`)
	require.ElementsMatch(t, want, scenarios.CatalogNames())
	page, err := os.ReadFile("../../docs/reference/catalog.md")
	require.NoError(t, err)
	for _, name := range want {
		require.Contains(t, string(page), "`"+name+"`", "the page of the catalog has them all")
	}
	suite, members, err := scenarios.ExpandSuite("integration")
	require.NoError(t, err)
	require.Equal(t, "integration", suite)
	var found []string
	for _, s := range members {
		found = append(found, s.Name)
	}
	require.Equal(t, want[:7], found)
	chaos, err := scenarios.Find("chaos")
	require.NoError(t, err)
	struck := map[string]bool{}
	for _, g := range chaos.Fleet.Groups {
		for _, f := range g.Behavior.Faults {
			struck[f.Kind] = true
		}
	}
	for _, name := range append(contract(), beyondContract...) {
		switch {
		case strings.HasPrefix(name, "tls-"), name == "refuse", name == "connect-stall": // these apply to the whole fleet, or need port addressing
		default:
			require.True(t, struck[name], "chaos lacks %s", name)
		}
	}
}
