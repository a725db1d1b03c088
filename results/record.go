package results

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Record is what one repetition measured of one operation, or of one Go benchmark.
type Record struct {
	Scenario   string // such as "rollout", or the import path of a benchmark's package
	Op         string // "push", "verify" or "deliver", or a benchmark such as "Push/size=1KiB-2"
	Repetition int    // 1-based
	Ops        int64  // operations that succeeded, or iterations, over which values are taken
	Values     []Value

	// Failed and NotSent count the operations that failed, and those that were planned and never
	// sent. Only a record with metrics of the whole load has them; they are 0 in all others.
	Failed  int64 `json:",omitzero"`
	NotSent int64 `json:",omitzero"`
}

// A Value is one metric of a record, in the unit as named in [Units]: times are in nanoseconds, not
// yet in benchstat's seconds.
type Value struct {
	Unit  string
	Value float64
}

// SetOutcomes sets Failed and NotSent of a run's records from list, the operations of its timed
// repetitions. After [ParseSamples], Failed is only an estimate, and NotSent is 0. A repetition may
// have no record if none of its operations succeeded, so records are matched to repetitions by the
// number of operations that succeeded, in order.
func SetOutcomes(records []Record, list []Operations) {
	for i := range records {
		r := &records[i]
		if _, whole := r.Value(UnitFailed); !whole {
			continue
		}
		at := slices.IndexFunc(list, func(o Operations) bool { return o.Succeeded == r.Ops })
		if at < 0 {
			return
		}
		r.Failed, r.NotSent = list[at].Failed, list[at].NotSent
		list = list[at+1:]
	}
}

// estimateFailed sets Failed from the share of operations that failed. It does nothing if all of
// them failed, since the share then doesn't tell how many.
func (r *Record) estimateFailed() {
	if share, ok := r.Value(UnitFailed); ok && share < 1 {
		r.Failed = int64(math.Round(float64(r.Ops) / (1 - share) * share))
	}
}

// Value returns the record's value in the given unit.
func (r Record) Value(unit string) (float64, bool) {
	for _, v := range r.Values {
		if v.Unit == unit {
			return v.Value, true
		}
	}
	return 0, false
}

// Validate returns an error if a name of the record isn't a word, or a value isn't a finite number.
func (r Record) Validate() error {
	for _, name := range [][2]string{{"scenario", r.Scenario}, {"operation", r.Op}} {
		what, word := name[0], name[1]
		if !isWord(word) {
			return fmt.Errorf("%s %q: want a word without spaces", what, word)
		}
	}
	if r.Ops < 0 || r.Ops > math.MaxInt {
		return fmt.Errorf("record %s/%s: %d operations: want none or more", r.Scenario, r.Op, r.Ops)
	}
	if len(r.Values) == 0 {
		return fmt.Errorf("record %s/%s: no values: want at least one metric", r.Scenario, r.Op)
	}
	for i, v := range r.Values {
		if !isWord(v.Unit) {
			return fmt.Errorf("record %s/%s: unit %q: want a word without spaces", r.Scenario, r.Op, v.Unit)
		}
		if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
			return fmt.Errorf("record %s/%s: %s is %v: want a finite number", r.Scenario, r.Op, v.Unit, v.Value)
		}
		for _, earlier := range r.Values[:i] {
			if earlier.Unit == v.Unit {
				return fmt.Errorf("record %s/%s: %s is given twice: want one value a unit", r.Scenario, r.Op, v.Unit)
			}
		}
	}
	return nil
}

// checkName returns an error if the record's name can't be written to a run's samples.
func (r Record) checkName() error {
	if err := CheckName("scenario", r.Scenario); err != nil {
		return err
	}
	return CheckName("operation", r.Op)
}

// CheckName returns an error if word can't be part of a benchmark's name in samples.txt, in which
// slashes and equals signs separate the parts. The error calls the word what.
func CheckName(what, word string) error {
	if !isWord(word) || strings.ContainsAny(word, "/=") {
		return fmt.Errorf("%s %q: want a word without spaces, slashes or equals signs", what, word)
	}
	return nil
}

// isWord reports whether s can be a word of a line whose words are separated by spaces.
func isWord(s string) bool {
	return s != "" && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

const (
	namePrefix = "Scenario/"
	opPrefix   = "/op="
)

// benchmarkName returns the name that a record's line begins with, such as
// "BenchmarkScenario/rollout/op=push-2". procs is the driver's GOMAXPROCS.
func benchmarkName(scenario, op string, procs int) string {
	return "Benchmark" + namePrefix + scenario + opPrefix + op + "-" + strconv.Itoa(procs)
}

// parseName splits a name that benchmarkName returned, without "Benchmark", which benchfmt removes.
// It reports false for every other name.
func parseName(name string) (scenario, op string, ok bool) {
	rest, ok := strings.CutPrefix(name, namePrefix)
	if !ok {
		return "", "", false
	}
	scenario, op, ok = strings.Cut(rest, opPrefix)
	if !ok {
		return "", "", false
	}
	dash := strings.LastIndexByte(op, '-')
	if dash < 0 {
		return "", "", false
	}
	if procs, err := strconv.Atoi(op[dash+1:]); err != nil || procs < 1 {
		return "", "", false
	}
	op = op[:dash]
	return scenario, op, CheckName("scenario", scenario) == nil && CheckName("operation", op) == nil
}
