package results

import "fmt"

// doubt takes a verdict back that the run's conditions don't bear.
func (r *JudgedRow) doubt(c Conditions) {
	unit, known := LookupUnit(r.Unit)
	if !known || r.Now == nil {
		return
	}
	// The machine's other work may have brought it about.
	changed := r.Verdict == Regressed || r.Verdict == Improved
	if changed && c.Disturbed != "" && !unit.Class.Portable() {
		r.Verdict, r.Note = Inconclusive, c.Disturbed+" meanwhile: repeat on a machine at rest"
	}
	// A repetition in which every device failed has no line, and so no failure on it.
	good := r.Verdict == Pass || r.Verdict == Improved
	if good && unit.Exact && r.Now.N < c.Repetitions {
		r.Verdict = Inconclusive
		r.Note = fmt.Sprintf("only %d of %d repetitions measured it: find out what became of the others", r.Now.N, c.Repetitions)
	}
}
