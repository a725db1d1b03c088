package profiles

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
)

// DiffOptions say how one set of profiles is taken away from another.
type DiffOptions struct {
	TopOptions

	// Raw takes them as they are. Otherwise each side is scaled to a million operations first, so that
	// a second is a microsecond an operation and a megabyte a byte; then every file must say of how many
	// operations it is ([OperationsLabel]).
	Raw bool

	// Normalize scales now to the sum of base, as pprof does with -normalize, so that what is left is a difference of
	// shares. It takes any two profiles of a kind, of any lengths. Raw and Normalize exclude each other.
	Normalize bool
}

// Diff writes what "go tool pprof -top -diff_base" prints of now less base, each of one or more
// files that are merged: the numbers of either side scaled to a million operations; with Raw those of the files
// themselves, and with Normalize those of -normalize. Lines that begin with "note: " come first; with Raw
// they say how long either side is.
//
// A file that is missing, cut, of another kind, without samples or symbols, or without its number of
// operations, is a [*FileError], and nothing is written.
func Diff(ctx context.Context, w io.Writer, base, now []string, opts DiffOptions) error {
	d, err := newDifference(ctx, base, now, opts)
	if err != nil {
		return err
	}
	t := newTable(d.set, d.column, d.base, opts.TopOptions, shownNames(opts.ByLine))
	t.saturated = t.saturated || d.saturated
	if err := t.writeText(w, d.notes); err != nil {
		return fmt.Errorf("profile diff: %w", err)
	}
	return nil
}

// DiffRows returns the functions that differ, in the order of [Diff], with their exact numbers, those that
// Diff leaves out as noise too. The notes begin the text of Diff.
func DiffRows(ctx context.Context, base, now []string, opts DiffOptions) (rows []Row, notes []string, err error) {
	d, err := newDifference(ctx, base, now, opts)
	if err != nil {
		return nil, nil, err
	}
	t := newTable(d.set, d.column, d.base, opts.TopOptions, rawName)
	t.saturated = t.saturated || d.saturated
	return t.rows(0), append(t.notes(), d.notes...), nil
}

// A difference is the samples of now, and from base on those of the base, negative.
type difference struct {
	set       *stackSet
	column    int
	base      int
	saturated bool
	notes     []string
}

func newDifference(ctx context.Context, base, now []string, opts DiffOptions) (*difference, error) {
	b, n, column, err := bothSides(ctx, base, now, opts)
	if err != nil {
		return nil, err
	}
	d := &difference{set: n.stackSet, column: column, base: n.samples(), saturated: b.saturated || n.saturated}
	d.notes = opts.notes(b, n, column)
	for i, v := range b.values {
		b.values[i] = -max(v, -math.MaxInt64)
	}
	d.set.append(b.stackSet, ofEither(n.about, b.about))
	return d, d.set.dropFrames(now[0])
}

// ofEither returns the comments of two sides, each once. What they count isn't counted together.
func ofEither(n, b *profile.Profile) []string {
	comments := slices.Clone(n.Comments)
	for _, c := range b.Comments {
		if !slices.Contains(comments, c) {
			comments = append(comments, c)
		}
	}
	return comments
}

// A oneSide is one of the two that are compared, scaled.
type oneSide struct {
	*stackSet
	operations int64 // 0: not known
	saturated  bool
}

// bothSides reads the two that are held against each other.
func bothSides(ctx context.Context, base, now []string, opts DiffOptions) (b, n *oneSide, column int, err error) {
	if opts.Raw && opts.Normalize {
		return nil, nil, 0, errors.New("profile diff: raw and normalized: want one of them")
	}
	if b, _, err = opts.side(ctx, base); err != nil {
		return nil, nil, 0, err
	}
	if n, column, err = opts.side(ctx, now); err != nil {
		return nil, nil, 0, err
	}
	if !sameTypes(b.about, n.about) {
		return nil, nil, 0, otherKind(now[0], b.about, n.about)
	}
	if opts.Normalize {
		ratios, of := b.sums(), n.sums()
		for i := range ratios {
			if of[i] == 0 {
				ratios[i] = 0
				continue
			}
			ratios[i] /= of[i]
		}
		n.saturated = n.scale(ratios)
	}
	return b, n, column, nil
}

func otherKind(path string, base, now *profile.Profile) error {
	err := fmt.Errorf("it counts %s, the base %s", typeNames(now), typeNames(base))
	return &FileError{Path: path, Problem: OtherKind, Err: err}
}

// side reads one of the two: merged, checked, and of a million operations.
func (o DiffOptions) side(ctx context.Context, files []string) (*oneSide, int, error) {
	s := &oneSide{}
	set, column, err := gather(ctx, files, o.TopOptions, func(path string, f *stackSet) error {
		if err := o.checkOperations(path, f.about); err != nil {
			return err
		}
		s.operations, _ = addSaturated(s.operations, Operations(f.about))
		return f.checkDrawn(path)
	})
	if err != nil {
		return nil, 0, err
	}
	s.stackSet = set
	if set.samples() == 0 {
		return nil, 0, &FileError{Path: files[0], Problem: NoSamples}
	}
	if o.perOperation() {
		ratios := make([]float64, set.columns())
		for i := range ratios {
			ratios[i] = perOperations / float64(s.operations)
		}
		s.saturated = set.scale(ratios)
	}
	return s, column, nil
}

func (o DiffOptions) perOperation() bool { return !o.Raw && !o.Normalize }

// checkOperations refuses a file that can't be divided by operations where it must be.
func (o DiffOptions) checkOperations(path string, p *profile.Profile) error {
	if !o.perOperation() {
		return nil
	}
	if momentary(p.SampleType[len(p.SampleType)-1].Type) {
		return &FileError{Path: path, Problem: OfAMoment}
	}
	if Operations(p) == 0 {
		return &FileError{Path: path, Problem: NoOperations}
	}
	return nil
}

// notes says what the numbers are of where they aren't of operations.
func (o DiffOptions) notes(b, n *oneSide, column int) []string {
	switch {
	case o.Normalize:
		total := int64(min(b.sums()[column], math.MaxInt64))
		unit := b.about.SampleType[column].Unit
		return []string{fmt.Sprintf("now is scaled to the sum of base, %s: percentages are differences of shares, "+
			"whatever the lengths", formatAs(total, unit, "minimum"))}
	case o.Raw && (b.about.DurationNanos != 0 || n.about.DurationNanos != 0):
		return []string{fmt.Sprintf("base is of %s, now of %s: --raw subtracts them as they are; "+
			"--normalize compares shares, whatever the lengths", b.length(), n.length())}
	}
	return nil
}

// length says over what time a side was taken, and of how many operations it is.
func (s *oneSide) length() string {
	text := "an unknown length"
	if d := s.about.DurationNanos; d != 0 {
		text = time.Duration(d).Round(time.Millisecond).String()
	}
	if s.operations > 0 {
		text += fmt.Sprintf(" and %s", plaintext.Count(int(s.operations), "operation"))
	}
	return text
}
