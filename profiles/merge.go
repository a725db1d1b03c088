package profiles

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/pprof/profile"
)

// A Selection says which kind of profile is read, and which of its numbers.
type Selection struct {
	// Kind is the kind that every file must have. Empty means any kind.
	Kind Kind

	// SampleIndex names the number, such as alloc_objects. Empty means the last sample type of
	// Kind, or the profile's own default if Kind is empty.
	SampleIndex string
}

// column returns the index of the selected sample type of p.
func (s Selection) column(p *profile.Profile) (int, error) {
	if types := s.Kind.sampleTypes(); s.SampleIndex == "" && types != nil {
		return valueIndex(p, types[len(types)-1].Type), nil
	}
	return p.SampleIndexByName(s.SampleIndex)
}

// checkUsable returns an error about a file that a table or graph would show nothing of: a CPU
// profile without samples, or a profile without function names. Profiles of other kinds may be
// empty, for example because nothing waited.
func (s *Samples) checkUsable(path string) error {
	if s.Len() == 0 && CPU.heldBy(s.Header) {
		return &FileError{Path: path, Problem: NoSamples}
	}
	err := mostlyNamed(func(yield func(*profile.Location, int64) bool) {
		for i := range s.Len() {
			if at := s.Stack(i); len(at) > 0 && !yield(s.Locations[at[0]], s.values[i*s.Columns()]) {
				return
			}
		}
	})
	if err != nil {
		return &FileError{Path: path, Problem: Unsymbolized, Err: err}
	}
	return nil
}

// EachFile reads files of one kind, and calls do with each file's path and samples. The error about
// a file that can't be read, is of another kind, or has nothing to show is a [*FileError].
func EachFile(ctx context.Context, files []string, sel Selection, do func(path string, s *Samples) error) error {
	var first *profile.Profile
	for _, path := range files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s, err := loadSamples(path)
		if err != nil {
			return err
		}
		if err := checkKind(path, s.Header, sel.Kind); err != nil {
			return err
		}
		if first = cmp.Or(first, s.Header); !slices.Equal(typeNames(first), typeNames(s.Header)) {
			err := fmt.Errorf("it counts %s, they %s", typeNames(s.Header), typeNames(first))
			return &FileError{Path: path, Problem: OtherKind, Err: err}
		}
		if err := s.checkUsable(path); err != nil {
			return err
		}
		if s.Column, err = sel.column(s.Header); err != nil {
			return &FileError{Path: path, Problem: NoSuchSampleType, Err: err}
		}
		if err := do(path, s); err != nil {
			return err
		}
	}
	return nil
}

// ReadSamples reads files of one kind and merges them. If check returns an error for a file,
// ReadSamples returns that error. Its other errors are those of [EachFile].
func ReadSamples(
	ctx context.Context, files []string, sel Selection, check func(path string, p *profile.Profile) error,
) (sum *Samples, err error) {
	if len(files) == 0 {
		return nil, errors.New("profile top: no files: name at least one")
	}
	err = EachFile(ctx, files, sel, func(path string, s *Samples) error {
		if err := check(path, s.Header); err != nil {
			return err
		}
		if sum == nil {
			sum = s
		} else {
			sum.append(s, mergeComments(sum.Header, s.Header))
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("profile top: %w", err)
	}
	return sum, err
}

// LoadMerged reads files of one kind with [Load] and merges them. Unlike [ReadSamples] it keeps
// everything that package profile parses, such as addresses and labels.
func LoadMerged(files []string) (sum *profile.Profile, err error) {
	for _, path := range files {
		p, err := Load(path)
		if err != nil {
			return nil, err
		}
		if sum == nil {
			sum = p // unchanged; Merge would compact it
			continue
		}
		if sum, err = Merge(sum, p); err != nil {
			return nil, &FileError{Path: path, Problem: OtherKind, Err: err}
		}
	}
	return sum, nil
}

// Merge returns a profile with the samples of a and b, which must have the same sample types. Its
// labels that count, such as operations, are the sums of theirs.
func Merge(a, b *profile.Profile) (*profile.Profile, error) {
	sum, err := profile.Merge([]*profile.Profile{a, b})
	if err != nil {
		return nil, err
	}
	sum.Comments = mergeComments(a, b)
	return sum, nil
}

// typeNames returns the sample types of a profile, such as cpu/nanoseconds.
func typeNames(p *profile.Profile) []string {
	names := make([]string, len(p.SampleType))
	for i, t := range p.SampleType {
		names[i] = t.Type + "/" + t.Unit
	}
	return names
}

// checkKind returns an error if a profile isn't of kind k. An empty k allows any kind.
func checkKind(path string, p *profile.Profile, k Kind) error {
	if k == "" || k.heldBy(p) {
		return nil
	}
	what := fmt.Errorf("%s was asked for; it counts %s", k, typeNames(p))
	if kinds := slices.DeleteFunc(Kinds(), func(k Kind) bool { return !k.heldBy(p) }); len(kinds) > 0 {
		what = fmt.Errorf("%s was asked for; it is of %s", k, joinKinds(kinds))
	}
	return &FileError{Path: path, Problem: NotOfKind, Err: what}
}
