package htmlpage

import (
	"fmt"
	"slices"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
)

// bigFigures returns the rate, the median, the 99th percentile and the failures of the load's
// operation. It returns nil for a page about several scenarios.
func (b *builder) bigFigures() (list []bigFigure) {
	if len(b.Rows) == 0 && b.Run == nil || report.SpanScenarios(b.Rows) {
		return nil
	}
	op := b.loadOperation()
	figures := []struct{ name, unit string }{
		{"rate of " + op, results.UnitRate}, {"p50 of " + op, results.UnitP50}, {"p99 of " + op, results.UnitP99},
	}
	if b.isService() {
		figures = []struct{ name, unit string }{
			{"rollout", results.UnitRolloutTime}, {"p50 to updated", results.UnitToUpdatedP50}, {"p99 to updated", results.UnitToUpdatedP99},
		}
	}
	for _, f := range figures {
		i := slices.IndexFunc(b.Rows, func(r report.Row) bool { return r.Op == op && r.Unit.Name == f.unit })
		if i < 0 || b.Rows[i].Now == nil {
			if value, ok := b.partialValue(op, f.unit); ok {
				list = append(list, bigFigure{Name: b.clip(f.name), Value: value, Note: "partial repetition"})
			}
			continue
		}
		r := &b.Rows[i]
		figure := bigFigure{
			Name: b.clip(f.name), Class: verdictClass(r.Verdict),
			Value: results.FormatValue(r.Now.Median, r.Unit.Name),
		}
		if b.HasBase && r.Base != nil {
			figure.Base = b.baseValue(results.FormatValue(r.Base.Median, r.Unit.Name))
			figure.Change = plaintext.Clip(r.FormatDelta(), 30)
		}
		list = append(list, figure)
	}
	if f, ok := b.failureFigure(op); ok {
		list = append(list, f)
	}
	return list
}

// isService reports whether the page is about a service, of which the times to the updates are known
// instead of response times.
func (b *builder) isService() bool { return b.Run != nil && b.Run.Client.IsService() }

// loadOperation returns the operation of the load, or the one with the most metrics if the load is
// unknown.
func (b *builder) loadOperation() string {
	for _, side := range []report.Side{b.Now, b.Base} {
		for _, t := range side.Timelines {
			if slices.ContainsFunc(b.Rows, func(r report.Row) bool { return r.Op == t.Op }) {
				return t.Op
			}
		}
	}
	if len(b.Rows) > 0 {
		return primaryOperations(b.Rows)[b.Rows[0].Scenario]
	}
	if len(b.Now.Timelines) > 0 { // a run without any complete repetition
		return b.Now.Timelines[0].Op
	}
	return ""
}

// partialValue returns a metric of the partial repetition of a run that has no complete one.
func (b *builder) partialValue(op, unit string) (string, bool) {
	if !b.OnlyPartial() {
		return "", false
	}
	for _, v := range b.Run.Partial.Values {
		if v.Op == op && v.Unit == unit {
			return results.FormatValue(v.Value, unit), true
		}
	}
	return "", false
}

func (b *builder) baseValue(text string) string {
	return plaintext.Clip(b.Base.Label, 24) + ": " + plaintext.Clip(text, 40)
}

// failureFigure returns the number of operations that failed in all timed repetitions. If a side
// has no such number, it returns the share of devices whose operation failed. It reports false if
// that is unknown too.
func (b *builder) failureFigure(op string) (bigFigure, bool) {
	f := bigFigure{Name: "failed operations", Class: "none"}
	now, ok := failureCount(b.Now)
	base, baseOK := failureCount(b.Base)
	if ok && (baseOK || !b.HasBase) {
		f.Value, f.Note = plaintext.Thousands(now.failed), "of "+plaintext.Thousands(now.ended)
		if now.failed > 0 {
			f.Note += ", " + now.share()
		}
		if b.HasBase {
			f.Base = b.baseValue(plaintext.Thousands(base.failed) + " of " + plaintext.Thousands(base.ended))
		}
		return f, true
	}
	i := slices.IndexFunc(b.Rows, func(r report.Row) bool { return r.Op == op && r.Unit.Name == results.UnitFailed })
	if i < 0 || b.Rows[i].Now == nil {
		return f, false
	}
	r := &b.Rows[i]
	f.Name, f.Class = "failed devices", verdictClass(r.Verdict)
	f.Value = results.FormatValue(r.Now.Median, r.Unit.Name)
	if b.HasBase && r.Base != nil {
		f.Base = b.baseValue(results.FormatValue(r.Base.Median, r.Unit.Name))
		f.Change = plaintext.Clip(r.FormatDelta(), 30)
	}
	return f, true
}

// A failureTotal counts operations that ended, and the failed ones of them.
type failureTotal struct{ failed, ended int64 }

func (f failureTotal) share() string {
	if f.ended == 0 {
		return "0%"
	}
	return fmt.Sprintf("%.3g%%", 100*float64(f.failed)/float64(f.ended))
}

// failureCount counts the operations of a side's timed repetitions. It reports false if the side
// has no run.
func failureCount(side report.Side) (total failureTotal, ok bool) {
	if side.Run == nil {
		return failureTotal{}, false
	}
	for _, o := range side.Run.Operations {
		total.failed += o.Failed
		total.ended += o.Succeeded + o.Failed
	}
	if p := side.Run.Partial; p != nil && len(side.Run.Operations) == 0 {
		total = failureTotal{p.Failed, p.Failed + p.Succeeded}
	}
	return total, total.ended > 0
}
