package abtest

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
)

// A Case of a self-test compares a program with itself. One side may be made worse.
type Case struct {
	Name      string
	SlowerBy  float64   // how much slower one side is, as a share of a push's processor time
	Injection Injection // what else makes that side worse
	Runs      int
}

// Worse reports whether one side is made worse.
func (c Case) Worse() bool { return c.SlowerBy > 0 || c.Injection != (Injection{}) }

// SelfTestCases returns the cases that show whether a gate can be relied on: it must pass what is
// unchanged, and find slowdowns, allocations and requests. runs is how often each case with noise
// is run.
func SelfTestCases(runs int) []Case {
	few := max(1, runs/4) // a case without noise needs no statistics
	return []Case{
		{Name: "nothing", Runs: 2 * runs},
		{Name: "push +2% processor time", SlowerBy: 0.02, Runs: runs},
		{Name: "push +5% processor time", SlowerBy: 0.05, Runs: runs},
		{Name: "push +10% processor time", SlowerBy: 0.10, Runs: runs},
		{Name: "push +1 allocation", Injection: Injection{Allocations: 1}, Runs: few},
		{Name: "push +1 request", Injection: Injection{Requests: 1}, Runs: few},
	}
}

// A CaseResult is the outcome of the runs of a case.
type CaseResult struct {
	Case
	Verdicts map[results.Verdict]int
	Seconds  []float64 // how long each run took
	Pairs    []int
	Deltas   []float64 // the relative change of a push's processor time, for each run that judged it
}

// Rate returns the share of runs that were called regressed, and its 95% interval (E. B. Wilson,
// "Probable inference, the law of succession, and statistical inference", 1927).
func (t CaseResult) Rate() (rate, low, high float64) {
	n := 0
	for _, k := range t.Verdicts {
		n += k
	}
	return wilson(t.Verdicts[results.Regressed], n)
}

// wilson returns the share k/n and its 95% score interval.
func wilson(k, n int) (rate, low, high float64) {
	if n == 0 {
		return 0, 0, 1
	}
	const z = 1.959963984540054
	p, m := float64(k)/float64(n), float64(n)
	middle, half := (p+z*z/(2*m))/(1+z*z/m), z/(1+z*z/m)*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return p, max(0, middle-half), min(1, middle+half)
}

// FalseAlarmRate is the probability, as documented, that a run without any change is called
// regressed.
const FalseAlarmRate = 0.01

// Problems returns the reasons why a gate with these results can't be relied on here, a clause
// each: it called more unchanged runs regressed than FalseAlarmRate allows, or it missed a
// regression that has no noise.
func Problems(list []CaseResult) []string {
	var problems []string
	for _, t := range list {
		rate, low, _ := t.Rate()
		switch {
		case len(t.Pairs) == 0:
		case !t.Worse() && low > FalseAlarmRate:
			problems = append(problems, fmt.Sprintf("%.0f%% of runs without any change were called regressed",
				100*rate))
		case t.SlowerBy == 0 && t.Worse() && rate < 1:
			problems = append(problems, fmt.Sprintf("%s was missed in %.0f%% of runs", t.Name, 100-100*rate))
		}
	}
	return problems
}

// SelfTest runs cases in turns, so that each case meets quiet and busy times of the machine. Both
// sides of o are the same program. It calls done after each run. If ctx ends, it returns the
// results so far with the context's error.
func SelfTest(ctx context.Context, o Options, cases []Case, done func(Case, *Outcome)) ([]CaseResult, error) {
	tried := make([]CaseResult, len(cases))
	for i, c := range cases {
		tried[i] = CaseResult{Case: c, Verdicts: map[results.Verdict]int{}}
	}
	rounds := 1
	for _, c := range cases {
		rounds = max(rounds, c.Runs)
	}
	for round, more := 0, true; more; round++ {
		more = false
		for i, c := range cases {
			// For example, a case with half as many runs as rounds has one in every other round.
			if n := len(tried[i].Pairs); n >= c.Runs || !due(round, c.Runs, rounds) {
				more = more || n < c.Runs
				continue
			}
			more = true
			run := o
			run.SlowerBy, run.Injection, run.Seed = c.SlowerBy, c.Injection, o.Seed+uint64(round)<<8+uint64(i)
			out, err := Run(ctx, run)
			if err != nil {
				return tried, err
			}
			t := &tried[i]
			t.Verdicts[out.Judgement.Verdict]++
			t.Seconds = append(t.Seconds, out.Elapsed.Round(time.Millisecond).Seconds())
			t.Pairs = append(t.Pairs, out.Pairs)
			for _, row := range out.Judgement.Rows {
				if row.Op == string(delivery.OpPush) && row.Unit.Name == results.UnitCPU && row.Delta != nil {
					t.Deltas = append(t.Deltas, *row.Delta)
				}
			}
			if done != nil {
				done(c, out)
			}
		}
	}
	return tried, nil
}

// due reports whether a case with so many runs in so many rounds is run in this round.
func due(round, runs, rounds int) bool {
	return round*runs/rounds != (round+1)*runs/rounds || round >= rounds
}
