package profiles

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortableName(t *testing.T) {
	for _, row := range []struct{ function, file, want string }{
		{"example.com/m/pkg.(*T).Method", "/home/someone/m/pkg/file.go", "example.com/m/pkg/file.go"},
		{"runtime.mallocgc", "/usr/local/go/src/runtime/malloc.go", "runtime/malloc.go"},
		{"net/http.(*Transport).roundTrip", `C:\Go\src\net\http\transport.go`, "net/http/transport.go"},
		{"slices.SortFunc[go.shape.[]example.com/other.T]", "/usr/local/go/src/slices/sort.go", "slices/sort.go"},
		{"gopkg.in/yaml.v3.Marshal", "/x/yaml.go", "gopkg.in/yaml/yaml.go"},
		{"main.main", "/x/main.go", "main/main.go"},
		{"main.main", "", ""},
	} {
		require.Equal(t, row.want, portableName(row.function, row.file))
	}
}

func TestCopyPortable(t *testing.T) {
	dir := t.TempDir()
	p := made(madeStack{2, 200, []string{"own/pkg.f", "main.work"}})
	from, to := filepath.Join(dir, "allocs.1.pb.gz"), filepath.Join(dir, "allocs.2.pb.gz")
	require.NoError(t, writeProfile(from, Allocs, p))
	require.NoError(t, CopyPortable(from, to, Allocs))
	back, err := Load(to)
	require.NoError(t, err)
	for _, f := range back.Function {
		require.NotContains(t, f.Filename, "somewhere")
	}
	require.Len(t, back.Sample, 1)
	require.Error(t, CopyPortable(from, to, CPU), "of another kind")
}
