package profiles

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/profiles/internal/stack"
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
	kind, number, _ := strings.Cut(strings.TrimSuffix(name, extension), ".")
	k, _ = ParseKind(kind)
	repetition, _ = strconv.Atoi(number)
	if k == "" || repetition < 1 || fileName(k, repetition) != name { // refuses 01 and +1
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

// store writes p with further comments as dir/KIND.REPETITION.pb.gz.
func store(dir string, k Kind, repetition int, p *profile.Profile, comments []string) (File, error) {
	p.Comments = append(p.Comments, comments...)
	path := filepath.Join(dir, fileName(k, repetition))
	if err := writeProfile(path, k, p); err != nil {
		return File{}, err
	}
	return File{Kind: k, Repetition: repetition, Path: path, Samples: len(p.Sample)}, nil
}

func makeDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("profile directory %s: cannot be made: %w: name one that can be written", dir, bare(err))
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

// CopyPortable writes the profile of kind k at from to the path to, without what tells one machine from another: files
// are named by their package's path, as go build -trimpath does, the program by its name alone.
func CopyPortable(from, to string, k Kind) error {
	p, err := Load(from)
	if err != nil {
		return err
	}
	for _, f := range p.Function {
		f.Filename = portableName(f.Name, f.Filename)
	}
	for _, m := range p.Mapping {
		m.File = stack.Base(m.File)
	}
	return writeProfile(to, k, p)
}

// portableName is a file by the package of a function in it: of example.com/m/pkg.(*T).Method in
// /anywhere/pkg/file.go, example.com/m/pkg/file.go.
func portableName(function, file string) string {
	if file == "" {
		return ""
	}
	function, _, _ = strings.Cut(function, "[") // type arguments hold paths of their own
	dir, last := path.Split(function)
	name, _, _ := strings.Cut(last, ".")
	return path.Join(dir, name, stack.Base(file))
}

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
		return stack.Holds(s, func(function string) bool { return slices.Contains(without, function) })
	})
	keepNames(p)
	if err := makeDirectory(dir); err != nil {
		return File{}, err
	}
	return store(dir, k, repetition, p, comments(labels))
}

// Find returns the profiles of one kind that runOrFile names, in the order of repetitions: for a run
// directory profiles/KIND.*.pb.gz, for a directory without a profiles folder the files in it, and for a
// file the file alone, whatever its kind.
//
// Every error is a [*FileError], but for an unknown kind. It names the kinds that a directory has instead.
func Find(runOrFile string, kind Kind) ([]string, error) {
	if _, err := ParseKind(string(kind)); err != nil {
		return nil, err
	}
	info, err := os.Stat(runOrFile)
	if err != nil {
		return nil, openError(runOrFile, err)
	}
	if !info.IsDir() {
		return []string{runOrFile}, nil
	}

	dir := filepath.Join(runOrFile, "profiles")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		dir = runOrFile
		entries, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil, openError(dir, err)
	}
	found, present := map[int]string{}, map[Kind]bool{}
	for _, entry := range entries {
		k, repetition, ok := parseFileName(entry.Name())
		if !ok || entry.IsDir() {
			continue
		}
		present[k] = true
		if k == kind {
			found[repetition] = filepath.Join(dir, entry.Name())
		}
	}
	if len(present) == 0 {
		return nil, &FileError{Path: runOrFile, Problem: NoProfiles}
	}
	if len(found) == 0 {
		has := slices.DeleteFunc(Kinds(), func(k Kind) bool { return !present[k] })
		return nil, &FileError{Path: runOrFile, Problem: NoSuchKind, Err: fmt.Errorf("%s; it has %s", kind, joinKinds(has))}
	}
	var paths []string
	for _, repetition := range slices.Sorted(maps.Keys(found)) {
		paths = append(paths, found[repetition])
	}
	return paths, nil
}
