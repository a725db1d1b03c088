// Package project finds the source tree that a command runs in, and reads its fleetmark.yaml.
//
// Its input is a directory. Its output is the root of the module around it, and the [Config] in the
// root's fleetmark.yaml: which Go benchmarks a baseline page measures, the limits of its figures,
// and the tests that enforce them. The file is read strictly: an unknown key or a wrong value is a
// [ConfigError] with its line and column, never a setting that silently does nothing. Without a
// file the Config is empty. [Revision] returns the revision that the running program was built
// from.
//
// The package measures nothing, and doesn't read or write baseline pages.
package project

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// ConfigFile is the name of the configuration, at the root of a project.
const ConfigFile = "fleetmark.yaml"

// maxConfigBytes bounds a configuration.
const maxConfigBytes = 256 << 10

// A Project is a source tree. The zero value means that there is none.
type Project struct {
	Root   string // absolute path of the nearest directory with a go.mod, or of the git repository
	Module string // path of the module; empty if the root has no go.mod
	File   string // path of the configuration for messages; empty if there is none
	Config Config
}

// Find returns the project that contains dir, with its configuration. It returns the zero Project
// if dir is in neither a module nor a git repository. An error about the configuration joins a
// [*ConfigError] for each mistake.
func Find(dir string) (Project, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Project{}, err
	}
	var p Project
	if p.Root, p.Module, err = Module(dir); err != nil {
		return Project{}, err
	}
	if p.Root == "" {
		if p.Root, err = above(dir, ".git"); err != nil || p.Root == "" {
			return Project{}, err
		}
	}
	path := filepath.Join(p.Root, ConfigFile)
	shown, err := filepath.Rel(dir, path)
	if err != nil {
		shown = path
	}
	text, err := readConfig(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		problem := withoutPath(err).Error() + ": want a file that can be read"
		return Project{}, &ConfigError{File: shown, Problem: problem, Err: err}
	}
	p.File = shown
	p.Config, err = ParseConfig(shown, text)
	return p, err
}

// Module returns the nearest directory with a go.mod, which is dir or above it, and the path of its
// module. It returns empty strings if there is none.
func Module(dir string) (root, path string, err error) {
	if root, err = above(dir, "go.mod"); err != nil || root == "" {
		return "", "", err
	}
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", "", err
	}
	return root, modfile.ModulePath(text), nil
}

// above returns the nearest directory that holds name, which is dir or above it. It returns "" if
// there is none.
func above(dir, name string) (string, error) {
	for {
		_, err := os.Stat(filepath.Join(dir, name))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", nil
		}
		dir = parent
	}
}

func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err == nil && len(text) > maxConfigBytes {
		err = fmt.Errorf("is over %d KiB", maxConfigBytes>>10)
	}
	return plaintext.Decode(text), err
}

// withoutPath returns the cause of an error, without the path of the file.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
