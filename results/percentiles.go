package results

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// percentile returns the share of operations that take no longer than the value of a metric: 0.999
// for "p99.9-ns/op". It reports false for a metric that is no percentile.
func percentile(unit string) (q float64, ok bool) {
	rest, ok := strings.CutSuffix(unit, "-ns/op")
	if !ok {
		return 0, false
	}
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		rest = rest[i+1:]
	}
	text, ok := strings.CutPrefix(rest, "p")
	if !ok {
		return 0, false
	}
	percent, err := strconv.ParseFloat(text, 64)
	return percent / 100, err == nil && percent > 0 && percent < 100
}

// WantedOperations returns how many operations a percentile needs to say something: 10/(1−q), so
// that ten of them lie beyond it. It returns 0 for a metric that is no percentile.
func WantedOperations(unit string) int64 {
	q, ok := percentile(unit)
	if !ok {
		return 0
	}
	return int64(math.Round(10 / (1 - q)))
}

// Operations returns how many operations a record's value of a metric rests on.
func (r Record) Operations(unit string) int64 {
	if u, _ := LookupUnit(unit); u.OfFailed {
		return r.Failed
	}
	return r.Ops
}

// few returns why a percentile of so few operations can't be judged: "8 operations: a p99.9 wants
// 10,000". It returns "" if they are enough, or if the metric is no percentile. If least isn't 0,
// that many are enough.
func few(unit string, operations, least int64) string {
	wanted := WantedOperations(unit)
	if wanted == 0 || operations >= wanted || least > 0 && operations >= least {
		return ""
	}
	if least > 0 {
		wanted = least
	}
	q, _ := percentile(unit)
	return fmt.Sprintf("%s: a p%.4g wants %s",
		plaintext.Count(int(operations), "operation"), 100*q, plaintext.Thousands(wanted))
}
