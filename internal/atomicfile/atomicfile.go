// Package atomicfile writes files that are replaced as a whole: reports, profiles, samples, pages.
//
// [Write] takes a path and the file's whole content. It replaces a regular file atomically: a
// reader finds the old content or the new one at any moment, also after a kill or a loss of power.
// A file that a new one can't replace (a pipe, a device, a file of another owner) is written in
// place, as a shell redirection would do it. [Check] reports beforehand whether Write would
// succeed.
//
// The package doesn't interpret what it writes.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// Write makes data the content of the file at path. It follows symbolic links, and leaves them in
// place. An existing file keeps its mode and owner; a new file has mode 0666 before umask. The data
// is on the disk when Write returns. Errors name the path.
func Write(path string, data []byte) error {
	if err := write(path, data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func write(path string, data []byte) error {
	t, err := find(path)
	if err != nil {
		return err
	}
	if t.special {
		return overwrite(path, data, os.O_APPEND)
	}
	if err := t.writable(); err != nil {
		return err
	}
	err = t.replace(data)
	if t.info != nil && irreplaceable(err) {
		return overwrite(t.path, data, os.O_TRUNC)
	}
	return err
}

// Check returns the error that Write would return for path now, or nil. It leaves the file as it
// is, and no temporary file.
func Check(path string) error {
	t, err := find(path)
	switch {
	case err != nil:
		return err
	case t.special:
		return mayWrite(path)
	}
	if err := t.writable(); err != nil {
		return err
	}
	probe, err := t.temporary()
	if err != nil && t.info != nil && irreplaceable(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("its directory can't be written: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// A target is what a path leads to.
type target struct {
	path    string      // its last element is no symbolic link, unless special is set
	info    fs.FileInfo // nil if the file doesn't exist
	special bool        // not a regular file, or an open file of a process such as /dev/stdout
}

// maxLinks bounds the symbolic links that are followed, as Linux does.
const maxLinks = 40

// find follows the symbolic links of a path. The last one may lead to a file that doesn't exist.
func find(path string) (target, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return target{}, errors.New("is a directory: want a file")
	case err == nil && !info.Mode().IsRegular():
		return target{path: path, info: info, special: true}, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return target{}, err
	}
	t := target{path: path}
	for range maxLinks {
		link, err := os.Lstat(t.path)
		if errors.Is(err, fs.ErrNotExist) {
			return t, nil
		}
		if err != nil {
			return t, err
		}
		if link.Mode()&fs.ModeSymlink == 0 {
			t.info = link
			return t, nil
		}
		if strings.HasPrefix(t.path, "/proc/") { // an open file of a process: /dev/stdout leads there
			return target{path: path, info: info, special: true}, nil
		}
		to, err := os.Readlink(t.path)
		if err != nil {
			return t, err
		}
		if !filepath.IsAbs(to) {
			// Join the path without cleaning it: if the directory is a link, ".." is not its parent in the path.
			to = filepath.Dir(t.path) + string(filepath.Separator) + to
		}
		t.path = to
	}
	return t, errors.New("too many symbolic links")
}

// writable returns the system's error if the file exists and must not be written, or nil.
func (t target) writable() error {
	if t.info == nil {
		return nil
	}
	f, err := os.OpenFile(t.path, os.O_WRONLY, 0)
	if err != nil {
		return bare(err)
	}
	return f.Close()
}

// temporary creates an empty file beside the target, with mode 0666 before umask.
func (t target) temporary() (*os.File, error) {
	dir, name := filepath.Split(t.path)
	for {
		unique := "." + name + "." + strconv.FormatUint(rand.Uint64(), 36) + ".tmp"
		f, err := os.OpenFile(filepath.Join(dir, unique), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// replace writes data to a new file and renames it to the target.
func (t target) replace(data []byte) (err error) {
	f, err := t.temporary()
	if err != nil {
		return bare(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unless(f.Close(), fs.ErrClosed), unless(os.Remove(f.Name()), fs.ErrNotExist))
		}
	}()
	if t.info != nil {
		if err := keepOwner(f, t.info); err != nil {
			return err
		}
		if err := f.Chmod(t.info.Mode().Perm()); err != nil {
			return err
		}
	}
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), t.path); err != nil {
		return bare(err)
	}
	return SyncDirectory(filepath.Dir(t.path))
}

// irreplaceable reports whether err means that no other file may take the target's place: the
// directory is read-only, the owner can't be kept, or the target is a mount point.
func irreplaceable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EBUSY)
}

// overwrite writes into the existing file.
func overwrite(path string, data []byte, flag int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|flag, 0)
	if err != nil {
		return bare(err)
	}
	_, err = f.Write(data)
	if flag == os.O_TRUNC && err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// SyncDirectory flushes a directory to the disk, so that the names in it survive a loss of power.
func SyncDirectory(path string) error {
	if runtime.GOOS == "windows" {
		return nil // directories can't be flushed there; the file system journals names
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// bare returns the cause of an error of package os, without the path, which may be one that the
// user didn't name.
func bare(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}

// unless returns err, or nil if err is expected.
func unless(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
