package profiles_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/internal/profiletest"
)

func TestFind(t *testing.T) {
	run := t.TempDir()
	in := func(names ...string) []string {
		paths := make([]string, len(names))
		for i, name := range names {
			paths[i] = filepath.Join(run, "profiles", name)
		}
		return paths
	}
	for _, name := range []string{"cpu.10.pb.gz", "cpu.2.pb.gz", "cpu.1.pb.gz", "heap.1.pb.gz",
		".cpu.3.pb.gz.tmp-1", "cpu.03.pb.gz", "cpu.0.pb.gz", "cpu.pb.gz", "notes.txt", "cpu.4.pb.gz/file"} {
		profiletest.Write(t, filepath.Join(run, "profiles"), name, []byte("x"))
	}
	profiletest.Write(t, run, "samples.txt", nil)

	files, err := profiles.Find(run, profiles.CPU)
	require.NoError(t, err)
	require.Equal(t, in("cpu.1.pb.gz", "cpu.2.pb.gz", "cpu.10.pb.gz"), files)

	files, err = profiles.Find(filepath.Join(run, "profiles"), profiles.Heap)
	require.NoError(t, err, "the folder of profiles itself")
	require.Equal(t, in("heap.1.pb.gz"), files)

	files, err = profiles.Find(in("heap.1.pb.gz")[0], profiles.CPU)
	require.NoError(t, err, "a file's kind isn't checked")
	require.Equal(t, in("heap.1.pb.gz"), files)

	_, err = profiles.Find(run, profiles.Mutex)
	profiletest.RequireProblem(t, err, run, profiles.NoSuchKind)
	require.ErrorContains(t, err, "(mutex; it has cpu, heap)")

	empty := t.TempDir()
	_, err = profiles.Find(empty, profiles.CPU)
	profiletest.RequireProblem(t, err, empty, profiles.NoProfiles)

	gone := filepath.Join(empty, "gone")
	_, err = profiles.Find(gone, profiles.CPU)
	profiletest.RequireProblem(t, err, gone, profiles.Missing)

	_, err = profiles.Find(run, "cpuu")
	require.ErrorContains(t, err, `profile kind "cpuu": unknown: want one of cpu, heap, allocs, goroutine, mutex, block`)
}

func TestParseKind(t *testing.T) {
	for _, k := range profiles.Kinds() {
		got, err := profiles.ParseKind(string(k))
		require.NoError(t, err)
		require.Equal(t, k, got)
	}
	for _, s := range []string{"", "CPU", " cpu", "trace"} {
		_, err := profiles.ParseKind(s)
		require.Error(t, err, s)
	}
}

func FuzzParseFileName(f *testing.F) {
	for _, name := range []string{"cpu.1.pb.gz", "heap.10.pb.gz", "cpu.01.pb.gz", "cpu.+1.pb.gz", "cpu.0.pb.gz",
		"cpu..pb.gz",
		".pb.gz", "cpu.1", "cpu.1.2.pb.gz", "CPU.1.pb.gz", "cpu.99999999999999999999.pb.gz", "../cpu.1.pb.gz",
		".cpu.1.pb.gz"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		k, repetition, ok := profiles.ParseFileName(name)
		if !ok {
			require.Zero(t, k)
			require.Zero(t, repetition)
			return
		}
		require.Contains(t, profiles.Kinds(), k)
		require.Positive(t, repetition)
		require.Equal(t, name, profiles.FileName(k, repetition))
	})
}

func TestParseFileName(t *testing.T) {
	k, repetition, ok := profiles.ParseFileName("mutex.12.pb.gz")
	require.True(t, ok)
	require.Equal(t, profiles.Mutex, k)
	require.Equal(t, 12, repetition)
}
