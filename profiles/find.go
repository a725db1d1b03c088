package profiles

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Find returns the files with profiles of one kind, in the order of their repetitions. If runOrFile
// is a run directory, they are profiles/KIND.*.pb.gz; if it is a directory without a profiles
// folder, the matching files in it; and if it is a file, that file alone, whatever its kind.
//
// Every error except that of an unknown kind is a [*FileError]. If a directory lacks the kind, the
// error names the kinds that it has.
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
		k, repetition, ok := ParseFileName(entry.Name())
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
