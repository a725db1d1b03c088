package profiles

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/pprof/profile"
)

// Import reads a profile that another program took, such as a test binary's -test.cpuprofile, and
// writes it as dir/KIND.REPETITION.pb.gz with labels, such as [OperationsLabel]. It keeps the
// numbers that a file of the kind holds, and leaves out the stacks that one of the functions without
// is on; dir is made if it is missing. A profile that can't be read is a [*FileError].
func Import(from, dir string, k Kind, repetition int, labels map[string]string, without ...string) (File, error) {
	if _, err := ParseKind(string(k)); err != nil {
		return File{}, err
	}
	if repetition < 1 {
		return File{}, fmt.Errorf("profile import: repetition %d: want 1 or more", repetition)
	}
	if err := checkLabels(labels); err != nil {
		return File{}, err
	}
	p, err := Load(from)
	if err != nil {
		return File{}, err
	}
	if err := keepColumns(p, k.sampleTypes()); err != nil {
		return File{}, &FileError{Path: from, Problem: OtherKind, Err: err}
	}
	if err := checkSymbols(p); err != nil {
		return File{}, &FileError{Path: from, Problem: Unsymbolized, Err: err}
	}
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool {
		return slices.ContainsFunc(without, func(name string) bool { return onStack(s, name) })
	})
	keepNames(p)
	p.Comments = append(p.Comments, Config{Labels: labels}.comments()...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return File{}, fmt.Errorf("profile directory %s: cannot be made: %w: name one that can be written", dir, bare(err))
	}
	path := filepath.Join(dir, fileName(k, repetition))
	if err := writeProfile(path, k, p); err != nil {
		return File{}, err
	}
	return File{Kind: k, Repetition: repetition, Path: path, Samples: len(p.Sample)}, nil
}

// onStack reports whether a function of the name is on a sample's stack.
func onStack(s *profile.Sample, name string) bool {
	return slices.ContainsFunc(s.Location, func(l *profile.Location) bool {
		return slices.ContainsFunc(l.Line, func(line profile.Line) bool { return line.Function != nil && line.Function.Name == name })
	})
}
