package scenarios

import (
	"embed"
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
	text, err := catalog.ReadFile("catalog/" + nameOrFile + ".yaml")
	if err != nil {
		names := Names()
		return Spec{}, &UsageError{What: fmt.Sprintf("scenario %q: no such scenario%s; want one of %s, or a file FILE.yaml",
			nameOrFile, didYouMean(nameOrFile, names), strings.Join(names, ", "))}
	}
	return Parse(nameOrFile+".yaml", text)
}

// Source gives a catalogue scenario's file as it is written, comments and all.
func Source(name string) ([]byte, error) { return catalog.ReadFile("catalog/" + name + ".yaml") }
