package scenarios

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// A threshold may judge windows of each timed repetition instead of the run as a whole:
//
//	p99-ns/op{op=push} < 20ms in every 5s
//	ops/s > 90/s in every 1s for 3 windows
//
// Windows follow one another from the start of the load. A remainder of the load that is shorter
// than half a window belongs to the window before it, as do the operations that end after the load's
// duration.

// Bounds of windows.
const (
	windowStep = 10 * time.Millisecond // windows are multiples of the shortest interval of a load
	maxWindow  = maxSoak

	// leastUnbounded is the shortest window of a load without a duration.
	leastUnbounded = time.Second

	// maxIntervals is how many intervals a repetition may have, which the windows of its thresholds
	// consist of. It is that of package timeline; a test compares them.
	maxIntervals = 200_000
)

const windowSyntax = "in every 5s, or in every 5s for 3 windows"

var (
	// limitPattern matches a limit and what follows the word "in".
	limitPattern = regexp.MustCompile(`(?s)^(?:(.*?)\s+)?in(\s.*)$`)
	// loosePattern matches what looks like windows in a limit without the word "in".
	loosePattern = regexp.MustCompile(`\b(?:every|for)\s.*$`)
	// windowPattern matches the length of windows, and how many of them must break the limit in a row.
	windowPattern = regexp.MustCompile(`^every\s+(\S+)(?:\s+for\s+(\S+)\s+windows?)?$`)
)

// readWindow parses what follows the limit, if windows do, and returns the limit.
func (t *Threshold) readWindow(text string) (limit string, err error) {
	parts := limitPattern.FindStringSubmatch(text)
	if parts == nil {
		if loose := loosePattern.FindString(text); loose != "" {
			return "", fmt.Errorf("%s: want %s", loose, windowSyntax)
		}
		return text, nil
	}
	in := strings.TrimSpace(parts[2])
	window := windowPattern.FindStringSubmatch(in)
	if window == nil {
		return "", fmt.Errorf("in %s: want %s", in, windowSyntax)
	}
	var length Duration
	err = length.UnmarshalText([]byte(window[1]))
	if d := length.Std(); err != nil || d < windowStep || d > maxWindow.Std() || d%windowStep != 0 {
		return "", fmt.Errorf("in every %s: want a multiple of %v, %.0fh at most, such as 5s",
			window[1], windowStep, maxWindow.Std().Hours())
	}
	t.Window, t.InRow = length.Std(), 1
	if window[2] != "" {
		if t.InRow, err = strconv.Atoi(window[2]); err != nil || t.InRow < 1 || t.InRow > maxIntervals {
			return "", fmt.Errorf("for %s windows: want a number from 1 to %d", window[2], maxIntervals)
		}
	}
	return parts[1], nil
}

// windowedUnits returns the names of the metrics that can be judged in windows.
func windowedUnits() (names []string) {
	for _, u := range results.Units() {
		if u.Windowed() {
			names = append(names, u.Name)
		}
	}
	return names
}

// WindowStep returns the greatest duration that all windows of the scenario's thresholds are
// multiples of. It returns 0 if no threshold has windows.
func (s Spec) WindowStep() (step time.Duration) {
	for _, t := range s.Thresholds {
		for a := t.Window; a > 0; {
			step, a = a, step%a
		}
	}
	return step
}

// windowsIn returns how many windows a load of the given duration has.
func windowsIn(duration, window time.Duration) int {
	n := int(duration / window)
	if duration%window >= window/2 {
		n++
	}
	return n
}

// checkWindows reports thresholds whose windows don't fit the load.
func checkWindows(s *Spec, report reporter) {
	duration := s.Load.TotalDuration()
	for i, t := range s.Thresholds {
		path := indexPath("thresholds", i)
		bad := func(want, format string, args ...any) {
			report(path, fmt.Sprintf("%q: ", t.text)+fmt.Sprintf(format, args...), want)
		}
		switch {
		case t.text == "":
		case t.Window == 0 && t.Abort:
			report(path+".abort", "true: only a threshold with windows is judged before the run's end",
				`false, or "`+t.text+` in every 5s"`)
		case t.Window == 0:
		case !t.metric().Windowed():
			bad("one of "+strings.Join(windowedUnits(), ", "), "%s can't be judged in windows", t.Unit)
		case s.Load.Model == Breakpoint:
			bad("", "a search for the limit judges its trials as a whole: leave in every %v out", t.Window)
		case t.Group != "":
			bad("", "windows are of the whole fleet: leave {group=%s} out, or in every %v", t.Group, t.Window)
		case duration > 0 && t.Window > duration:
			bad("a window within load.duration, "+duration.String(), "in every %v", t.Window)
		case duration > 0 && t.InRow > windowsIn(duration, t.Window):
			most := windowsIn(duration, t.Window)
			bad(fmt.Sprintf("%d at most", most), "for %d windows: the load has %d of %v", t.InRow, most, t.Window)
		}
	}
	step, longest := s.WindowStep(), duration
	if s.Load.Drains() {
		longest += s.Load.DrainTime()
	}
	if duration == 0 {
		longest = 0
		for _, w := range s.Load.Rollout.Waves {
			longest += w.Soak.Std()
		}
	}
	switch {
	case step == 0 || s.Load.Model == Breakpoint:
	case duration == 0 && step < leastUnbounded:
		report("thresholds",
			fmt.Sprintf("their windows are multiples of no more than %v, and the load has no duration", step),
			fmt.Sprintf("windows that are multiples of %v or more, or load.duration", leastUnbounded))
	case longest/step > maxIntervals:
		least := (longest/maxIntervals + windowStep - 1) / windowStep * windowStep
		report("thresholds",
			fmt.Sprintf("their windows are multiples of no more than %v, so %v of load would be divided into %d intervals",
				step, longest, longest/step),
			fmt.Sprintf("windows that are multiples of %v or more", least))
	}
}
