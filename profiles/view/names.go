package view

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
	"github.com/ianlancetaylor/demangle"

	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// A naming returns the name of the table's node for a line of a location. The line is the zero Line
// if the location has none.
type naming func(*profile.Location, profile.Line) string

// rawName returns a function's name as it is in the profile.
func rawName(l *profile.Location, line profile.Line) string {
	if line.Function == nil || line.Function.Name == "" {
		return stack.BinaryName(l)
	}
	return line.Function.Name
}

// shownNames returns a naming that names functions, or lines, as pprof shows them. pprof simplifies
// names that look like C++.
func shownNames(byLine bool) naming {
	simple := map[*profile.Function]string{}
	return func(l *profile.Location, line profile.Line) string {
		f := line.Function
		if f == nil {
			return stack.BinaryName(l)
		}
		name, ok := simple[f]
		if !ok {
			name = simplified(f)
			simple[f] = name
		}
		if name == "" {
			name = stack.BinaryName(l)
		}
		if !byLine || f.Filename == "" && line.Line == 0 {
			return name
		}
		file := ""
		if f.Filename != "" {
			file = filepath.Clean(f.Filename)
		}
		if line.Line == 0 {
			return name + " " + file
		}
		return name + " " + file + ":" + strconv.FormatInt(line.Line, 10)
	}
}

func simplified(f *profile.Function) string {
	if f.Name != "" && f.Name != f.SystemName {
		return f.Name
	}
	for _, name := range []string{f.SystemName, strings.TrimPrefix(f.SystemName, "_")} {
		if d := demangle.Filter(name, demangle.NoParams, demangle.NoEnclosingParams, demangle.NoTemplateParams); d != name {
			return d
		}
	}
	name := f.SystemName
	java, method := strings.Contains(name, ".<"), strings.Contains(name, "]).")
	if java || method || !strings.ContainsAny(name, "<>[]") && !strings.Contains(name, "::") {
		return name
	}
	return without(without(name, '(', ')'), '<', '>')
}

// without removes bracketed parts from a name. It stops at the first bracket that doesn't match.
func without(name string, open, end byte) string {
	for depth, first, i := 0, 0, 0; i < len(name); i++ {
		switch name[i] {
		case open:
			if depth++; depth == 1 {
				first = i
			}
		case end:
			if depth--; depth < 0 {
				return name
			}
			if depth == 0 {
				name = name[:first] + name[i+1:]
				i = first - 1
			}
		}
	}
	return name
}
