package judge

// A Policy says what is asked of a run. The zero Policy asks for nothing: a run that can't be
// judged has no verdict.
type Policy struct {
	Unjudged Unjudged // what the lack of a verdict means

	// Portable asks only for metrics that mean the same on any machine: counts, bytes and
	// allocations.
	Portable bool

	// Outcomes also judges how many devices were updated, failed, were lost, or applied an update
	// twice.
	Outcomes bool

	// Better gives the direction of metrics that [results.LookupUnit] doesn't know, by name: +1 if
	// more is better, -1 if less is.
	Better map[string]int
}

// Unjudged says what it means that a run, or one of its metrics, can't be judged.
type Unjudged int

// The values of Unjudged.
const (
	AllowUnjudged      Unjudged = iota // no verdict is fine
	RequireVerdict                     // a run without a verdict is inconclusive
	RequireEveryMetric                 // so is each metric of the baseline without one
)
