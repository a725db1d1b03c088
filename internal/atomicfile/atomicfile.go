// Package atomicfile writes the files that a command is asked for: reports, profiles, samples, pages.
//
// [Write] takes a path and everything that the file is to hold. A regular file is replaced as a whole,
// so that whoever reads it, at any moment and after a kill or a loss of power, finds the old content or
// the new one. What can't be replaced without becoming another thing (a pipe, a device, a file of
// another owner) is written in place, as a shell's > does it. [Check] says beforehand whether Write could.
//
// It knows nothing of what it writes.
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

// Write makes the file at path hold data. Symbolic links are followed, and stay links. A file that
// exists keeps its mode and its owner; a new one has the mode that the umask leaves of 0666. The data
// is on the disk when Write returns. An error names the path.
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

// Check returns why Write could not write to path now, or nil. It leaves nothing behind.
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
	path    string      // without symbolic links in its last part
	info    fs.FileInfo // nil if there is nothing yet
	special bool        // it exists and is no regular file, or one that somebody has open as such
}

// maxLinks bounds the symbolic links that are followed, as Linux does.
const maxLinks = 40

// find follows the path's symbolic links, also one that leads to nothing yet.
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
		if strings.HasPrefix(t.path, "/proc/") { // an open file of a process, such as /dev/stdout leads to
			return target{path: path, info: info, special: true}, nil
		}
		to, err := os.Readlink(t.path)
		if err != nil {
			return t, err
		}
		if !filepath.IsAbs(to) {
			// Not cleaned: the directory may be a link itself, and .. is then elsewhere.
			to = filepath.Dir(t.path) + string(filepath.Separator) + to
		}
		t.path = to
	}
	return t, errors.New("too many symbolic links")
}

// writable returns the system's reason why a file that exists mustn't be changed, or nil.
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

// temporary makes an empty file beside the target, with the mode of a new one.
func (t target) temporary() (*os.File, error) {
	dir, name := filepath.Split(t.path)
	for {
		f, err := os.OpenFile(filepath.Join(dir, "."+name+"."+strconv.FormatUint(rand.Uint64(), 36)+".tmp"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// replace puts a new file in the target's place.
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

// irreplaceable reports whether err says that no other file may take the target's place: the directory
// is read-only, the owner can't be kept, or something is mounted on it.
func irreplaceable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EBUSY)
}

// overwrite writes into what is there.
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

// SyncDirectory makes the names in a directory survive a loss of power.
func SyncDirectory(path string) error {
	if runtime.GOOS == "windows" {
		return nil // a directory can't be flushed there; the file system journals its names
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// bare returns the cause of an error of the file system, without a path that its reader didn't name.
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

// unless returns err, or nil if it is the expected one.
func unless(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
