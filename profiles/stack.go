package profiles

import (
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

// A frame is a function of a stack, and the line of it that was under way.
type frame struct {
	function string
	file     string
	line     int64
}

// place is the file, without the directories that differ from one machine to the next, and the line.
func (f frame) place() string {
	file := f.file
	if i := strings.LastIndexByte(file, '/'); i >= 0 {
		file = file[i+1:]
	}
	if file == "" {
		return ""
	}
	return file + ":" + strconv.FormatInt(f.line, 10)
}

// frames are a sample's, from the innermost out, inlined ones included.
func frames(s *profile.Sample, into []frame) []frame {
	into = into[:0]
	for _, location := range s.Location {
		if len(location.Line) == 0 {
			into = append(into, frame{function: binaryName(location)})
			continue
		}
		for _, line := range location.Line {
			if line.Function == nil || line.Function.Name == "" {
				into = append(into, frame{function: binaryName(location)})
				continue
			}
			into = append(into, frame{line.Function.Name, line.Function.Filename, line.Line})
		}
	}
	return into
}

// owner is the place in a stack of the function that pays for it: the innermost that is one's own.
// Where none is, it answers -1: the stack is one of the runtime's.
func owner(stack []frame, own []string) int {
	for i, f := range stack {
		if isOwn(f.function, own) {
			return i
		}
	}
	return -1
}

func isOwn(function string, own []string) bool {
	for _, prefix := range own {
		if strings.HasPrefix(function, prefix) {
			return true
		}
	}
	return false
}

// nobodys names a stack without any function of one's own by what is at its bottom.
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
