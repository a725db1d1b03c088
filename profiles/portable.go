package profiles

import (
	"path"
	"strings"

	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// CopyPortable writes the profile of kind k at from to the path to, without what tells one machine
// from another: files are named by their package's path, as go build -trimpath does, the program by
// its name alone.
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
