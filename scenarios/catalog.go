package scenarios

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed catalog/*.yaml
var catalog embed.FS

// Names lists the catalogue's scenarios, sorted.
func Names() []string {
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

// Find gives a scenario: one of the catalogue by its name, or a file's by its path,
// which ends in .yaml or .yml or has a separator in it.
func Find(nameOrFile string) (Spec, error) {
	if isFile(nameOrFile) {
		return LoadFile(nameOrFile)
	}
	src, err := catalogued(nameOrFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		names := Names()
		return Spec{}, &UsageError{What: fmt.Sprintf("scenario %q: no such scenario%s; want one of %s, or a file FILE.yaml",
			nameOrFile, didYouMean(nameOrFile, names), strings.Join(names, ", "))}
	}
	if err != nil {
		return Spec{}, err
	}
	return src.spec()
}

// isFile tells a file's path from a name of the catalogue.
func isFile(nameOrFile string) bool {
	return strings.HasSuffix(nameOrFile, ".yaml") || strings.HasSuffix(nameOrFile, ".yml") || strings.ContainsAny(nameOrFile, `/\`)
}

// catalogued reads a scenario of the catalogue.
func catalogued(name string) (*source, error) {
	text, err := Source(name)
	if err != nil {
		return nil, err
	}
	src, err := newSource(catalogFile(name), text)
	if err != nil {
		return nil, err
	}
	src.catalogued = true
	return src, nil
}

func catalogFile(name string) string { return "catalog/" + name + ".yaml" }

// Source gives a catalogue scenario's file as it is written, comments and all.
func Source(name string) ([]byte, error) { return catalog.ReadFile(catalogFile(name)) }
