package scenarios

import "strings"

// An OptionError reports an option of a run, or a field of its scenario, that no run can begin with.
// Packages name options and fields; a command that knows flags for them says so by [OptionError.Text].
type OptionError struct {
	Option  string // the field of an Options struct, such as Target.Address, or of a scenario, such as load.workers
	Value   string // what it was set to; empty if that isn't to be shown
	Problem string // what is wrong with it; empty if Err says that
	Want    string // what to do; may be empty

	// Mentions are the other options and fields whose names stand in Problem and Want.
	Mentions []string

	Err error // the cause, or nil
}

// Error returns one line: load.workers 9000: 18064 file descriptors are needed, …: use fewer workers.
func (e *OptionError) Error() string { return e.Text(func(option string) string { return option }) }

// Text returns the error with every option and field called as name calls it, such as by a flag.
func (e *OptionError) Text(name func(option string) string) string {
	var parts []string
	for _, part := range []string{e.Problem, e.Want} {
		for _, option := range e.Mentions {
			part = strings.ReplaceAll(part, option, name(option))
		}
		if part != "" {
			parts = append(parts, part)
		}
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.TrimSpace(name(e.Option)+" "+e.Value) + ": " + strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *OptionError) Unwrap() error { return e.Err }
