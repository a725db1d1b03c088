package versus

import (
	"context"
	"math"
	"time"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A Case of a self-test: something that is planted in one of two sides that are else the same.
type Case struct {
	Name   string
	Slower float64 // of a push's processor time
	Plant  scenarios.Plant
	Runs   int
}

// Worse reports whether anything is planted.
func (c Case) Worse() bool { return c.Slower > 0 || c.Plant != (scenarios.Plant{}) }

// Cases are those that a gate should know of itself: whether it is quiet where nothing changed, and
// what it finds of slowdowns, allocations and requests. runs is how often the noisy ones are run.
func Cases(runs int) []Case {
	few := max(1, runs/4) // what has no noise needs no statistics
	return []Case{
		{Name: "nothing", Runs: 2 * runs},
		{Name: "push +2% processor time", Slower: 0.02, Runs: runs},
		{Name: "push +5% processor time", Slower: 0.05, Runs: runs},
		{Name: "push +10% processor time", Slower: 0.10, Runs: runs},
		{Name: "push +1 allocation", Plant: scenarios.Plant{Allocations: 1}, Runs: few},
		{Name: "push +1 request", Plant: scenarios.Plant{Requests: 1}, Runs: few},
	}
}

// Tried is what came of a case.
type Tried struct {
	Case
	Verdicts map[results.Verdict]int
	Seconds  []float64 // that each decision took
	Pairs    []int
	Measured []float64 // by how much a push's processor time was found to differ, relative; none where it wasn't judged
}

// Rate is the share of runs that were called regressed, and the interval that holds the truth in
// 95 of 100 cases (E. B. Wilson, "Probable inference, the law of succession, and statistical
// inference", 1927).
func (t Tried) Rate() (rate, low, high float64) {
	n := 0
	for _, k := range t.Verdicts {
		n += k
	}
	return wilson(t.Verdicts[results.Regressed], n)
}

func wilson(k, n int) (rate, low, high float64) {
	if n == 0 {
		return 0, 0, 1
	}
	const z = 1.959963984540054
	p, m := float64(k)/float64(n), float64(n)
	middle, half := (p+z*z/(2*m))/(1+z*z/m), z/(1+z*z/m)*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return p, max(0, middle-half), min(1, middle+half)
}

// SelfTest runs cases, in turns so that none has the machine's quiet hour for itself. The sides of o
// are the same program. told is called after each run; what had been tried when ctx ended is given
// with its error.
func SelfTest(ctx context.Context, o Options, cases []Case, told func(Case, *Outcome)) ([]Tried, error) {
	tried := make([]Tried, len(cases))
	for i, c := range cases {
		tried[i] = Tried{Case: c, Verdicts: map[results.Verdict]int{}}
	}
	for round, more := 0, true; more; round++ {
		more = false
		for i, c := range cases {
			// A case with half the runs has one every other round.
			if done := len(tried[i].Pairs); done >= c.Runs || !due(round, c.Runs, most(cases)) {
				more = more || done < c.Runs
				continue
			}
			more = true
			run := o
			run.Slower, run.Plant, run.Seed = c.Slower, c.Plant, o.Seed+uint64(round)<<8+uint64(i)
			out, err := Run(ctx, run)
			if err != nil {
				return tried, err
			}
			t := &tried[i]
			t.Verdicts[out.Judgement.Verdict]++
			t.Seconds, t.Pairs = append(t.Seconds, out.Elapsed.Round(time.Millisecond).Seconds()), append(t.Pairs, out.Pairs)
			for _, row := range out.Judgement.Rows {
				if row.Op == string(scenarios.Push) && row.Unit == "cpu-ns/op" && row.Delta != nil {
					t.Measured = append(t.Measured, *row.Delta)
				}
			}
			if told != nil {
				told(c, out)
			}
		}
	}
	return tried, nil
}

// due spreads runs over rounds.
func due(round, runs, rounds int) bool {
	return round*runs/rounds != (round+1)*runs/rounds || round >= rounds
}

func most(cases []Case) int {
	n := 1
	for _, c := range cases {
		n = max(n, c.Runs)
	}
	return n
}
