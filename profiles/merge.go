package profiles

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/pprof/profile"
)

// A Selection says which profiles are read, and which of their numbers.
type Selection struct {
	// Kind is what every file must be of. Empty is any kind.
	Kind Kind

	// SampleIndex names the number, such as alloc_objects. Empty is the last one that Kind lists,
	// or without Kind the profile's own choice.
	SampleIndex string
}

// column returns the column of p that is selected.
func (s Selection) column(p *profile.Profile) (int, error) {
	if types := s.Kind.sampleTypes(); s.SampleIndex == "" && types != nil {
		return valueIndex(p, types[len(types)-1].Type), nil
	}
	return p.SampleIndexByName(s.SampleIndex)
}

// checkUsable refuses a file of which a table, a picture or a difference would say nothing: a CPU
// profile without samples, and one whose functions have no names. In the other kinds a file may
// hold no samples, such as where nothing waited.
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

// EachFile reads files of one kind, and calls do with each, and with its path. A file that can't be
// read, is of another kind, or of which nothing could be said is a [*FileError].
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

// ReadSamples reads files of one kind and merges them. check may refuse one of them. Its errors are
// those of [EachFile].
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

// LoadMerged reads files of one kind as [Load] does, with all that package profile knows of them,
// and merges them.
func LoadMerged(files []string) (sum *profile.Profile, err error) {
	for _, path := range files {
		p, err := Load(path)
		if err != nil {
			return nil, err
		}
		if sum == nil {
			sum = p // as it is: merged ones are compacted
			continue
		}
		comments := mergeComments(sum, p)
		if sum, err = profile.Merge([]*profile.Profile{sum, p}); err != nil {
			return nil, &FileError{Path: path, Problem: OtherKind, Err: err}
		}
		sum.Comments = comments
	}
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

// checkKind refuses a profile that isn't of the kind k. An empty kind is any.
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
