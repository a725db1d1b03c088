package profiles_test

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/internal/profiletest"
)

// packed returns data compressed by gzip.
func packed(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	_, err := zw.Write(data)
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	return buf.Bytes()
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	good := profiletest.Encode(t, profiletest.Handmade("cpu", "nanoseconds", map[string]int64{"leaf root": 5}))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6] ^= 1 // in the CRC (RFC 1952 §2.3.1: the last 8 bytes are CRC and size)
	var raw bytes.Buffer
	require.NoError(t, profiletest.Handmade("cpu", "nanoseconds",
		map[string]int64{"leaf root": 5}).WriteUncompressed(&raw))
	typeless := profiletest.Handmade("cpu", "nanoseconds", nil)
	typeless.SampleType = nil

	for name, test := range map[string]struct {
		data []byte
		want profiles.FileProblem
	}{
		"empty":               {nil, profiles.Empty},
		"gzip of no bytes":    {packed(t, nil), profiles.Empty},
		"text":                {[]byte("goroutine profile: total 3\n"), profiles.NotProfile},
		"gzip of text":        {packed(t, []byte("BenchmarkPush 1 2 ns/op")), profiles.NotProfile},
		"no sample types":     {profiletest.Encode(t, typeless), profiles.NotProfile},
		"checksum":            {flipped, profiles.Damaged},
		"gzip header":         {append([]byte{0x1f, 0x8b, 0xff}, good[3:]...), profiles.Damaged},
		"bytes after gzip":    {append(bytes.Clone(good), "more"...), profiles.Cut},
		"cut, not compressed": {raw.Bytes()[:raw.Len()-1], profiles.NotProfile},
	} {
		t.Run(name, func(t *testing.T) {
			path := profiletest.Write(t, t.TempDir(), "cpu.1.pb.gz", test.data)
			_, err := profiles.Load(path)
			profiletest.RequireProblem(t, err, path, test.want)
		})
	}

	t.Run("cut at every byte", func(t *testing.T) {
		dir := t.TempDir()
		for n := 1; n < len(good); n++ {
			path := profiletest.Write(t, dir, "cpu.1.pb.gz", good[:n])
			_, err := profiles.Load(path)
			profiletest.RequireProblem(t, err, path, profiles.Cut)
		}
	})
	t.Run("missing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "cpu.1.pb.gz")
		_, err := profiles.Load(path)
		profiletest.RequireProblem(t, err, path, profiles.Missing)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.Equal(t, "profile "+path+": missing (file does not exist): name a run directory or a .pb.gz file",
			err.Error())
	})
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		_, err := profiles.Load(dir)
		profiletest.RequireProblem(t, err, dir, profiles.Unreadable)
	})
	t.Run("good, compressed or not", func(t *testing.T) {
		for _, data := range [][]byte{good, raw.Bytes()} {
			p, err := profiles.Load(profiletest.Write(t, t.TempDir(), "cpu.1.pb.gz", data))
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
	good := profiletest.Encode(f, profiletest.Handmade("cpu", "nanoseconds",
		map[string]int64{"leaf+inlined root": 5, "other root": -1, "? root": 2}))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{})
	f.Add([]byte{0x1f, 0x8b})
	f.Add([]byte("heap profile: 1: 2 [3: 4] @ heap/5\n"))
	var raw bytes.Buffer
	require.NoError(f, profiletest.Handmade("alloc_space", "bytes",
		map[string]int64{"leaf root": 5}).WriteUncompressed(&raw))
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
