package judge

import (
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/internal/stats"
)

// Benchmarks is the judgement of the Go benchmarks of two files.
type Benchmarks struct {
	*Judgement
	Base, Records []results.Record // the base's and the other file's, as they were compared
}

// CompareBenchmarks judges the benchmarks in now by those in base. If keep isn't nil, it leaves out
// the samples of base for which keep returns false. The files were measured one after the other, so
// times have the wide tolerances of a comparison with a baseline, and are judged only if both files
// name the same system and GOMAXPROCS.
//
// If portable is set, only portable metrics are judged, and one that can't be judged is
// inconclusive. Metrics that benchmarks report themselves have the direction that a Unit line of
// either file, or [results.BenchmarkFile.Declare], gives; one without a direction is inconclusive
// if it changed. If go test failed on either side, the comparison can't pass, since it may lack
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
	if same || portable { // otherwise, judge only metrics of the testing package
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

// ownTolerance is the smallest relative change that counts for a metric that a benchmark reports
// itself.
const ownTolerance = 0.05

// judgeOwn judges the metrics that package results doesn't know. c.Better gives their direction, if
// it has one. rows and pairs have the same order.
func (c *conditions) judgeOwn(rows []Row, pairs []*rowSamples) {
	var own []int
	for i := range rows {
		r := &rows[i]
		if r.Reason.Code != UnknownMetric || !c.OwnUnits && c.Better[r.Unit.Name] == 0 {
			continue
		}
		switch {
		case isTime(r.Unit.Name) && c.PortableOnly:
			r.Reason = Reason{Code: NotPortable}
		case isTime(r.Unit.Name) && !c.SameMachine:
			r.Reason = Reason{Code: OtherMachine}
		case isTime(r.Unit.Name) && drifted(c.Drift):
			r.Reason = Reason{Code: MachineDrift, Value: c.Drift}
		default:
			own = append(own, i)
		}
	}
	for _, i := range own {
		rows[i].Unit.Better = c.Better[rows[i].Unit.Name]
		rows[i].decideOwn(pairs[i].old, pairs[i].now, c.Strict, alpha/float64(len(own)))
	}
}

// isTime reports whether a metric that a benchmark reports itself is a time or a rate, which can't
// be compared between machines. A part of its name is then a unit of time, as in p99-ns/op or
// tokens/s.
func isTime(unit string) bool {
	parts := strings.FieldsFunc(unit, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	return slices.ContainsFunc(parts, func(part string) bool {
		switch part {
		case "ns", "us", "µs", "μs", "ms", "s", "sec", "secs", "second", "seconds", "min", "minute", "minutes":
			return true
		}
		return false
	})
}

// decideOwn judges a metric that a benchmark reports itself. If strict is set, it passes only if it
// can't be worse by twice the tolerance; without a direction, only if it can't have changed by that
// much.
func (r *Row) decideOwn(old, now []float64, strict bool, alpha float64) {
	better := r.Unit.Better
	allowed := ownTolerance * math.Abs(r.Base.Median)
	moved := math.Abs(r.Now.Median-r.Base.Median) > allowed
	var untold Reason
	if stats.Differ(old) || stats.Differ(now) {
		if strict {
			untold = r.mayBeWorseOwn(old, now, allowed)
		}
		p := compareP(slices.Clone(old), slices.Clone(now))
		r.P, r.AdjustedP = p, p
		moved = moved && *p < alpha
	}
	switch {
	case better == 0 && moved:
		r.Verdict, r.Reason = results.Inconclusive, Reason{Code: Undirected}
	case !moved && untold.Code != "" && better == 0:
		untold.Code = UndirectedMayChange
		r.Verdict, r.Reason = results.Inconclusive, untold
	case !moved && untold.Code != "":
		r.Verdict, r.Reason = results.Inconclusive, untold
	case better == 0 && strict:
		r.Verdict, r.Reason = results.Pass, Reason{Code: UndirectedUnchanged}
	case better == 0:
		r.Reason = Reason{Code: NoDirection}
	case !moved:
		r.Verdict, r.Reason = results.Pass, Reason{}
	case (r.Now.Median > r.Base.Median) == (better > 0):
		r.Verdict, r.Reason = results.Improved, Reason{}
	default:
		r.Verdict, r.Reason = results.Regressed, Reason{}
	}
}

// mayBeWorseOwn returns why a metric that a benchmark reports itself can't pass, or the zero Reason
// if it can. A metric without a direction passes only if it can have become neither smaller nor
// larger by twice what is allowed.
func (r *Row) mayBeWorseOwn(old, now []float64, allowed float64) Reason {
	directions := []int{r.Unit.Better}
	if r.Unit.Better == 0 {
		directions = []int{-1, +1}
	}
	for _, d := range directions {
		if reason := newBound(old, now, results.Unit{Better: d}).mayBeWorse(r, allowed); reason.Code != "" {
			return reason
		}
	}
	return Reason{}
}
