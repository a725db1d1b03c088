package view

import (
	"context"
	"fmt"
	"io"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/profiles"
)

// TopOptions say which functions are shown, and by which number.
type TopOptions struct {
	profiles.Selection

	// Lines is how many functions are shown; 0 means 20, and less than 0 means all. Functions below
	// half a percent of the total are never shown, as in pprof.
	Lines int

	// Cumulative sorts by the value of a function with its callees, instead of its own value.
	Cumulative bool

	// ByLine shows each line of a function separately. [TopRows] ignores it.
	ByLine bool
}

const defaultLines = 20

// Top merges the files and writes what "go tool pprof -top" prints of them, after lines that begin
// with "note: " if there is more to know. All files must be of one kind and have function names, as
// those of Go programs do. Names that can't be printed as they are, for example because of control
// characters, are quoted.
//
// The error about a file that is missing, cut short or isn't a profile is a [*profiles.FileError].
// Top then writes nothing.
func Top(ctx context.Context, w io.Writer, files []string, opts TopOptions) error {
	t, err := newTop(ctx, files, opts, shownNames(opts.ByLine))
	if err != nil {
		return err
	}
	if err := t.writeText(w, nil); err != nil {
		return fmt.Errorf("profile top: %w", err)
	}
	return nil
}

// A Row is a function's value in a profile.
type Row struct {
	Function string `json:"function"` // as in the profile: package path, receiver, name
	Flat     int64  `json:"flat"`     // of the function itself
	Cum      int64  `json:"cum"`      // of the function with all that it called, each stack once
	Unit     string `json:"unit"`     // nanoseconds, bytes or count
}

// TopRows returns the functions that [Top] shows, in its order, with exact values. Names are those
// of the profile: unlike Top, TopRows neither simplifies names that look like C++ to pprof nor
// quotes those that can't be printed. The notes, which Top writes first, qualify the values, for
// example if a sum overflowed. Its errors are those of Top.
func TopRows(files []string, opts TopOptions) (rows []Row, notes []string, err error) {
	t, err := newTop(context.Background(), files, opts, rawName)
	if err != nil {
		return nil, nil, err
	}
	return t.rows(nodeFraction), t.notes(), nil
}

func newTop(ctx context.Context, files []string, opts TopOptions, name naming) (*table, error) {
	set, err := profiles.ReadSamples(ctx, files, opts.Selection, func(string, *profile.Profile) error { return nil })
	if err != nil {
		return nil, err
	}
	if err := set.DropFrames(files[0]); err != nil {
		return nil, err
	}
	return newTable(set, opts, name), nil
}
