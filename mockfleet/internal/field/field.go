// Package field has the error for a field of a configuration that can't be used. It tells users
// which field, what its value was and what is wanted instead. Every part of a fleet that checks its
// configuration returns an [Error].
package field

import "fmt"

// Error says that a field of a fleet's configuration can't be used: it is out of bounds, or the
// machine refuses it (an address in use, a limit too low). Callers find it with errors.As.
type Error struct {
	Field string // as in the flags of `fleetmark fleet`: devices, listen, addressing
	Value string // what it was
	Want  string // what is wanted instead
	Err   error  // the system's error, or nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("mockfleet: %s: %s: %v: %s", e.Field, e.Value, e.Err, e.Want)
	}
	return fmt.Sprintf("mockfleet: %s: %s: want %s", e.Field, e.Value, e.Want)
}

func (e *Error) Unwrap() error { return e.Err }

// Within returns the errors that err joins, with prefix before the field of each *Error. It returns
// nil if err is nil.
func Within(prefix string, err error) (errs []error) {
	if err == nil {
		return nil
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, e := range list {
		if bad, ok := e.(*Error); ok {
			placed := *bad
			placed.Field = prefix + bad.Field
			e = &placed
		}
		errs = append(errs, e)
	}
	return errs
}
