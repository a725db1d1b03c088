package profiles

import (
	"context"
	"path/filepath"

	"github.com/google/pprof/profile"
)

// Row is a function's share of a profile, in whole units.
type Row struct {
	Function string `json:"function"` // as the profile names it: package path, receiver, name
	Flat     int64  `json:"flat"`     // of the function itself
	Cum      int64  `json:"cum"`      // of it and all that it called, each stack once
	Unit     string `json:"unit"`     // nanoseconds, bytes or count
}

// TopRows returns the functions that [Top] shows, in its order, with their exact
// numbers. Names stand as they are in the profile, where the text simplifies those that
// look like C++ to pprof, and quotes those that can't be printed. The notes are what one must know of the
// numbers, such as that they don't fit; they begin the text.
//
// Its errors are those of Top. It takes no context: it waits for nobody.
func TopRows(files []string, opts TopOptions) (rows []Row, notes []string, err error) {
	t, err := newTop(context.Background(), files, opts, rawName)
	if err != nil {
		return nil, nil, err
	}
	return t.rows(nodeFraction), t.notes(), nil
}

func newTop(ctx context.Context, files []string, opts TopOptions, name naming) (*table, error) {
	set, column, err := gather(ctx, files, opts, func(path string, s *stackSet) error { return s.checkDrawn(path) })
	if err != nil {
		return nil, err
	}
	if err := set.dropFrames(files[0]); err != nil {
		return nil, err
	}
	return newTable(set, column, set.samples(), opts, name), nil
}

// binaryName stands, as in pprof, for a function that has no name.
func binaryName(location *profile.Location) string {
	if location.Mapping == nil || location.Mapping.File == "" {
		return "<unknown>"
	}
	return "[" + filepath.Base(location.Mapping.File) + "]"
}
