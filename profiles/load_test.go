package profiles_test

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
)

// handmade is a profile of one column with a stack a sample, leaf first. A frame
// "a+b" is a, inlined into b; "" has no name.
func handmade(column, unit string, stacks map[string]int64) *profile.Profile {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: column, Unit: unit}},
		Mapping:    []*profile.Mapping{{ID: 1, File: "/bin/handmade", HasFunctions: true}},
	}
	functions := make(map[string]*profile.Function)
	function := func(name string) *profile.Function {
		f := functions[name]
		if f == nil {
			f = &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, SystemName: name}
			functions[name] = f
			p.Function = append(p.Function, f)
		}
		return f
	}
	for stack, value := range stacks {
		s := &profile.Sample{Value: []int64{value}}
		for frame := range strings.SplitSeq(stack, " ") {
			l := &profile.Location{ID: uint64(len(p.Location) + 1), Mapping: p.Mapping[0]}
			if frame != "?" {
				for name := range strings.SplitSeq(frame, "+") {
					l.Line = append(l.Line, profile.Line{Function: function(name), Line: 1})
				}
			}
			p.Location = append(p.Location, l)
			s.Location = append(s.Location, l)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func encode(t testing.TB, p *profile.Profile) []byte {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, p.Write(&buf))
	return buf.Bytes()
}

func packed(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	_, err := zw.Write(data)
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	return buf.Bytes()
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func requireProblem(t *testing.T, err error, path string, want profiles.FileProblem) {
	t.Helper()
	var fileErr *profiles.FileError
	require.ErrorAs(t, err, &fileErr)
	require.Equal(t, want, fileErr.Problem, "%v", err)
	require.Equal(t, path, fileErr.Path)
	require.Equal(t, 1, strings.Count(err.Error(), path), "the path, once: %v", err)
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), "nil")
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	good := encode(t, handmade("cpu", "nanoseconds", map[string]int64{"leaf root": 5}))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6] ^= 1 // in the CRC (RFC 1952 §2.3.1: the last 8 bytes are CRC and size)
	var raw bytes.Buffer
	require.NoError(t, handmade("cpu", "nanoseconds", map[string]int64{"leaf root": 5}).WriteUncompressed(&raw))
	typeless := handmade("cpu", "nanoseconds", nil)
	typeless.SampleType = nil

	for name, test := range map[string]struct {
		data []byte
		want profiles.FileProblem
	}{
		"empty":                {nil, profiles.Empty},
		"gzip of nothing":      {packed(t, nil), profiles.Empty},
		"text":                 {[]byte("goroutine profile: total 3\n"), profiles.NotProfile},
		"gzip of text":         {packed(t, []byte("BenchmarkPush 1 2 ns/op")), profiles.NotProfile},
		"no sample types":      {encode(t, typeless), profiles.NotProfile},
		"checksum":             {flipped, profiles.Damaged},
		"gzip header":          {append([]byte{0x1f, 0x8b, 0xff}, good[3:]...), profiles.Damaged},
		"something after gzip": {append(bytes.Clone(good), "more"...), profiles.Cut},
		"cut, not packed":      {raw.Bytes()[:raw.Len()-1], profiles.NotProfile},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), "cpu.1.pb.gz", test.data)
			_, err := profiles.Load(path)
			requireProblem(t, err, path, test.want)
		})
	}

	t.Run("cut at every byte", func(t *testing.T) {
		dir := t.TempDir()
		for n := 1; n < len(good); n++ {
			path := write(t, dir, "cpu.1.pb.gz", good[:n])
			_, err := profiles.Load(path)
			requireProblem(t, err, path, profiles.Cut)
		}
	})
	t.Run("missing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "cpu.1.pb.gz")
		_, err := profiles.Load(path)
		requireProblem(t, err, path, profiles.Missing)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.Equal(t, "profile "+path+": missing (file does not exist): name a run directory or a .pb.gz file", err.Error())
	})
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		_, err := profiles.Load(dir)
		requireProblem(t, err, dir, profiles.Unreadable)
	})
	t.Run("good, packed or not", func(t *testing.T) {
		for _, data := range [][]byte{good, raw.Bytes()} {
			p, err := profiles.Load(write(t, t.TempDir(), "cpu.1.pb.gz", data))
			require.NoError(t, err)
			require.Len(t, p.Sample, 1)
		}
	})
}

func TestDecodeIsBounded(t *testing.T) {
	bomb := packed(t, make([]byte, 1<<20)) // about 1 KiB
	_, err := profiles.Decode(bomb, 64<<10)
	require.ErrorContains(t, err, string(profiles.TooLarge))
	_, err = profiles.Decode(make([]byte, 11), 10)
	require.ErrorContains(t, err, string(profiles.TooLarge))
}

func FuzzDecode(f *testing.F) {
	good := encode(f, handmade("cpu", "nanoseconds", map[string]int64{"leaf+inlined root": 5, "other root": -1, "? root": 2}))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{})
	f.Add([]byte{0x1f, 0x8b})
	f.Add([]byte("heap profile: 1: 2 [3: 4] @ heap/5\n"))
	var raw bytes.Buffer
	require.NoError(f, handmade("alloc_space", "bytes", map[string]int64{"leaf root": 5}).WriteUncompressed(&raw))
	f.Add(raw.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := profiles.Decode(data, 1<<20)
		if err != nil {
			require.Nil(t, p)
			return
		}
		require.NoError(t, p.CheckValid())
		require.NotEmpty(t, p.SampleType)
	})
}
