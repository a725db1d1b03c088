package profiles

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
)

// A File describes a profile that was written.
type File struct {
	Kind       Kind
	Repetition int    // from 1
	Path       string // dir/KIND.REPETITION.pb.gz
	Samples    int    // distinct stacks; may be 0, such as if no lock was waited for
}

const extension = ".pb.gz"

// fileName returns KIND.REPETITION.pb.gz, such as cpu.1.pb.gz.
func fileName(k Kind, repetition int) string {
	return string(k) + "." + strconv.Itoa(repetition) + extension
}

// ParseFileName parses the name of a profile in a run directory, KIND.REPETITION.pb.gz. It reports
// false for any other name.
func ParseFileName(name string) (k Kind, repetition int, ok bool) {
	kind, number, _ := strings.Cut(strings.TrimSuffix(name, extension), ".")
	k, _ = ParseKind(kind)
	repetition, _ = strconv.Atoi(number)
	if k == "" || repetition < 1 || fileName(k, repetition) != name { // such as 01 and +1
		return "", 0, false
	}
	return k, repetition, true
}

// writeProfile encodes p, checks that it can be parsed again, and writes it to path atomically.
func writeProfile(path string, k Kind, p *profile.Profile) error {
	var buf bytes.Buffer
	if err := p.Write(&buf); err != nil {
		return fmt.Errorf("profile %s: encoding: %w", path, err)
	}
	if err := checkEncoded(buf.Bytes(), k, p); err != nil {
		return fmt.Errorf("profile %s: does not read back: %w", path, err)
	}
	if err := atomicfile.Write(path, buf.Bytes()); err != nil {
		return fmt.Errorf("profile %s: writing: %w", path, err)
	}
	return nil
}

func checkEncoded(data []byte, k Kind, p *profile.Profile) error {
	back, err := Decode(data, MaxSize)
	if err != nil {
		return err
	}
	same := slices.EqualFunc(back.SampleType, k.sampleTypes(), func(got *profile.ValueType, want profile.ValueType) bool {
		return *got == want
	})
	switch {
	case !same:
		return fmt.Errorf("its sample types are not those of %s", k)
	case len(back.Sample) != len(p.Sample):
		return fmt.Errorf("%d samples of %d", len(back.Sample), len(p.Sample))
	case !slices.Equal(back.Comments, p.Comments):
		return errors.New("its labels are gone")
	}
	return nil
}

// Write writes p as dir/KIND.REPETITION.pb.gz, and replaces a file of that name atomically. It
// first checks that the encoded profile can be parsed again. dir must exist, and p must have the
// columns of kind k (see [KeepColumns]).
func Write(dir string, k Kind, repetition int, p *profile.Profile) (File, error) {
	path := filepath.Join(dir, fileName(k, repetition))
	if err := writeProfile(path, k, p); err != nil {
		return File{}, err
	}
	return File{Kind: k, Repetition: repetition, Path: path, Samples: len(p.Sample)}, nil
}

// MakeDirectory creates the directory for profiles if it is missing.
func MakeDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("profile directory %s: cannot be made: %w: name one that can be written", dir, bare(err))
	}
	return nil
}
