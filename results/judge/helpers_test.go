package judge_test

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// testMachine returns a machine that exists nowhere.
func testMachine() results.Machine {
	return results.Machine{OS: "linux", Arch: "amd64", CPU: "Example CPU @ 3.00GHz", Cores: 2, GOMAXPROCS: 2,
		MemoryBytes: 24 << 30, Kernel: "6.1.0", GoVersion: "go1.26.0", Identity: "0123456789ab"}
}

// rolloutRecords returns repetitions of push and verify with some noise. Their times are multiplied
// by slower.
func rolloutRecords(seed uint64, repetitions int, slower float64) []results.Record {
	random := rand.New(rand.NewPCG(seed, 1))
	noise := func() float64 { return 1 + 0.05*random.NormFloat64() }
	var records []results.Record
	for i := range repetitions {
		for _, op := range []string{"push", "verify"} {
			records = append(records, results.Record{Scenario: "rollout", Op: op, Repetition: i + 1, Ops: 5000,
				Values: []results.Value{
					{Unit: "ns/op", Value: 13200 * slower * noise()}, {Unit: "p99-ns/op", Value: 52000 * slower * noise()},
					{Unit: "ops/s", Value: 41000 / slower * noise()}, {Unit: "B/op", Value: 24 + float64(random.IntN(2))},
					{Unit: "allocs/op", Value: 1}, {Unit: "requests/device", Value: 1}, {Unit: "wire-B/device", Value: 65913.5},
					{Unit: "failed/device", Value: 0},
				}})
		}
	}
	return records
}

// sample returns a record for each value, of push in rollout.
func sample(unit string, values ...float64) []results.Record {
	var records []results.Record
	for i, v := range values {
		records = append(records, results.Record{Scenario: "rollout", Op: "push", Repetition: i + 1, Ops: 1,
			Values: []results.Value{{Unit: unit, Value: v}}})
	}
	return records
}

func testBaseline() baseline.Page {
	return baseline.Page{
		Machine: testMachine(), Revision: "5d3d764", GoVersion: "go1.26.0",
		Scenarios: []baseline.Scenario{{Name: "rollout", WorkloadDigest: "sha256:aa",
			Command:     "fleetmark run rollout --seed 1",
			Repetitions: 10, Counts: results.Counts{Devices: 50000, Updated: 50000}, Records: rolloutRecords(1, 10, 1)}},
	}
}

func testRun() results.Run {
	return results.Run{ID: "1a2b3c", Scenario: "rollout", WorkloadDigest: "sha256:aa", Seed: 1, Machine: testMachine(),
		Revision: "5d3d764",
		Started:  time.Date(2026, 11, 23, 8, 27, 0, 0, time.UTC), Status: results.StatusRunning, Valid: true,
		Counts:           results.Counts{Devices: 5000, Updated: 5000},
		RepetitionCounts: []results.Counts{{Devices: 5000, Updated: 5000}}}
}

// spread returns n values, the first one from, each larger than the one before by step.
func spread(from, step float64, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = from + step*float64(i)
	}
	return values
}

// noisy returns ns with lognormal noise.
func noisy(random *rand.Rand, ns, noise float64) float64 {
	return ns * math.Exp(noise*random.NormFloat64())
}
