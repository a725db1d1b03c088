package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
)

// foldRows returns the rows that a terminal shows, and a line about the rows that it leaves out.
// First come the key metrics of each operation, then all other rows that were judged. If all rows
// were judged, or none could be for lack of a baseline, foldRows returns all rows as they are, and
// no line.
func foldRows(all []Row, hasBaseline bool) (rows []Row, folded string) {
	var unjudged, key, rest []Row
	for _, r := range all {
		if r.Verdict == "" {
			unjudged = append(unjudged, r)
		}
		switch {
		case r.Unit.KeyFigure > 0:
			key = append(key, r)
		case r.Verdict != "":
			rest = append(rest, r)
		}
	}
	if !hasBaseline || len(unjudged) == 0 {
		return all, ""
	}
	return append(sortKeyMetrics(key), rest...), foldedLine(unjudged)
}

// sortKeyMetrics returns rows sorted by operation, and within an operation as
// [results.Unit.KeyFigure] says. The operation that has a rate, which is the whole delivery, comes
// first in its scenario.
func sortKeyMetrics(rows []Row) []Row {
	operationOf := func(r Row) operation { return operation{r.Scenario, r.Op} }
	var order []operation
	rated := map[operation]bool{}
	for _, r := range rows {
		if !slices.Contains(order, operationOf(r)) {
			order = append(order, operationOf(r))
		}
		rated[operationOf(r)] = rated[operationOf(r)] || r.Unit.Quantity == results.Rate
	}
	slices.SortStableFunc(order, func(a, b operation) int {
		switch {
		case a.scenario != b.scenario || rated[a] == rated[b]:
			return 0
		case rated[a]:
			return -1
		}
		return 1
	})
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b Row) int {
		if operationOf(a) != operationOf(b) {
			return slices.Index(order, operationOf(a)) - slices.Index(order, operationOf(b))
		}
		return a.Unit.KeyFigure - b.Unit.KeyFigure
	})
	return sorted
}

// foldedLine returns a line that says how many rows weren't judged and why, the most frequent
// reason first: "22 times and rates aren't judged: the baseline is from another machine; `--all`
// shows them". It mentions metrics that are never judged only if there are no other ones.
func foldedLine(unjudged []Row) string {
	var reasons []judge.Code
	byReason := map[judge.Code][]Row{}
	for _, r := range unjudged {
		code := r.Reason.Code
		if byReason[code] == nil {
			reasons = append(reasons, code)
		}
		byReason[code] = append(byReason[code], r)
	}
	slices.SortStableFunc(reasons, func(a, b judge.Code) int { return len(byReason[b]) - len(byReason[a]) })
	if len(reasons) > 1 {
		reasons = slices.DeleteFunc(reasons, func(code judge.Code) bool { return code == judge.ShownOnly })
	}
	var parts []string
	for _, reason := range reasons {
		rows := byReason[reason]
		form := "%s aren't judged: %s"
		switch {
		case len(parts) == 0 && len(rows) == 1:
			form = "%s isn't judged: %s"
		case len(parts) > 0 && len(rows) == 1:
			form = "nor is %s: %s"
		case len(parts) > 0:
			form = "nor are %s: %s"
		}
		parts = append(parts, fmt.Sprintf(form, rowsNoun(rows), unjudgedClause(reason)))
	}
	shows := "`--all` shows them"
	if len(unjudged) == 1 {
		shows = "`--all` shows it"
	}
	return strings.Join(append(parts, shows), "; ")
}

// rowsNoun returns the number of rows and what they are: "22 times and rates", "1 count". It counts
// the driver's memory among times.
func rowsNoun(rows []Row) string {
	var nouns []string
	for _, r := range rows {
		if noun := rowNoun(r.Unit.Class); !slices.Contains(nouns, noun) {
			nouns = append(nouns, noun)
		}
	}
	onlyMemory := len(rows) == 1 && rows[0].Unit.Class == results.ClassMemory
	switch {
	case len(nouns) > 2 || slices.Contains(nouns, "metric") || onlyMemory:
		return plaintext.Count(len(rows), "metric")
	case len(nouns) == 2:
		return fmt.Sprintf("%d %ss and %ss", len(rows), nouns[0], nouns[1])
	}
	return plaintext.Count(len(rows), nouns[0])
}

func rowNoun(class results.UnitClass) string {
	switch class {
	case results.ClassTime, results.ClassCPU, results.ClassMemory:
		return "time"
	case results.ClassRate:
		return "rate"
	case results.ClassAllocation:
		return "allocation"
	case results.ClassCount:
		return "count"
	}
	return "metric"
}
