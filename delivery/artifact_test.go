package delivery

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArtifacts(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	dir := t.TempDir()
	path := filepath.Join(dir, "firmware.bin")
	require.NoError(t, os.WriteFile(path, body, 0o600))
	out, err := exec.Command("sha256sum", path).Output()
	require.NoError(t, err)
	want, _, _ := strings.Cut(string(out), " ")

	fromBytes, err := ArtifactFromBytes(body)
	require.NoError(t, err)
	fromFile, err := OpenArtifact(t.Context(), path)
	require.NoError(t, err)
	fromReader, err := ReadArtifact(t.Context(), bytes.NewReader(body), dir, int64(len(body)))
	require.NoError(t, err)
	for name, a := range map[string]*Artifact{"bytes": fromBytes, "file": fromFile, "reader": fromReader} {
		require.Equal(t, want, a.DigestHex(), name)
		require.EqualValues(t, len(body), a.Size(), name)
		got, err := io.ReadAll(a.Reader())
		require.NoError(t, err, name)
		require.True(t, bytes.Equal(body, got), name)
		require.NoError(t, a.Close(), name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "what was read into a temporary file is gone")
}

func TestArtifactsOverTheWire(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		body := bytes.Repeat([]byte("0123456789abcdef"), 50_000)
		a, err := ReadArtifact(t.Context(), bytes.NewReader(body), t.TempDir(), 1<<20)
		require.NoError(t, err)
		defer a.Close()
		u, err := NewUpdate("2", a)
		require.NoError(t, err)
		dev := newTestDevice(t)
		require.NoError(t, newClient(t, cfg).Push(t.Context(), dev.Device, u))
		require.True(t, bytes.Equal(body, dev.bodies[0]))
	})
}

func TestBadArtifacts(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	open := func(path string) error {
		_, err := OpenArtifact(t.Context(), path)
		return err
	}
	require.ErrorIs(t, open(filepath.Join(dir, "missing")), os.ErrNotExist)
	require.ErrorIs(t, open(empty), ErrEmptyArtifact)
	require.ErrorContains(t, open(empty), empty)
	require.ErrorContains(t, open(dir), "is a directory")
	_, err := ArtifactFromBytes(nil)
	require.ErrorIs(t, err, ErrEmptyArtifact)
	_, err = NewArtifact(t.Context(), strings.NewReader("abc"), 0)
	require.ErrorIs(t, err, ErrEmptyArtifact)
	_, err = NewArtifact(t.Context(), strings.NewReader("abc"), 4)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = ReadArtifact(t.Context(), strings.NewReader(""), dir, 10)
	require.ErrorIs(t, err, ErrEmptyArtifact)
	_, err = ReadArtifact(t.Context(), strings.NewReader("12345678901"), dir, 10)
	require.ErrorContains(t, err, "limit of 10 bytes")
	_, err = ReadArtifact(t.Context(), &failingReader{}, dir, 10)
	require.ErrorContains(t, err, "line gone")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = ReadArtifact(canceled, strings.NewReader("abc"), dir, 10)
	require.ErrorIs(t, err, context.Canceled)
	_, err = NewArtifact(canceled, strings.NewReader("abc"), 3)
	require.ErrorIs(t, err, context.Canceled)
	_, err = ReadArtifact(t.Context(), strings.NewReader("abc"), filepath.Join(dir, "missing"), 10)
	require.ErrorIs(t, err, os.ErrNotExist)

	_, err = NewUpdate("2", nil)
	require.Error(t, err)
	a, err := ArtifactFromBytes([]byte("x"))
	require.NoError(t, err)
	for _, version := range []string{"", "a\nb", "a\x7f", strings.Repeat("9", 129)} {
		_, err = NewUpdate(version, a)
		require.Error(t, err, "%q", version)
	}
}

type failingReader struct{}

func (*failingReader) Read([]byte) (int, error) { return 0, errors.New("line gone") }

func TestIdempotencyKey(t *testing.T) {
	a := newUpdate(t, "2", []byte("x"))
	require.Equal(t, a.key, newUpdate(t, "2", []byte("x")).key, "the same update, in another process too")
	require.NotEqual(t, a.key, newUpdate(t, "3", []byte("x")).key)
	require.NotEqual(t, a.key, newUpdate(t, "2", []byte("y")).key)
	require.Equal(t, "2", a.Version())
	require.EqualValues(t, 1, a.Artifact().Size())
}

func TestArtifactWithoutALimit(t *testing.T) {
	a, err := ReadArtifact(t.Context(), strings.NewReader("abc"), t.TempDir(), math.MaxInt64)
	require.NoError(t, err)
	require.EqualValues(t, 3, a.Size())
	require.NoError(t, a.Close())
	_, err = ReadArtifact(t.Context(), strings.NewReader("abc"), t.TempDir(), -1)
	require.ErrorContains(t, err, "limit of -1 bytes")
}

// TestArtifactOfAPipe checks that a pipe is refused before it is opened: opening would wait for its
// writer forever.
func TestArtifactOfAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, exec.Command("mkfifo", path).Run())
	_, err := OpenArtifact(t.Context(), path)
	require.ErrorContains(t, err, "is not a regular file")
}
