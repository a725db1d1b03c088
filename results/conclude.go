package results

import (
	"fmt"
	"math"
	"strings"
)

// severity orders verdicts; the larger wins.
func (v Verdict) severity() int {
	switch v {
	case Invalid:
		return 5
	case Regressed:
		return 4
	case Inconclusive:
		return 3
	case Improved:
		return 2
	case Pass:
		return 1
	}
	return 0
}

// conclude draws the verdict of the whole from the rows', and says why.
func (j *Judgement) conclude(c Conditions) {
	judged, unjudged := 0, 0
	var worst []*JudgedRow
	for i := range j.Rows {
		r := &j.Rows[i]
		if r.Verdict == "" {
			unjudged++
			continue
		}
		judged++
		switch {
		case r.Verdict.severity() > j.Verdict.severity():
			j.Verdict, worst = r.Verdict, append(worst[:0], r)
		case r.Verdict == j.Verdict:
			worst = append(worst, r)
		}
	}
	switch {
	case !j.HasBaseline:
		j.Reason = "no baseline to hold the run against"
		return
	case judged == 0 && !c.SameWorkload:
		j.Reason = "the baseline measured another workload, so nothing is judged"
		return
	case judged == 0:
		j.Reason = "the baseline and the run have no metric in common that can be judged"
		return
	}
	switch j.Verdict {
	case Pass:
		j.Reason = fmt.Sprintf("%s judged, none beyond its tolerance", plural(judged, "metric"))
	default:
		j.Reason = describe(*mostMoved(worst))
		if others := len(worst) - 1; others > 0 {
			j.Reason += fmt.Sprintf(", and %s", plural(others, "other metric"))
		}
	}
	if unjudged > 0 {
		j.Reason += fmt.Sprintf("; %s not judged", plural(unjudged, "metric"))
		switch {
		case c.PortableOnly:
			j.Reason += " (only portable ones were asked for)"
		case !c.SameMachine:
			j.Reason += " (the baseline is from another machine)"
		case moved(c.Pace) != "":
			j.Reason += " (" + moved(c.Pace) + ")"
		}
	}
}

// mostMoved is the row whose change is the largest multiple; a vanished metric
// and a change from zero come before all.
func mostMoved(rows []*JudgedRow) *JudgedRow {
	moved := func(r *JudgedRow) float64 {
		if r.Delta == nil {
			return math.Inf(1)
		}
		return math.Abs(math.Log1p(*r.Delta))
	}
	most := rows[0]
	for _, r := range rows[1:] {
		if moved(r) > moved(most) {
			most = r
		}
	}
	return most
}

func describe(r JudgedRow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s ", r.Op, r.Unit)
	switch {
	case r.Now == nil:
		b.WriteString("is " + noteMissing)
	case r.Verdict == Inconclusive:
		b.WriteString("can't be told: " + r.Note)
	case r.Baseline != nil:
		fmt.Fprintf(&b, "went from %s to %s", FormatValue(r.Baseline.Median, r.Unit), FormatValue(r.Now.Median, r.Unit))
		if r.Delta != nil {
			fmt.Fprintf(&b, " (%s)", formatDelta(r))
		}
	}
	return b.String()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
