package rundir

import (
	"errors"
	"os"
	"syscall"
)

// spareBytes is kept free for the last run.json of a run: that of some hundred repetitions.
const spareBytes = 64 << 10

// newSpareSpace takes up space in a directory that can be released when the disk is full. The file has no
// name, so a kill leaves nothing of it. It returns nil where a file can't be without a name while it is
// open, as on Windows.
func newSpareSpace(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".reserve.*.tmp")
	if err != nil {
		return nil, err
	}
	unnamed := os.Remove(f.Name()) == nil
	// Written, and not only made so long: a hole takes up no space.
	_, err = f.Write(make([]byte, spareBytes))
	if err == nil && unnamed {
		return f, f.Sync() // some file systems find out only then that they are full
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

// isDiskFull reports whether an error says that a disk, or somebody's share of it, is full.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
