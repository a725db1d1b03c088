package results

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// AtomicWriteFile replaces the file at path by one that holds data. Whoever reads
// it, at any moment and after a kill or a loss of power, finds the old content or
// the new one, whole: the data is flushed before it takes the name, and the
// directory after. The file's mode is 0644.
func AtomicWriteFile(path string, data []byte) (err error) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	tmp, err := os.CreateTemp(dir, "."+name+".*.tmp")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, ignoreClosed(tmp.Close()), ignoreMissing(os.Remove(tmp.Name()))))
		}
	}()
	if _, err = tmp.Write(data); err != nil {
		return err
	}
	if err = tmp.Chmod(0o644); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDirectory(dir)
}

// CanWrite says why AtomicWriteFile could not write to path now, for those who would
// rather know before they have something to write. It leaves nothing behind.
func CanWrite(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return errors.New("is a directory: want a file")
	}
	probe, err := os.CreateTemp(filepath.Dir(path), ".fleetmark-probe.*.tmp")
	if err != nil {
		return fmt.Errorf("its directory can't be written: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// syncDirectory makes the names in a directory survive a loss of power.
func syncDirectory(path string) error {
	if runtime.GOOS == "windows" {
		return nil // a directory can't be flushed there; the file system journals its names
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
