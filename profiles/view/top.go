package view

import (
	"context"
	"fmt"
	"io"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/profiles"
)

// TopOptions say which functions are shown and by which number.
type TopOptions struct {
	profiles.Selection

	// Lines is how many functions are shown: 0 is 20, less than 0 is all. Functions below
	// half a percent of the total are left out either way, as pprof does.
	Lines int

	// Cumulative sorts by what a function and its callees took, not by its own.
	Cumulative bool

	// ByLine shows lines of functions, each by itself. [TopRows] doesn't know it.
	ByLine bool
}

const defaultLines = 20

// Top merges the files and writes to w what "go tool pprof -top" prints of them, below lines that
// begin with "note: " where there is more to know. All must be of one kind and hold their own
// symbols, as those of Go programs do. What can't be printed as it is, such as a function's name
// with control characters, is quoted.
//
// A file that is missing, cut or no profile is a [*profiles.FileError], and nothing is written.
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

// Row is a function's share of a profile, in whole units.
type Row struct {
	Function string `json:"function"` // as the profile names it: package path, receiver, name
	Flat     int64  `json:"flat"`     // of the function itself
	Cum      int64  `json:"cum"`      // of it and all that it called, each stack once
	Unit     string `json:"unit"`     // nanoseconds, bytes or count
}

// TopRows returns the functions that [Top] shows, in its order, with their exact numbers. Names
// stand as they are in the profile, where the text simplifies those that look like C++ to pprof,
// and quotes those that can't be printed. The notes, which begin the text of Top, qualify the
// numbers, such as that they don't fit. Its errors are those of Top.
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
