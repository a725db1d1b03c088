package profiles

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"

	"github.com/google/pprof/profile"
)

// Row is a function's share of a profile, in whole units.
type Row struct {
	Function string `json:"function"` // as the profile names it: package path, receiver, name
	Flat     int64  `json:"flat"`     // of the function itself
	Cum      int64  `json:"cum"`      // of it and all that it called, each stack once
	Unit     string `json:"unit"`     // nanoseconds, bytes or count
}

// TopRows answers the functions that [Top] shows, in its order, with their exact
// numbers. Names stand as they are in the profile, where the text simplifies those that
// look like C++ to pprof.
//
// Its errors are those of Top. It takes no context: it waits for nobody, and a profile
// is read and summed in milliseconds.
func TopRows(files []string, opts TopOptions) ([]Row, error) {
	p, index, err := merged(context.Background(), files, opts.SampleIndex, checkDrawn)
	if err != nil {
		return nil, err
	}
	rows := significant(byFunction(p, index))
	slices.SortFunc(rows, order(opts.Cumulative))
	if n := opts.lines(); n > 0 && n < len(rows) {
		rows = slices.Clip(rows[:n])
	}
	return rows, nil
}

// byFunction sums one column of p over functions, in no order.
func byFunction(p *profile.Profile, index int) []Row {
	unit := p.SampleType[index].Unit
	at := make(map[string]int, len(p.Function))
	var rows []Row
	row := func(name string) *Row {
		i, ok := at[name]
		if !ok {
			i = len(rows)
			at[name] = i
			rows = append(rows, Row{Function: name, Unit: unit})
		}
		return &rows[i]
	}

	inStack := make(map[string]bool) // a function that calls itself counts once
	for _, sample := range p.Sample {
		value := sample.Value[index]
		if value == 0 {
			continue
		}
		clear(inStack)
		leaf := true
		for _, location := range sample.Location { // from the leaf to the root
			for _, name := range functionNames(location) {
				if leaf {
					row(name).Flat += value
					leaf = false
				}
				if !inStack[name] {
					inStack[name] = true
					row(name).Cum += value
				}
			}
		}
	}
	return rows
}

// functionNames are the functions at a location, the innermost inlined one first.
func functionNames(location *profile.Location) []string {
	if len(location.Line) == 0 {
		return []string{binaryName(location)}
	}
	names := make([]string, len(location.Line))
	for i, line := range location.Line {
		if line.Function != nil && line.Function.Name != "" {
			names[i] = line.Function.Name
		} else {
			names[i] = binaryName(location)
		}
	}
	return names
}

// binaryName stands, as in pprof, for a function that has no name.
func binaryName(location *profile.Location) string {
	if location.Mapping == nil || location.Mapping.File == "" {
		return "<unknown>"
	}
	return "[" + filepath.Base(location.Mapping.File) + "]"
}

// nodeFraction is pprof's default of the same name: functions with less of the total
// are noise.
const nodeFraction = 0.005

// significant drops the rows that pprof drops.
func significant(rows []Row) []Row {
	var total int64
	for _, r := range rows {
		total += r.Flat
	}
	cutoff := abs(int64(float64(total) * nodeFraction))
	return slices.DeleteFunc(rows, func(r Row) bool {
		return r.Flat == 0 && r.Cum == 0 || abs(r.Cum) < cutoff
	})
}

// order sorts as pprof does: by size whatever the sign, then by name.
func order(cumulative bool) func(a, b Row) int {
	return func(a, b Row) int {
		bySize := cmp.Compare(abs(b.Flat), abs(a.Flat))
		if cumulative {
			bySize = cmp.Compare(abs(b.Cum), abs(a.Cum))
		}
		return cmp.Or(bySize, cmp.Compare(a.Function, b.Function))
	}
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
