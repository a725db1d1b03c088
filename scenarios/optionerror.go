package scenarios

import (
	"regexp"
	"strings"
)

// An OptionError reports an option of a run, or a field of its scenario, with which no run can
// begin. Packages name options and fields; a command replaces the names by its flags with
// [OptionError.Text].
type OptionError struct {
	Option  string // the field of an Options struct, such as Target.Address, or of a scenario, such as load.workers
	Value   string // what it was set to; empty if that isn't to be shown
	Problem string // what is wrong with it; empty if Err says that. Braces, as in {fleet.devices}, name another option or field
	Want    string // what to do, with names in braces too; may be empty
	Err     error  // the cause, or nil
}

// Error returns one line, such as "load.workers 9000: 18064 file descriptors are needed, …: use
// fewer workers".
func (e *OptionError) Error() string { return e.Text(func(option string) string { return option }) }

// Text returns the error's line with each option and field replaced by what name returns for it,
// such as a flag.
func (e *OptionError) Text(name func(option string) string) string {
	mention := regexp.MustCompile(`\{[\w.]+\}`)
	var parts []string
	for _, part := range []string{e.Problem, e.Want} {
		if part != "" {
			parts = append(parts, mention.ReplaceAllStringFunc(part, func(m string) string { return name(m[1 : len(m)-1]) }))
		}
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.TrimSpace(name(e.Option)+" "+e.Value) + ": " + strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *OptionError) Unwrap() error { return e.Err }
