package judge

import (
	"maps"
	"slices"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// Benchmarks is the judgement of the Go benchmarks of two files.
type Benchmarks struct {
	*Judgement
	Base, Records []results.Record // the base's and the other file's, as they were compared
}

// CompareBenchmarks judges the benchmarks in now by those in base. If keep isn't nil, it leaves out
// those of base that keep reports false for. The two files were measured one after the other, so
// times have the wide tolerances of a baseline, and they are judged only if both files name the
// same system and GOMAXPROCS.
//
// If portable, only portable metrics are asked for, and what can't be judged is inconclusive.
// Metrics that benchmarks report themselves are judged by the direction that Unit lines of either
// file, or [results.BenchmarkFile.Declare], give them; one without a direction that changed is
// inconclusive. If go test failed on either side, the comparison can't pass, since it may lack
// benchmarks.
func CompareBenchmarks(
	base, now *results.BenchmarkFile, keep func(results.BenchmarkSample) bool, portable bool,
) *Benchmarks {
	if keep != nil {
		base = base.Only(keep)
	}
	// Names without GOMAXPROCS let allocations be compared between machines of different sizes.
	named := len(base.Procs()) > 1 || len(now.Procs()) > 1
	b := &Benchmarks{Base: base.Records(named, portable), Records: now.Records(named, portable)}
	same := base.System != "" && base.System == now.System && slices.Equal(base.Procs(), now.Procs())
	c := conditions{
		SameMachine: same, SameWorkload: true, PortableOnly: portable, Strict: portable, WholeAllocations: true,
	}
	if same || portable { // between machines, only metrics of the testing package are judged unasked
		c.OwnUnits, c.Better = true, map[string]int{}
		maps.Copy(c.Better, base.Better())
		maps.Copy(c.Better, now.Better())
	}
	b.Judgement = compare(&baseline.Scenario{Records: b.Base}, b.Records, c)
	failures := slices.Concat(now.Failures, base.Failures)
	if j := b.Judgement; len(failures) > 0 && j.HasBaseline && results.Inconclusive.WorseThan(j.Compared) {
		j.Compared, j.Reasons = results.Inconclusive, []Reason{{Code: GoTestFailed, Text: failures[0]}}
	}
	if b.Verdict = b.Compared; b.Verdict == "" && portable {
		b.Verdict = results.Inconclusive
	}
	return b
}
