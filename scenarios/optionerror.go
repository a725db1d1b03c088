package scenarios

import (
	"regexp"
	"strings"
)

// An OptionError reports an option of a run, or a field of its scenario, that no run can begin
// with. Packages name options and fields; a command that knows flags for them says so by
// [OptionError.Text].
type OptionError struct {
	Option  string // the field of an Options struct, such as Target.Address, or of a scenario, such as load.workers
	Value   string // what it was set to; empty if that isn't to be shown
	Problem string // what is wrong with it; empty if Err says that. {fleet.devices} stands for another option or field
	Want    string // what to do, likewise; may be empty
	Err     error  // the cause, or nil
}

// Error returns one line: load.workers 9000: 18064 file descriptors are needed, …: use fewer
// workers.
func (e *OptionError) Error() string { return e.Text(func(option string) string { return option }) }

// Text returns the error with every option and field called as name calls it, such as by a flag.
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
