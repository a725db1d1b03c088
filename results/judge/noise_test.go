package judge_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
)

// chances holds how often a gate came to each verdict, as shares of all tries.
type chances map[results.Verdict]float64

// unchanged simulates a gate on unchanged code. Both sides have n repetitions of one metric, drawn
// from the same lognormal distribution, whose logarithm has the standard deviation noise.
func unchanged(t *testing.T, random *rand.Rand, unit string, noise float64, n, tries int) chances {
	side := func() (records []results.Record) {
		for i := range n {
			v := noisy(random, 1000, noise)
			records = append(records, results.Record{Scenario: "s", Op: "push", Repetition: i + 1, Ops: 1,
				Values: []results.Value{{Unit: unit, Value: v}}})
		}
		return records
	}
	found := chances{}
	for try := range tries {
		old, now := side(), side()
		strict := judge.Compare(&baseline.Scenario{Records: old}, now,
			judge.Conditions{SameMachine: true, SameWorkload: true, Strict: true}).Verdict
		found[strict] += 1 / float64(tries)
		if try >= 20 {
			continue
		}
		// Without RequireEveryMetric the verdict is the same, but what the gate can't tell passes.
		loose := judge.Compare(&baseline.Scenario{Records: old}, now,
			judge.Conditions{SameMachine: true, SameWorkload: true}).Verdict
		if strict == results.Inconclusive {
			strict = results.Pass
		}
		require.Equal(t, strict, loose)
	}
	return found
}

// documentedTries is the number of comparisons behind the figures of
// docs/guides/measure-on-a-noisy-machine.md.
const documentedTries = 2000

// documented returns the table about unchanged code in docs/guides/measure-on-a-noisy-machine.md:
// by noise in percent and repetitions, how often the verdict is pass, inconclusive and regressed,
// in percent, first for times and then for allocations.
func documented(t *testing.T) map[[2]int][]float64 {
	t.Helper()
	text, err := os.ReadFile("../../docs/guides/measure-on-a-noisy-machine.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(text), "\n| noise | repetitions |")
	require.True(t, ok, "docs/guides/measure-on-a-noisy-machine.md has no table of unchanged code")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := map[[2]int][]float64{}
	for line := range strings.Lines(table) {
		var cells []float64
		for cell := range strings.SplitSeq(strings.Trim(line, "| \n"), "|") {
			v, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(cell), "%"), 64)
			if err != nil {
				break // the head of the table
			}
			cells = append(cells, v)
		}
		if len(cells) == 8 {
			rows[[2]int{int(cells[0]), int(cells[1])}] = cells[2:]
		}
	}
	return rows
}

// TestStrictOnNoise checks what docs/guides/measure-on-a-noisy-machine.md says about a strict gate
// on unchanged code. It allows for chance in the page's tries and in its own.
func TestStrictOnNoise(t *testing.T) {
	testenv.Slow(t)
	tries := map[int]int{5: 400, 10: 400, 20: 400, 40: 200}
	if testenv.Raced {
		tries = map[int]int{5: 40, 10: 40, 20: 40, 40: 20}
	}
	rows := documented(t)
	for _, percent := range []int{2, 5, 10, 20} {
		for _, n := range []int{5, 10, 20, 40} {
			row := rows[[2]int{percent, n}]
			require.Len(t, row, 6, "docs/guides/measure-on-a-noisy-machine.md says nothing of noise of %d%% and %d repetitions", percent, n)
			measured := fmt.Sprintf("| %d%% | %d |", percent, n)
			for i, unit := range []string{"ns/op", "allocs/op"} {
				random := rand.New(rand.NewPCG(17, uint64(percent*1000+n)))
				got := unchanged(t, random, unit, float64(percent)/100, n, tries[n])
				for k, v := range []results.Verdict{results.Pass, results.Inconclusive, results.Regressed} {
					measured += fmt.Sprintf(" %.0f%% |", 100*got[v])
					said := row[3*i+k] / 100
					p := (said*documentedTries + 1) / (documentedTries + 2) // so that 0 in so many tries isn't taken for a chance of 0
					deviation := math.Sqrt(p * (1 - p) * (1.0/documentedTries + 1/float64(tries[n])))
					require.InDelta(t, said, got[v], 4*deviation+0.005, "%s %s with noise of %d%% and %d repetitions", unit, v,
						percent, n)
				}
			}
			t.Log(measured)
		}
	}
}
