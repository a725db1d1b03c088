// Package scratch makes temporary directories that don't outlive their process for long.
//
// A process that ends normally removes its directory. One that is killed can't. Therefore every
// directory holds a lock file that its process keeps locked, and the next process removes the
// directories whose lock nobody holds.
package scratch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

const lockFile = "in-use.lock"

// A Dir is a temporary directory that belongs to this process.
type Dir struct {
	Path string
	lock *flock.Flock
}

// New makes a directory in parent whose name begins with prefix and a dash, and removes those of
// the same prefix that ended processes left there. An empty parent is the system's directory for
// temporary files.
func New(parent, prefix string) (*Dir, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	sweep(parent, prefix)
	for {
		path, err := os.MkdirTemp(parent, prefix+"-")
		if err != nil {
			return nil, fmt.Errorf("no temporary directory: %w: set TMPDIR to a directory that exists and can be written", err)
		}
		lock := flock.New(filepath.Join(path, lockFile))
		if err := lock.Lock(); err != nil {
			return nil, errors.Join(err, os.RemoveAll(path))
		}
		// Another process may have removed the directory before the file was locked.
		if _, err := os.Stat(lock.Path()); err == nil {
			return &Dir{Path: path, lock: lock}, nil
		}
		if err := lock.Unlock(); err != nil {
			return nil, err
		}
	}
}

// Close removes the directory and all that is in it.
func (d *Dir) Close() error {
	// Unlock first, since Windows removes no open file. RemoveAll succeeds even if another process
	// removes the directory at the same time.
	return errors.Join(d.lock.Unlock(), removeAll(d.Path))
}

// removeAll removes a directory and all that is in it, also from directories that may not be written,
// such as those that the go command downloads modules to.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	walked := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	return errors.Join(walked, os.RemoveAll(dir))
}

// sweep removes the directories that no process holds, if it is allowed to. It keeps a directory
// without a lock file, whose process may be about to make the file.
func sweep(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return // making a directory there says why
	}
	for _, e := range entries {
		path := filepath.Join(parent, e.Name(), lockFile)
		if !strings.HasPrefix(e.Name(), prefix+"-") {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			continue
		}
		lock := flock.New(path)
		if free, err := lock.TryLock(); err != nil || !free {
			continue
		}
		if lock.Unlock() == nil {
			// The next process tries again to remove what is left.
			_ = removeAll(filepath.Dir(path))
		}
	}
}
