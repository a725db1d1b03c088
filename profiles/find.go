package profiles

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Find answers the profiles of one kind that runOrFile names: of a run directory
// profiles/KIND.*.pb.gz, in the order of repetitions; of a directory without a
// profiles folder, the files in it; of a file, the file alone, whatever its kind.
//
// Every error is a [*FileError], but for an unknown kind. A directory that has
// other kinds is answered with which ones.
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
	return pick(runOrFile, dir, entries, kind)
}

func pick(run, dir string, entries []fs.DirEntry, kind Kind) ([]string, error) {
	var found []File
	present := make(map[Kind]bool)
	for _, entry := range entries {
		k, repetition, ok := parseFileName(entry.Name())
		if !ok || entry.IsDir() {
			continue
		}
		present[k] = true
		if k == kind {
			found = append(found, File{Repetition: repetition, Path: filepath.Join(dir, entry.Name())})
		}
	}
	if len(present) == 0 {
		return nil, &FileError{Path: run, Problem: NoProfiles}
	}
	if len(found) == 0 {
		has := slices.DeleteFunc(Kinds(), func(k Kind) bool { return !present[k] })
		return nil, &FileError{Path: run, Problem: NoSuchKind, Err: fmt.Errorf("%s; it has %s", kind, joinKinds(has))}
	}
	slices.SortFunc(found, func(a, b File) int { return cmp.Compare(a.Repetition, b.Repetition) })
	paths := make([]string, len(found))
	for i, f := range found {
		paths[i] = f.Path
	}
	return paths, nil
}
