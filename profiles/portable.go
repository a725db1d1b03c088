package profiles

import (
	"path"
	"strings"

	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// CopyPortable copies the profile of kind k at from to the path to, and removes what differs
// between machines: a file is named by its package's path, as go build -trimpath does, and the
// program by the last element of its path.
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

// portableName returns the name of a file that holds the given function, with the function's
// package in place of the directory. For example.com/m/pkg.(*T).Method in /anywhere/pkg/file.go it
// returns example.com/m/pkg/file.go.
func portableName(function, file string) string {
	if file == "" {
		return ""
	}
	function, _, _ = strings.Cut(function, "[") // type arguments hold paths of their own
	dir, last := path.Split(function)
	name, _, _ := strings.Cut(last, ".")
	return path.Join(dir, name, stack.Base(file))
}
