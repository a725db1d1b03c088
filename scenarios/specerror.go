package scenarios

import (
	"fmt"
	"strings"
)

// SpecError is one mistake in a scenario: where, what is wrong, what is wanted.
type SpecError struct {
	File    string `json:"file"`    // as the user named it; "--set" for a flag; empty for a Spec made in code
	Line    int    `json:"line"`    // 1-based; 0 where nothing was written
	Column  int    `json:"column"`  // in characters, 1-based; 0 likewise
	Field   string `json:"field"`   // fleet.devices; empty where the file as a whole is wrong
	Problem string `json:"problem"` // what is wrong and what is wanted
	Source  string `json:"-"`       // the line of the file; empty likewise
}

// Error is one line: scenario rollout.yaml:12:9: load.rate: "10 per s": want a rate such as 10/s.
func (e *SpecError) Error() string {
	if strings.HasPrefix(e.File, "--") { // a flag
		return strings.TrimSuffix(e.File+" "+e.Field, " ") + ": " + e.Problem
	}
	var b strings.Builder
	b.WriteString("scenario")
	if e.File != "" {
		b.WriteString(" " + e.File)
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// UsageError is something about the command, the machine or what was named on the
// command line that keeps a run from beginning. Nothing was measured or written.
type UsageError struct {
	What string // the thing, what is wrong with it and what to do
	Err  error  // the cause, or nil
}

func (e *UsageError) Error() string {
	if e.Err == nil {
		return e.What
	}
	return e.What + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.Err }

func usage(err error, format string, args ...any) error {
	return &UsageError{What: fmt.Sprintf(format, args...), Err: err}
}

// nearest gives the candidate most like name, or "" if none is like it at all.
func nearest(name string, candidates []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(name), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's, over bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// didYouMean is ": did you mean NEAREST?", or empty.
func didYouMean(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return ": did you mean " + n + "?"
	}
	return ""
}
