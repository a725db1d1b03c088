package profiles

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
)

// File is a profile as it was written.
type File struct {
	Kind       Kind
	Repetition int    // from 1
	Path       string // dir/KIND.REPETITION.pb.gz
	Samples    int    // distinct stacks; 0 is no fault: a short repetition may have waited for no lock
}

const extension = ".pb.gz"

// fileName is KIND.REPETITION.pb.gz, such as cpu.1.pb.gz.
func fileName(k Kind, repetition int) string {
	return string(k) + "." + strconv.Itoa(repetition) + extension
}

// parseFileName reads what fileName writes and nothing else.
func parseFileName(name string) (k Kind, repetition int, ok bool) {
	stem, ok := strings.CutSuffix(name, extension)
	if !ok {
		return "", 0, false
	}
	kind, number, ok := strings.Cut(stem, ".")
	if !ok {
		return "", 0, false
	}
	k, err := ParseKind(kind)
	if err != nil {
		return "", 0, false
	}
	repetition, err = strconv.Atoi(number)
	if err != nil || repetition < 1 || fileName(k, repetition) != name { // refuses 01 and +1
		return "", 0, false
	}
	return k, repetition, true
}

// writeProfile encodes p, checks that it reads back as what it is, and puts it at
// path whole or not at all.
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
	back, err := decode(data, maxProfile)
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

// syncDir puts the names in dir on disk.
func syncDir(dir string) error {
	if err := atomicfile.SyncDirectory(dir); err != nil {
		return fmt.Errorf("profile directory %s: syncing: %w", dir, err)
	}
	return nil
}
