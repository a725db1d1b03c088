// Package scratch makes temporary directories that don't outlive their process for long.
//
// A process that ends in order removes its directory. One that is killed can't, so every directory
// holds a lock file that its process keeps locked, and the next process removes those that nobody
// holds.
package scratch

import (
	"errors"
	"fmt"
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
		// Between the making of the file and its lock another process may have swept it away.
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
	// The lock goes first, since Windows removes no open file. If another process sweeps the
	// directory at the same time, RemoveAll doesn't mind.
	return errors.Join(d.lock.Unlock(), os.RemoveAll(d.Path))
}

// sweep removes directories that no process holds, as far as it may: what belongs to another user
// stays, and so does a directory without a lock file, whose owner may be about to make it.
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
			// What can't be removed now is left to the next.
			_ = os.RemoveAll(filepath.Dir(path))
		}
	}
}
