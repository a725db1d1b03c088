package gobench

import (
	"fmt"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"

	"github.com/fleetmark/fleetmark/results"
)

// ownTolerance is the smallest change that counts of a metric that a benchmark reports itself,
// relative to the base. Nothing is known of its noise: it is as wide as that of a time.
const ownTolerance = 0.05

// unit says how a metric is judged. MB/s isn't: it is ns/op in other words.
func (c *comparison) unit(name string) (results.PairedUnit, bool) {
	known, _ := results.LookupUnit(name)
	u := results.PairedUnit{Unit: known}
	u.Name = name
	switch test, tested := results.PairedTolerances(name); {
	case name == "MB/s":
		return u, false
	case name == "allocs/op":
		// The testing package rounds it down to a whole number. Where that is always the same, one
		// more is one more.
		u.Exact, u.Steady, u.Test = true, true, test
		return u, true
	case tested:
		u.Test = test
		return u, true
	}
	better, exact := c.declared.of(name)
	if better == 0 {
		better = c.Better[name]
	}
	if better == 0 {
		better = known.Better
	}
	u.Better, u.Exact, u.Steady = better, exact, exact
	u.Test = results.PairedTolerance{Relative: ownTolerance, Absolute: true}
	u.Undirected = fmt.Sprintf("it changed, and nothing says which way is better: have the benchmarks print a line \"Unit %s better=lower\" (or higher), or declare it under units in fleetmark.yaml", name)
	return u, true
}

// unitLines are the Unit lines that benchmarks printed.
type unitLines struct{ text strings.Builder }

func (u *unitLines) add(lines []string) {
	for _, line := range lines {
		if !strings.Contains(u.text.String(), line+"\n") {
			u.text.WriteString(line + "\n")
		}
	}
}

// of returns which way is better of a metric, 0 if no line says so, and whether it is exact.
func (u *unitLines) of(name string) (better int, exact bool) {
	reader := benchfmt.NewReader(strings.NewReader(u.text.String()), "")
	for reader.Scan() { // what is damaged declares nothing
	}
	_, tidied := benchunit.Tidy(1, name)
	units := reader.Units()
	assumption := units.Get(tidied, "assume")
	return units.GetBetter(tidied), assumption != nil && assumption.Value == "exact"
}
