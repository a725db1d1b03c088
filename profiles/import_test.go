package profiles

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"
)

// writeRaw writes a heap profile with four columns, as the runtime does, of two functions.
func writeRaw(t *testing.T) string {
	t.Helper()
	functions := []*profile.Function{{ID: 1, Name: "example.com/m.Work"}, {ID: 2, Name: "testing.(*B).Run"}}
	locations := []*profile.Location{{ID: 1, Line: []profile.Line{{Function: functions[0]}}},
		{ID: 2, Line: []profile.Line{{Function: functions[1]}}}}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "alloc_objects", Unit: "count"}, {Type: "alloc_space", Unit: "bytes"},
			{Type: "inuse_objects", Unit: "count"}, {Type: "inuse_space", Unit: "bytes"}},
		Sample: []*profile.Sample{{Location: locations[:1], Value: []int64{3, 30, 1, 10}},
			{Location: locations, Value: []int64{5, 50, 0, 0}}},
		Function: functions, Location: locations,
	}
	path := filepath.Join(t.TempDir(), "raw")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, p.Write(f))
	require.NoError(t, f.Close())
	return path
}

func TestImport(t *testing.T) {
	raw, dir := writeRaw(t), filepath.Join(t.TempDir(), "new", "dir")
	file, err := Import(raw, dir, Allocs, 3, map[string]string{OperationsLabel: "7"})
	require.NoError(t, err)
	require.Equal(t, File{Kind: Allocs, Repetition: 3, Path: filepath.Join(dir, "allocs.3.pb.gz"), Samples: 2}, file)
	p, err := Load(file.Path)
	require.NoError(t, err)
	require.Len(t, p.SampleType, 2)
	require.EqualValues(t, 7, Operations(p))
	require.Equal(t, []int64{3, 30}, p.Sample[0].Value)

	file, err = Import(raw, dir, Allocs, 4, nil, "testing.(*B).Run")
	require.NoError(t, err)
	require.Equal(t, 1, file.Samples)
}

func TestImportRefuses(t *testing.T) {
	raw, dir := writeRaw(t), t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	require.NoError(t, os.WriteFile(garbage, []byte("no profile"), 0o600))
	for name, c := range map[string]struct {
		from       string
		kind       Kind
		repetition int
		labels     map[string]string
		want       string
	}{
		"another kind":      {raw, CPU, 1, nil, "of another kind"},
		"an unknown kind":   {raw, "nonesuch", 1, nil, "nonesuch"},
		"no profile":        {garbage, Allocs, 1, nil, "not a pprof profile"},
		"no file":           {filepath.Join(dir, "missing"), Allocs, 1, nil, "missing"},
		"no repetition":     {raw, Allocs, 0, nil, "want 1 or more"},
		"a label's bad key": {raw, Allocs, 1, map[string]string{"A B": "x"}, "label"},
	} {
		_, err := Import(c.from, dir, c.kind, c.repetition, c.labels)
		require.ErrorContains(t, err, c.want, name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was written but the garbage")
}
