package scenarios

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

//go:embed catalog/*.yaml
var catalog embed.FS

// CatalogNames returns the names of the catalog's scenarios, sorted.
func CatalogNames() []string {
	files, err := fs.Glob(catalog, "catalog/*.yaml")
	if err != nil { // only for a malformed pattern
		panic(err)
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(path.Base(f), ".yaml")
	}
	return names
}

// Find returns a scenario: one of the catalog by its name, or a file's by its path. A path ends in
// .yaml or .yml, or contains a separator.
func Find(nameOrFile string) (Spec, error) {
	if isPath(nameOrFile) {
		return LoadFile(nameOrFile)
	}
	src, err := openCatalog(nameOrFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		names := CatalogNames()
		return Spec{}, fmt.Errorf("scenario %q: no such scenario%s; want one of %s, or a file FILE.yaml",
			nameOrFile, didYouMean(nameOrFile, names), strings.Join(names, ", "))
	}
	if err != nil {
		return Spec{}, err
	}
	return src.spec()
}

// isPath reports whether a name is a file's path, rather than the name of a scenario in the
// catalog.
func isPath(nameOrFile string) bool {
	return strings.HasSuffix(nameOrFile, ".yaml") || strings.HasSuffix(nameOrFile, ".yml") ||
		strings.ContainsAny(nameOrFile, `/\`)
}

// openCatalog reads a scenario of the catalog.
func openCatalog(name string) (*source, error) {
	text, err := CatalogFile(name)
	if err != nil {
		return nil, err
	}
	src, err := newSource(catalogPath(name), text)
	if err != nil {
		return nil, err
	}
	src.fromCatalog = true
	return src, nil
}

func catalogPath(name string) string { return "catalog/" + name + ".yaml" }

// CatalogFile returns the file of a scenario of the catalog as it was written, with its comments.
func CatalogFile(name string) ([]byte, error) { return catalog.ReadFile(catalogPath(name)) }

// ExpandSuite returns the scenarios to run for a name or a file. For a suite these are its members,
// and suite is its name; for any other scenario it is that scenario alone, and suite is empty. A
// suite's file names others relative to itself.
func ExpandSuite(nameOrFile string) (suite string, members []Spec, err error) {
	s, err := Find(nameOrFile)
	if err != nil {
		return "", nil, err
	}
	if len(s.Suite) == 0 {
		return "", []Spec{s}, nil
	}
	for _, name := range s.Suite {
		if isPath(name) && isPath(nameOrFile) && !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(nameOrFile), name)
		}
		of, err := Find(name)
		if err != nil {
			return "", nil, fmt.Errorf("suite %s: %w", nameOrFile, err)
		}
		if len(of.Suite) > 0 {
			return "", nil, fmt.Errorf("suite %s: %s is a suite itself: name its scenarios", nameOrFile, name)
		}
		members = append(members, of)
	}
	return s.Name, members, nil
}
