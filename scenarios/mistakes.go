package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

const (
	maxMistakes = 20   // that are told of one scenario
	maxKept     = 5000 // that are kept, to be sorted: a file may be one mistake a line
)

// mistakes are those of a scenario, as they are found.
type mistakes struct {
	list []*SpecError
	more int // that were found and not kept

	// unread are the fields that could not be read and so have the value that they had before:
	// what is wrong with that is no mistake of the file.
	unread []string
}

func (m *mistakes) add(e *SpecError) {
	if len(m.list) == maxKept {
		m.more++
		return
	}
	m.list = append(m.list, e)
}

// doubts reports whether a mistake in the field may only come of one that could not be read.
func (m *mistakes) doubts(field string) bool {
	for _, unread := range m.unread {
		if related(unread, field) || slices.ContainsFunc(comesOf(field), func(f string) bool { return related(unread, f) }) {
			return true
		}
	}
	return false
}

// comesOf are the other fields that a mistake in this one may come of: where one of them could
// not be read there may be no mistake, and where this one wasn't written, the first of them that
// was is the place to look.
func comesOf(field string) []string {
	var of []string
	for _, row := range []struct {
		whole string
		of    []string
	}{
		{"load.spike", []string{"load.duration"}},
		{"load.burst", []string{"load.duration"}},
		{"load.ramp", []string{"load.rate"}},
		{"load.breakpoint", []string{"load.rate"}},
		{"thresholds", []string{"load.operation"}},
		{"fleet.devices", []string{"fleet.addressing", "load.model"}},
		{"fleet.behavior", []string{"fleet.addressing"}},
		{"fleet.groups", []string{"fleet.addressing", "fleet.tls"}},
		{"artifact.size", []string{"artifact.file"}},
	} {
		if isPart(field, row.whole) {
			of = row.of
		}
	}
	if isPart(field, "load") && field != "load.workers" && field != "load.operation" {
		of = append([]string{"load.model"}, of...)
	}
	return of
}

// err joins the mistakes in the order of the files, those of the first file first, and
// says how many there are beyond those that it tells.
func (m *mistakes) err(files ...string) error {
	if len(m.list) == 0 {
		return nil
	}
	order := func(file string) int {
		if i := slices.Index(files, file); i >= 0 {
			return i
		}
		return len(files) // a base that couldn't be read
	}
	slices.SortStableFunc(m.list, func(a, b *SpecError) int {
		return cmp.Or(
			cmp.Compare(order(a.File), order(b.File)),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
		)
	})
	told := m.list[:min(len(m.list), maxMistakes)]
	if n := len(m.list) + m.more - len(told); n > 0 {
		told = append(slices.Clone(told), &SpecError{File: told[len(told)-1].File, Problem: fmt.Sprintf("and %d more", n)})
	}
	return joinSpec(told)
}

// joinSpec makes one error of many, in order.
func joinSpec(errs []*SpecError) error {
	all := make([]error, len(errs))
	for i, e := range errs {
		all[i] = e
	}
	return errors.Join(all...)
}

// Mistakes takes an error of LoadFile, Parse, Find or Validate apart into the mistakes that it
// joins. What is wrong with the file rather than in it is one, of the file as a whole.
func Mistakes(file string, err error) []*SpecError {
	var list []*SpecError
	for _, e := range SplitErrors(err) {
		mistake, ok := errors.AsType[*SpecError](e)
		if !ok {
			mistake = &SpecError{File: file, Problem: oneLine(e.Error())}
			if u, ok := errors.AsType[*UsageError](e); ok && u.Err != nil {
				mistake.Problem = oneLine(u.Err.Error()) // the rest names the file
			}
		}
		list = append(list, mistake)
	}
	return list
}
