package view

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/profiles"
)

// DiffOptions say how the profiles of the base are subtracted from those of now.
type DiffOptions struct {
	TopOptions

	// Raw subtracts the values as they are. Otherwise each side is first scaled to a million
	// operations, so that a second in the table is a microsecond per operation, and a megabyte a
	// byte; then every file must say how many operations it covers ([profiles.OperationsLabel]).
	Raw bool

	// Normalize scales now to the sum of base, as pprof does with -normalize, so that differences
	// are those of shares. It works for any two profiles of a kind, whatever their length. It can't
	// be combined with Raw.
	Normalize bool

	// RawAdvice is appended to the note about the lengths of the sides of a raw difference. It may
	// be empty.
	RawAdvice string
}

// Diff merges the files of each side and writes what "go tool pprof -top -diff_base" prints of the
// difference of now and base, scaled as opts say. Lines that begin with "note: " come first; with
// Raw they say how long either side is.
//
// The error about a file that is missing, cut short or of another kind, or that lacks samples,
// function names or the number of operations, is a [*profiles.FileError]. Diff then writes nothing.
func Diff(ctx context.Context, w io.Writer, base, now []string, opts DiffOptions) error {
	t, notes, err := newDifference(ctx, base, now, opts, shownNames(opts.ByLine))
	if err != nil {
		return err
	}
	if err := t.writeText(w, notes); err != nil {
		return fmt.Errorf("profile diff: %w", err)
	}
	return nil
}

// DiffRows returns the functions that differ, in the order of [Diff], with exact values. Unlike
// Diff, it doesn't leave out small ones. The notes are those that Diff writes first.
func DiffRows(ctx context.Context, base, now []string, opts DiffOptions) (rows []Row, notes []string, err error) {
	t, notes, err := newDifference(ctx, base, now, opts, rawName)
	if err != nil {
		return nil, nil, err
	}
	return t.rows(0), append(t.notes(), notes...), nil
}

// newDifference returns a table of the samples of now, and the negated samples of the base.
func newDifference(
	ctx context.Context, base, now []string, opts DiffOptions, name naming,
) (t *table, notes []string, err error) {
	b, n, err := loadSides(ctx, base, now, opts)
	if err != nil {
		return nil, nil, err
	}
	notes = opts.notes(b, n)
	b.Negate()
	n.AppendBase(b)
	if err := n.DropFrames(now[0]); err != nil {
		return nil, nil, err
	}
	return newTable(n, opts.TopOptions, name), notes, nil
}

// loadSides reads the base and now, each scaled as the options say.
func loadSides(ctx context.Context, base, now []string, opts DiffOptions) (b, n *profiles.Samples, err error) {
	if opts.Raw && opts.Normalize {
		return nil, nil, errors.New("profile diff: raw and normalized: want one of them")
	}
	if b, err = opts.loadSide(ctx, base); err != nil {
		return nil, nil, err
	}
	if n, err = opts.loadSide(ctx, now); err != nil {
		return nil, nil, err
	}
	if !slices.Equal(b.TypeNames(), n.TypeNames()) {
		err := fmt.Errorf("it counts %s, the base %s", n.TypeNames(), b.TypeNames())
		return nil, nil, &profiles.FileError{Path: now[0], Problem: profiles.OtherKind, Err: err}
	}
	if opts.Normalize {
		ratios := b.Sums()
		for i, sum := range n.Sums() {
			if sum == 0 {
				ratios[i], sum = 0, 1
			}
			ratios[i] /= sum
		}
		n.Scale(ratios)
	}
	return b, n, nil
}

// loadSide reads and merges the files of a side, checks them, and scales them to a million
// operations if the options ask for it.
func (o DiffOptions) loadSide(ctx context.Context, files []string) (*profiles.Samples, error) {
	s, err := profiles.ReadSamples(ctx, files, o.Selection, o.checkOperations)
	if err != nil {
		return nil, err
	}
	if s.Len() == 0 {
		return nil, &profiles.FileError{Path: files[0], Problem: profiles.NoSamples}
	}
	if o.perOperation() {
		s.Scale(slices.Repeat([]float64{normalizedOperations / float64(s.Operations)}, s.Columns()))
	}
	return s, nil
}

// normalizedOperations is the number of operations that a profile is scaled to. With a million, the
// cost of one operation doesn't vanish in whole units.
const normalizedOperations = 1_000_000

func (o DiffOptions) perOperation() bool { return !o.Raw && !o.Normalize }

// checkOperations returns an error if values are needed per operation, and a file can't give them.
func (o DiffOptions) checkOperations(path string, p *profile.Profile) error {
	if !o.perOperation() {
		return nil
	}
	if profiles.IsSnapshot(p.SampleType[len(p.SampleType)-1].Type) {
		return &profiles.FileError{Path: path, Problem: profiles.NotPerOperation}
	}
	if profiles.Operations(p) == 0 {
		return &profiles.FileError{Path: path, Problem: profiles.NoOperations}
	}
	return nil
}

// notes returns notes about the values if they aren't per operation.
func (o DiffOptions) notes(b, n *profiles.Samples) []string {
	switch {
	case o.Normalize:
		total := int64(min(b.Sums()[n.Column], math.MaxInt64))
		unit := n.Type().Unit
		return []string{fmt.Sprintf("now is scaled to the sum of base, %s: percentages are differences of shares, "+
			"whatever the lengths", formatAs(total, unit, "minimum"))}
	case o.Raw && (b.Header.DurationNanos != 0 || n.Header.DurationNanos != 0):
		note := fmt.Sprintf("base is of %s, now of %s", lengthOf(b), lengthOf(n))
		if o.RawAdvice != "" {
			note += ": " + o.RawAdvice
		}
		return []string{note}
	}
	return nil
}

// lengthOf returns how long a side was profiled, and how many operations it covers, in words.
func lengthOf(s *profiles.Samples) string {
	text := "an unknown length"
	if d := s.Header.DurationNanos; d != 0 {
		text = time.Duration(d).Round(time.Millisecond).String()
	}
	if s.Operations > 0 {
		text += fmt.Sprintf(" and %s", plaintext.Count(int(s.Operations), "operation"))
	}
	return text
}
