package profiles

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/google/pprof/profile"
)

// DiffOptions say how one set of profiles is taken away from another.
type DiffOptions struct {
	TopOptions

	// Raw takes them as they are. Otherwise each side is scaled to a million operations first, so that
	// a second is a microsecond an operation and a megabyte a byte; then every file must say of how many
	// operations it is ([OperationsLabel]).
	Raw bool
}

// Diff writes what "go tool pprof -top -diff_base" prints of now less base, each of one or more
// files that are merged: the numbers of either side scaled to a million operations, or with Raw those
// of the files themselves.
//
// A file that is missing, cut, of another kind, without samples or symbols, or without its number of
// operations, is a [*FileError], and nothing is written.
func Diff(ctx context.Context, w io.Writer, base, now []string, opts DiffOptions) error {
	b, n, err := sides(ctx, base, now, opts)
	if err != nil {
		return err
	}
	if err := render(ctx, opts.view(w, n, b)); err != nil {
		return fmt.Errorf("profile diff: %w", err)
	}
	return nil
}

// DiffRows answers the functions that [Diff] shows, in its order, with their exact numbers.
func DiffRows(ctx context.Context, base, now []string, opts DiffOptions) ([]Row, error) {
	b, n, err := sides(ctx, base, now, opts)
	if err != nil {
		return nil, err
	}
	index, err := n.SampleIndexByName(opts.SampleIndex)
	if err != nil {
		return nil, &FileError{Path: now[0], Problem: NoSuchNumber, Err: err}
	}
	b.Scale(-1)
	p, err := profile.Merge([]*profile.Profile{n, b})
	if err != nil {
		return nil, fmt.Errorf("profile diff: %w", err)
	}
	rows := byFunction(p, index)
	rows = slices.DeleteFunc(rows, func(r Row) bool { return r.Flat == 0 && r.Cum == 0 })
	slices.SortFunc(rows, order(opts.Cumulative))
	if most := opts.lines(); most > 0 && most < len(rows) {
		rows = slices.Clip(rows[:most])
	}
	return rows, nil
}

// sides are the two profiles to hold against each other.
func sides(ctx context.Context, base, now []string, opts DiffOptions) (b, n *profile.Profile, err error) {
	if b, err = side(ctx, base, opts); err != nil {
		return nil, nil, err
	}
	if n, err = side(ctx, now, opts); err != nil {
		return nil, nil, err
	}
	if !sameTypes(b, n) {
		return nil, nil, &FileError{Path: now[0], Problem: OtherKind, Err: fmt.Errorf("it counts %s, the base %s", typeNames(n), typeNames(b))}
	}
	return b, n, nil
}

// side is one of them: merged, checked, and of a million operations.
func side(ctx context.Context, files []string, opts DiffOptions) (*profile.Profile, error) {
	operations := int64(0)
	p, _, err := merged(ctx, files, opts.SampleIndex, func(path string, p *profile.Profile) error {
		n := Operations(p)
		if !opts.Raw && momentary(p.SampleType[len(p.SampleType)-1].Type) {
			return &FileError{Path: path, Problem: OfAMoment}
		}
		if n == 0 && !opts.Raw {
			return &FileError{Path: path, Problem: NoOperations}
		}
		operations += n
		return checkDrawn(path, p)
	})
	if err != nil {
		return nil, err
	}
	if len(p.Sample) == 0 {
		return nil, &FileError{Path: files[0], Problem: NoSamples}
	}
	if !opts.Raw {
		p.Scale(perOperations / float64(operations))
	}
	return p, nil
}
