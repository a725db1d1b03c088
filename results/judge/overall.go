package judge

import (
	"math"

	"github.com/fleetmark/fleetmark/results"
)

// overall derives the verdict of the comparison from the rows', and its reasons.
func (j *Judgement) overall(c conditions) {
	judged, unjudged := 0, 0
	var worst []*Row
	for i := range j.Rows {
		r := &j.Rows[i]
		if r.Verdict == "" {
			if r.Reason.Code != ShownOnly {
				unjudged++
			}
			continue
		}
		judged++
		switch {
		case r.Verdict.WorseThan(j.Compared):
			j.Compared, worst = r.Verdict, append(worst[:0], r)
		case r.Verdict == j.Compared:
			worst = append(worst, r)
		}
	}
	switch {
	case !j.HasBaseline:
		j.Reasons = []Reason{{Code: NoBaseline}}
		return
	case judged == 0 && !c.SameWorkload:
		j.Reasons = []Reason{{Code: WorkloadDiffers}}
		return
	case judged == 0:
		j.Reasons = []Reason{{Code: NoCommonMetric}}
		return
	case j.Compared == results.Pass:
		j.Reasons = []Reason{{Code: WithinTolerance, N: judged}}
	default:
		j.Reasons = []Reason{{Code: WorstRow, Row: largestChange(worst), N: len(worst) - 1}}
	}
	if unjudged == 0 {
		return
	}
	reason := Reason{Code: RowsUnjudged, N: unjudged}
	switch {
	case c.PortableOnly:
		reason.Cause = NotPortable
	case !c.SameMachine:
		reason.Cause = OtherMachine
	case drifted(c.Drift):
		reason.Cause, reason.Value = MachineDrift, c.Drift
	}
	j.Reasons = append(j.Reasons, reason)
}

// largestChange returns a copy of the row whose change is the largest multiple. A metric that is
// missing, and a change from zero, are larger than all others.
func largestChange(rows []*Row) *Row {
	change := func(r *Row) float64 {
		if r.Delta == nil {
			return math.Inf(1)
		}
		return math.Abs(math.Log1p(*r.Delta))
	}
	largest := rows[0]
	for _, r := range rows[1:] {
		if change(r) > change(largest) {
			largest = r
		}
	}
	row := *largest
	return &row
}
