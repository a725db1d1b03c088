package checkout

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFunctions checks that the functions of a module which differs between the two sides, and no
// others, are found by their names as the linker writes them and profiles show them.
func TestFunctions(t *testing.T) {
	const names = "package %s\n\nimport \"runtime\"\n\nfunc Name() string {\n\tpc, _, _, _ := runtime.Caller(0)\n\treturn runtime.FuncForPC(pc).Name()\n}\n"
	files := map[string]string{
		"go.mod": "module example.com/main\n\ngo 1.24\n\nrequire (\n\texample.com/dep.v2 v0.0.0\n\texample.com/dep.v2x v0.0.0\n)\n\n" +
			"replace (\n\texample.com/dep.v2 => ./one\n\texample.com/dep.v2x => ./alike\n)\n",
		"main.go": "package main\n\nimport (\n\t\"os\"\n\n\tdep \"example.com/dep.v2\"\n\t\"example.com/dep.v2/sub\"\n\talike \"example.com/dep.v2x\"\n)\n\n" +
			"func main() { os.Stdout.WriteString(dep.Name() + \" \" + sub.Name() + \" \" + alike.Name()) }\n",
		"alike/go.mod": "module example.com/dep.v2x\n\ngo 1.24\n",
		"alike/x.go":   strings.Replace(names, "%s", "alike", 1),
	}
	for _, side := range []string{"one", "two"} {
		files[side+"/go.mod"] = "module example.com/dep.v2\n\ngo 1.24\n"
		files[side+"/x.go"] = strings.Replace(names, "%s", "dep", 1)
		files[side+"/sub/x.go"] = strings.Replace(names, "%s", "sub", 1)
	}
	dir := newRepository(t, files)
	commit(t, dir, map[string]string{"go.mod": strings.ReplaceAll(files["go.mod"], "./one", "./two")})
	base, now, err := Pair(t.Context(), dir, "HEAD~1", t.TempDir())
	require.NoError(t, err)
	var inputs []*Inputs
	for _, side := range []*Tree{base, now} {
		packages, err := side.Deps(t.Context(), ".")
		require.NoError(t, err)
		in, err := side.Inputs(t.Context(), packages)
		require.NoError(t, err)
		inputs = append(inputs, in)
	}
	differences := Differences(inputs[0], inputs[1])
	require.Equal(t, []string{"module: example.com/dep.v2 v0.0.0 => ./one, now example.com/dep.v2 v0.0.0 => ./two"},
		Texts(differences))

	program := filepath.Join(t.TempDir(), "program")
	_, err = now.Go(t.Context(), "build", "-o", program, ".")
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), program).Output()
	require.NoError(t, err)
	found := strings.Fields(string(out))
	require.Len(t, found, 3)
	prefixes := Functions(append(differences, Difference{Text: "toolchain: go1.25.0, now go1.26.0"}))
	is := func(name string) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(name, p) {
				return true
			}
		}
		return false
	}
	require.True(t, is(found[0]), "%s of the module's own package, %q", found[0], prefixes)
	require.True(t, is(found[1]), "%s of a package in it, %q", found[1], prefixes)
	require.False(t, is(found[2]), "%s of another module, %q", found[2], prefixes)
	require.False(t, is("main.main"))
}
