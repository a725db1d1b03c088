package rundir

import (
	"errors"
	"os"
	"syscall"
)

// spareBytes is how much space is reserved for the last run.json of a run. It suffices for some
// hundred repetitions.
const spareBytes = 64 << 10

// newSpareSpace reserves space in a directory, to be released when the disk is full. The file has
// no name, so a kill leaves nothing of it. newSpareSpace returns nil on systems such as Windows,
// where an open file must have a name.
func newSpareSpace(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".reserve.*.tmp")
	if err != nil {
		return nil, err
	}
	unnamed := os.Remove(f.Name()) == nil
	// Write zeros instead of truncating the file to this length, since a hole reserves no space.
	_, err = f.Write(make([]byte, spareBytes))
	if err == nil && unnamed {
		return f, f.Sync() // some file systems notice only now that they are full
	}
	err = errors.Join(err, f.Close())
	if !unnamed {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return nil, err
}

// releaseSpare releases the spare space. It is called with d.mu held.
func (d *Directory) releaseSpare() error {
	if d.spare == nil {
		return nil
	}
	f := d.spare
	d.spare = nil
	return f.Close()
}

// isDiskFull reports whether err says that the disk, or the user's quota of it, is full.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
