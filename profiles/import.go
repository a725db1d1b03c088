package profiles

import (
	"fmt"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// Import reads a profile that another program captured, such as a test binary's -test.cpuprofile,
// and writes it as dir/KIND.REPETITION.pb.gz with labels, such as [OperationsLabel]. It keeps only
// the columns of the kind, and leaves out stacks that hold one of the functions in without. It
// makes dir if it is missing. The error about a profile that can't be read is a [*FileError].
func Import(from, dir string, k Kind, repetition int, labels map[string]string, without ...string) (File, error) {
	if _, err := ParseKind(string(k)); err != nil {
		return File{}, err
	}
	if repetition < 1 {
		return File{}, fmt.Errorf("profile import: repetition %d: want 1 or more", repetition)
	}
	if err := CheckLabels(labels); err != nil {
		return File{}, err
	}
	p, err := Load(from)
	if err != nil {
		return File{}, err
	}
	if err := KeepColumns(p, k); err != nil {
		return File{}, &FileError{Path: from, Problem: OtherKind, Err: err}
	}
	if err := CheckSymbols(p); err != nil {
		return File{}, &FileError{Path: from, Problem: Unsymbolized, Err: err}
	}
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool {
		return stack.Holds(s, func(function string) bool { return slices.Contains(without, function) })
	})
	KeepNames(p)
	if err := MakeDirectory(dir); err != nil {
		return File{}, err
	}
	p.Comments = append(p.Comments, Comments(labels)...)
	return Write(dir, k, repetition, p)
}

// KeepColumns reduces p to the columns that a file of kind k has, in their order. It returns an
// error if p lacks one of them.
func KeepColumns(p *profile.Profile, k Kind) error {
	want := k.sampleTypes()
	index := make([]int, len(want))
	types := make([]*profile.ValueType, len(want))
	for i, w := range want {
		index[i] = slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return *t == w })
		if index[i] < 0 {
			return fmt.Errorf("no sample type %s in %s", w.Type, w.Unit)
		}
		types[i] = p.SampleType[index[i]]
	}
	p.SampleType = types
	for _, s := range p.Sample {
		values := make([]int64, len(index))
		for i, from := range index {
			values[i] = s.Value[from]
		}
		s.Value = values
	}
	return nil
}

// KeepNames marks p as symbolized. The runtime marks a profile only if it could name every address
// of the binary, which fails with cgo and the race detector. pprof would then symbolize the profile
// again, from whatever binary lies at the path in the profile, and lose inlined calls.
func KeepNames(p *profile.Profile) {
	for _, location := range p.Location {
		if location.Mapping != nil && len(location.Line) > 0 {
			location.Mapping.HasFunctions = true
		}
	}
}
