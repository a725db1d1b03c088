// Package stack reads the stacks of pprof profiles.
//
// It turns the locations of a sample into [Frame] values, the innermost function first, and finds
// the own functions on a stack, which a caller names by prefixes. It also adds values of samples
// without overflow. It knows no files and no kinds of profile.
package stack

import (
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

// A Frame is a function on a stack, and the line that was being executed.
type Frame struct {
	Function string
	File     string
	Line     int64
}

// Position returns the base name of the file and the line. It returns "" if the file isn't known.
func (f Frame) Position() string {
	if f.File == "" {
		return ""
	}
	return Base(f.File) + ":" + strconv.FormatInt(f.Line, 10)
}

// Frames returns the functions of locations, the innermost first, including inlined ones.
func Frames(locations ...*profile.Location) (all []Frame) {
	for _, l := range locations {
		lines := l.Line
		if len(lines) == 0 {
			lines = []profile.Line{{}}
		}
		for _, line := range lines {
			if line.Function == nil || line.Function.Name == "" {
				all = append(all, Frame{Function: BinaryName(l)})
			} else {
				all = append(all, Frame{line.Function.Name, line.Function.Filename, line.Line})
			}
		}
	}
	return all
}

// BinaryName returns the name that pprof shows for a function without a name: that of its program
// or library, in brackets.
func BinaryName(l *profile.Location) string {
	if l.Mapping == nil || l.Mapping.File == "" {
		return "<unknown>"
	}
	return "[" + filepath.Base(l.Mapping.File) + "]"
}

// Base returns the last element of a path, with either kind of slash.
func Base(file string) string {
	return file[strings.LastIndexAny(file, `/\`)+1:]
}

// OwnerIndex returns the index of the innermost own function of a stack, or -1 if there is none.
func OwnerIndex(stack []Frame, own []string) int {
	return slices.IndexFunc(stack, func(f Frame) bool { return IsOwn(f.Function, own) })
}

// IsOwn reports whether the name of a function begins with one of the prefixes in own. The linker
// writes the dots in the last element of a package's path as %2e; a prefix that is such a path and a dot
// may have them as they are.
func IsOwn(function string, own []string) bool {
	return slices.ContainsFunc(own, func(prefix string) bool {
		return strings.HasPrefix(function, prefix) ||
			strings.Contains(function, escapedDot) && strings.HasPrefix(function, asLinked(prefix))
	})
}

// escapedDot is what the linker writes for a dot.
const escapedDot = "%2e"

// asLinked returns the prefix of a package's functions, the path and a dot, as the linker writes it. It
// returns any other prefix unchanged.
func asLinked(prefix string) string {
	pkg, ok := strings.CutSuffix(prefix, ".")
	if !ok {
		return prefix
	}
	dir, last := path.Split(pkg)
	return dir + strings.ReplaceAll(last, ".", escapedDot) + "."
}

// Holds reports whether is returns true for the name of any function on a sample's stack.
func Holds(s *profile.Sample, is func(function string) bool) bool {
	return slices.ContainsFunc(s.Location, func(l *profile.Location) bool {
		return slices.ContainsFunc(l.Line, func(line profile.Line) bool {
			return line.Function != nil && is(line.Function.Name)
		})
	})
}
