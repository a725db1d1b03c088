package profiles

import (
	"math"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/pprof/profile"
	"github.com/ianlancetaylor/demangle"
)

// A naming gives a line of a location the name of its node. The line is empty where a location has none.
type naming func(*profile.Location, profile.Line) string

// rawName is a function's name as it is in the profile.
func rawName(l *profile.Location, line profile.Line) string {
	if line.Function == nil || line.Function.Name == "" {
		return binaryName(l)
	}
	return line.Function.Name
}

// shownNames returns the names that pprof gives functions, or lines: it simplifies those that look like C++ to it.
func shownNames(byLine bool) naming {
	simple := map[*profile.Function]string{}
	return func(l *profile.Location, line profile.Line) string {
		f := line.Function
		if f == nil {
			return binaryName(l)
		}
		name, ok := simple[f]
		if !ok {
			name = simplified(f)
			simple[f] = name
		}
		if name == "" {
			name = binaryName(l)
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

// without removes what is between brackets, and them. It returns a name whose brackets don't match as it is from there.
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

// Printable returns a name as it may be shown on a terminal: quoted, as Go quotes strings, where it holds
// characters that would steer it, that can't be seen, or that aren't UTF-8.
func Printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return name
	}
	return strconv.Quote(name)
}

// addSaturated returns the sum of a and b, or the nearest number of 64 bits to it, and whether it had to.
func addSaturated(a, b int64) (sum int64, saturated bool) {
	sum = a + b
	switch {
	case a > 0 && b > 0 && sum < 0:
		return math.MaxInt64, true
	case a < 0 && b < 0 && (sum >= 0 || sum == math.MinInt64):
		return -math.MaxInt64, true
	}
	return sum, false
}

func abs(n int64) int64 {
	switch {
	case n == math.MinInt64:
		return math.MaxInt64
	case n < 0:
		return -n
	}
	return n
}

// A frame is a function of a stack, and the line of it that was under way.
type frame struct {
	function string
	file     string
	line     int64
}

// place returns the file, without the directories that differ from one machine to the next, and the line.
func (f frame) place() string {
	if f.file == "" {
		return ""
	}
	return path.Base(f.file) + ":" + strconv.FormatInt(f.line, 10)
}

// frames returns the functions of locations, from the innermost out, inlined ones included.
func frames(locations ...*profile.Location) (all []frame) {
	for _, l := range locations {
		lines := l.Line
		if len(lines) == 0 {
			lines = []profile.Line{{}}
		}
		for _, line := range lines {
			if line.Function == nil || line.Function.Name == "" {
				all = append(all, frame{function: binaryName(l)})
			} else {
				all = append(all, frame{line.Function.Name, line.Function.Filename, line.Line})
			}
		}
	}
	return all
}

// owner returns the index of the innermost function of a stack that is one's own, which pays for it, or -1.
func owner(stack []frame, own []string) int {
	return slices.IndexFunc(stack, func(f frame) bool { return isOwn(f.function, own) })
}

func isOwn(function string, own []string) bool {
	return slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(function, prefix) })
}

// nobodys names a stack that holds none of one's own functions, by what is at its bottom.
func nobodys(stack []frame) string {
	for i := len(stack) - 1; i >= 0; i-- {
		switch f := stack[i].function; {
		case f == "runtime.gcBgMarkWorker", f == "runtime.bgsweep", f == "runtime.bgscavenge", strings.HasPrefix(f, "runtime.gcStart"):
			return "(garbage collection)"
		case f == "runtime.mcall", f == "runtime.mstart", f == "runtime.morestack", f == "runtime.goexit0":
			return "(scheduler)"
		}
	}
	return "(elsewhere)"
}
