//go:build unix

package atomicfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// TestWriteKeepsWhatIsThere checks that links, modes and the kind of a file stay as they are.
func TestWriteKeepsWhatIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(dir string) error
		path    string // below the directory
		target  string // where the data must be found, below the directory
		mode    fs.FileMode
	}{
		"a private file": {func(dir string) error { return os.WriteFile(dir+"/f", []byte("longer than it"), 0o600) }, "f",
			"f", 0o600},
		"a program": {func(dir string) error { return os.WriteFile(dir+"/f", nil, 0o755) }, "f", "f", 0o755},
		"a link": {func(dir string) error { return link(os.WriteFile(dir+"/f", nil, 0o640), "f", dir+"/l") }, "l", "f",
			0o640},
		"a link to a link": {func(dir string) error {
			return link(link(os.WriteFile(dir+"/f", nil, 0o640), "f", dir+"/k"), "k", dir+"/l")
		}, "l", "f", 0o640},
		"a link to nothing yet": {func(dir string) error { return link(nil, dir+"/f", dir+"/l") }, "l", "f", 0o644},
		"a link up, through a link": {func(dir string) error {
			return link(link(os.MkdirAll(dir+"/a/b", 0o755), "a/b", dir+"/d"), "../f", dir+"/d/l")
		}, "d/l", "a/f", 0o644},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, c.prepare(dir))
			path := filepath.Join(dir, c.path)
			was, err := os.Lstat(path)
			require.NoError(t, err)
			require.NoError(t, Check(path))
			require.NoError(t, Write(path, []byte("data")))
			is, err := os.Lstat(path)
			require.NoError(t, err)
			require.Equal(t, was.Mode(), is.Mode())
			require.Equal(t, "data", read(t, filepath.Join(dir, c.target)))
			info, err := os.Lstat(filepath.Join(dir, c.target))
			require.NoError(t, err)
			require.Equal(t, c.mode, info.Mode())
		})
	}
}

// link makes a symbolic link, unless err is set.
func link(err error, to, path string) error {
	if err != nil {
		return err
	}
	return os.Symlink(to, path)
}

func TestWriteIntoAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	require.NoError(t, Check(pipe)) // which a reader doesn't notice
	got := make(chan string)
	go func() { data, _ := os.ReadFile(pipe); got <- string(data) }()
	require.NoError(t, Write(pipe, []byte("data")))
	require.Equal(t, "data", <-got)
	info, err := os.Lstat(pipe)
	require.NoError(t, err)
	require.Equal(t, fs.ModeNamedPipe|0o600, info.Mode())
}

// TestWriteHonorsTheUmask checks that the umask limits what others may do with a new file.
func TestWriteHonorsTheUmask(t *testing.T) {
	dir := t.TempDir()
	for mask, mode := range map[int]fs.FileMode{0o077: 0o600, 0o002: 0o664, 0o027: 0o640} {
		path := filepath.Join(dir, fmt.Sprintf("%03o", mask))
		before := unix.Umask(mask)
		err := Write(path, []byte("data"))
		unix.Umask(before)
		require.NoError(t, err)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode())
	}
}

// TestWriteToAnOpenFile checks that data is appended to a file that a process has open, as
// /dev/stdout may be.
func TestWriteToAnOpenFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/proc is Linux's")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteString("a table\n")
	require.NoError(t, err)
	require.NoError(t, Write(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), []byte("a report\n")))
	require.Equal(t, "a table\na report\n", read(t, f.Name()))
}

func TestWriteKeepsTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root writes files of others")
	}
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chown(path, 12345, 23456))
	require.NoError(t, Write(path, []byte("data")))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, uint32(12345), info.Sys().(*syscall.Stat_t).Uid)
	require.Equal(t, uint32(23456), info.Sys().(*syscall.Stat_t).Gid)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
}

// TestWriteAsAUserMay checks that a file is written exactly if the system allows that, whatever the
// mode of its directory.
func TestWriteAsAUserMay(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may")
	}
	dir := t.TempDir()
	closed, open := filepath.Join(dir, "closed"), filepath.Join(dir, "open")
	require.NoError(t, os.WriteFile(closed, []byte("old"), 0o400))
	require.NoError(t, os.WriteFile(open, []byte("longer than the new"), 0o600))
	require.NoError(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	require.ErrorIs(t, Check(closed), fs.ErrPermission)
	require.ErrorIs(t, Write(closed, []byte("new")), fs.ErrPermission)
	require.Equal(t, "old", read(t, closed))
	require.NoError(t, Check(open))
	require.NoError(t, Write(open, []byte("new")))
	require.Equal(t, "new", read(t, open))
	require.ErrorIs(t, Check(filepath.Join(dir, "none")), fs.ErrPermission)
}

// TestIrreplaceable checks that a file which is a mount point is written in place, since it can't
// be replaced.
func TestIrreplaceable(t *testing.T) {
	for err, want := range map[error]bool{syscall.EBUSY: true, syscall.EROFS: true, syscall.EACCES: true,
		syscall.EPERM: true, syscall.ENOSPC: false, nil: false} {
		require.Equal(t, want, irreplaceable(err), "%v", err)
	}
}
