package results

import (
	"errors"
	"os"
	"syscall"
)

// reserveBytes is kept free for a run's last word: run.json of some hundred repetitions.
const reserveBytes = 64 << 10

// newReserve takes up room in a directory that can be given back when the disk is
// full. The file has no name, so that a kill leaves nothing of it; where a file can't be
// without one while it is open, as on Windows, there is no reserve.
func newReserve(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".reserve.*.tmp")
	if err != nil {
		return nil, err
	}
	unnamed := os.Remove(f.Name()) == nil
	// Written, and not only made so long: a hole takes up nothing.
	_, err = f.Write(make([]byte, reserveBytes))
	if err == nil && unnamed {
		return f, f.Sync() // some file systems find out only then that they are full
	}
	err = errors.Join(err, f.Close())
	if !unnamed {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return nil, err
}

// freeReserve gives the reserve back; d.mu is held.
func (d *RunDirectory) freeReserve() error {
	if d.reserve == nil {
		return nil
	}
	f := d.reserve
	d.reserve = nil
	return f.Close()
}

// isFull reports whether an error is that a disk, or somebody's share of it, is full.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
