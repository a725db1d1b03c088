package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
)

// foldRows returns the rows that a reader wants first, and a line about those that are left out: the key
// metrics of each operation, judged or not, and below them every other row that was judged. It returns all
// rows in their order and no line if every row was judged, or if there was no baseline to judge any by.
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

// sortKeyMetrics returns the rows by operation. One that has a rate, which is the whole delivery, comes first
// in its scenario.
func sortKeyMetrics(rows []Row) []Row {
	of := func(r Row) operation { return operation{r.Scenario, r.Op} }
	var order []operation
	rated := map[operation]bool{}
	for _, r := range rows {
		if !slices.Contains(order, of(r)) {
			order = append(order, of(r))
		}
		rated[of(r)] = rated[of(r)] || r.Unit.Quantity == results.Rate
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
		if of(a) != of(b) {
			return slices.Index(order, of(a)) - slices.Index(order, of(b))
		}
		return a.Unit.KeyFigure - b.Unit.KeyFigure
	})
	return sorted
}

// foldedLine says how many rows weren't judged and why, the most frequent reason first: "22 times and rates
// aren't judged: the baseline is from another machine; `--all` shows them". It names metrics that are never
// judged only if it names no others.
func foldedLine(unjudged []Row) string {
	var reasons []judge.Code
	of := map[judge.Code][]Row{}
	for _, r := range unjudged {
		code := r.Reason.Code
		if of[code] == nil {
			reasons = append(reasons, code)
		}
		of[code] = append(of[code], r)
	}
	slices.SortStableFunc(reasons, func(a, b judge.Code) int { return len(of[b]) - len(of[a]) })
	if len(reasons) > 1 {
		reasons = slices.DeleteFunc(reasons, func(code judge.Code) bool { return code == judge.ShownOnly })
	}
	var parts []string
	for _, reason := range reasons {
		rows := of[reason]
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

// rowsNoun returns a number of rows and what they are: "22 times and rates", "1 count". The memory of the
// driver is counted with its times.
func rowsNoun(rows []Row) string {
	var nouns []string
	for _, r := range rows {
		if noun := rowNoun(r.Unit.Class); !slices.Contains(nouns, noun) {
			nouns = append(nouns, noun)
		}
	}
	switch {
	case len(nouns) > 2 || slices.Contains(nouns, "metric"), len(rows) == 1 && rows[0].Unit.Class == results.ClassMemory:
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
