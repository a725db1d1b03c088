package abtest

import (
	"archive/zip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/checkout"
)

// modulesHere makes a module proxy in a directory, and makes the go command use it alone. Each
// module is given as path@version, with the content of its only file.
func modulesHere(t *testing.T, modules map[string]string) {
	t.Helper()
	proxy := t.TempDir()
	for name, text := range modules {
		path, version, ok := strings.Cut(name, "@")
		require.True(t, ok)
		dir := filepath.Join(proxy, filepath.FromSlash(path), "@v")
		require.NoError(t, os.MkdirAll(dir, 0o700))
		mod := "module " + path + "\n\ngo 1.24\n"
		f, err := os.Create(filepath.Join(dir, version+".zip"))
		require.NoError(t, err)
		z := zip.NewWriter(f)
		for file, text := range map[string]string{"go.mod": mod, "x.go": text} {
			w, err := z.Create(name + "/" + file)
			require.NoError(t, err)
			_, err = io.WriteString(w, text)
			require.NoError(t, err)
		}
		require.NoError(t, z.Close())
		require.NoError(t, f.Close())
		require.NoError(t, os.WriteFile(filepath.Join(dir, version+".mod"), []byte(mod), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, version+".info"), []byte(`{"Version":"`+version+`"}`), 0o600))
	}
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(proxy))
	t.Setenv("GONOSUMDB", "*")
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-mod=mod -modcacherw") // otherwise the test can't remove its module cache
}

// TestBuild_moduleVersions checks that another version in go.mod, without a replace directive, is
// another module, and that an error about a wrong go.sum names the side.
func TestBuild_moduleVersions(t *testing.T) {
	modulesHere(t, map[string]string{
		"example.com/dep@v1.0.0": "package dep\n\nconst Name = \"dep-1.0\"\n",
		"example.com/dep@v1.1.0": "package dep\n\nconst Name = \"dep-1.1\"\n",
	})
	const module = "module example.com/tiny\n\ngo 1.24\n\nrequire example.com/dep "
	s := newSource(t, map[string]string{"go.mod": module + "v1.0.0\n"})
	s.run("go", "mod", "tidy")
	s.commit()
	s.renew()
	s.write("go.mod", module+"v1.1.0\n")
	s.run("go", "mod", "tidy")
	builds, base, now := s.build()
	require.Equal(t, "new-harness old-delivery old-banner old-wire dep-1.0", base)
	require.Equal(t, "new-harness new-delivery new-banner new-wire dep-1.1", now)
	require.Equal(t, CurrentHarness, builds.Harness)
	require.Equal(t, []string{"module: example.com/dep v1.0.0, now example.com/dep v1.1.0"},
		checkout.Texts(builds.Differences))
	require.Subset(t, builds.NowTree.Changed, []string{"go.mod", "go.sum"})

	// A side isn't built if the sums in its go.sum are wrong.
	text, err := os.ReadFile(filepath.Join(s.dir, "go.sum"))
	require.NoError(t, err)
	s.write("go.sum", regexp.MustCompile(`h1:.*=`).ReplaceAllString(string(text), "h1:"+strings.Repeat("A", 43)+"="))
	s.commit()
	_, err = s.revision("HEAD~1").open(t.Context(), "", t.TempDir())
	require.ErrorAs(t, err, new(*checkout.Error))
	require.ErrorContains(t, err, "now (")
	require.ErrorContains(t, err, "checksum mismatch")
}

// run runs a program in the source tree.
func (s *source) run(name string, args ...string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), name, args...)
	cmd.Dir = s.dir
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "%s %v: %s", name, args, out)
}

// TestBuild_goLine checks that each side's delivery package is compiled by the go line of its own
// go.mod. Before go 1.22, the closures of a loop share one variable.
func TestBuild_goLine(t *testing.T) {
	s := newSource(t, map[string]string{
		"go.mod": "module example.com/tiny\n\ngo 1.21\n",
		"delivery/delivery.go": `package delivery

func Names() string {
	var all []func() string
	for _, v := range []string{"a", "b"} {
		all = append(all, func() string { return v })
	}
	return name + " " + all[0]()
}
`,
	})
	s.rewrite("go.mod", "go 1.21", "go 1.24")
	builds, base, now := s.build()
	require.Equal(t, "old-harness old-delivery b", base)
	require.Equal(t, "old-harness old-delivery a", now)
	require.Equal(t, []string{"go line of example.com/tiny: 1.21, now 1.24"}, checkout.Texts(builds.Differences))
}

// TestBuild_toolchain checks that a missing toolchain is reported in one line, with the side that
// requires it.
func TestBuild_toolchain(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOTOOLCHAIN", "auto")
	const missing = "\n\ngo 1.24\n\ntoolchain go1.999.0\n"
	s := newSource(t, nil)
	fails := func(side string) {
		t.Helper()
		_, err := s.revision("HEAD").open(t.Context(), "", t.TempDir())
		require.ErrorAs(t, err, new(*checkout.Error))
		require.Regexp(t, `^`+side+` \([0-9a-f]{12}( and \d changed files?)?\): its Go toolchain can't be used \(download go1\.999\.0 for \S+: toolchain not available\): `+
			`install it, or set GOTOOLCHAIN to one that is here, such as local$`, err.Error())
	}
	s.rewrite("go.mod", "\n\ngo 1.24\n", missing)
	fails("now")
	s.commit()
	s.rewrite("go.mod", missing, "\n\ngo 1.24\n")
	fails("base")

	// The advice in the error works.
	s.renew()
	t.Setenv("GOTOOLCHAIN", "local")
	builds, base, now := s.build()
	require.Equal(t, "new-harness old-delivery old-banner old-wire old-dep", base)
	require.Equal(t, "new-harness new-delivery new-banner new-wire old-dep", now)
	require.Empty(t, builds.Differences, "both were compiled by the toolchain that is here")

	// A go line that no installed toolchain can compile.
	s.rewrite("go.mod", "go 1.24", "go 1.999")
	_, err := s.revision("HEAD").open(t.Context(), "", t.TempDir())
	require.Regexp(t, `^now \(.*\): its Go toolchain can't be used \(go\.mod requires go >= 1\.999 .*\): install it, or set GOTOOLCHAIN [^\n]*$`, err.Error())
}

// TestBuild_besideTheRepository checks that a directory beside the repository is the same for both
// sides, wherever the base's files are, and that this is reported.
func TestBuild_besideTheRepository(t *testing.T) {
	for name, c := range map[string]struct {
		place   string // of the repository, below a directory
		more    map[string]string
		differs string
	}{
		"beside it": {"repository", map[string]string{"go.mod": moduleWith("../dep")},
			"module: example.com/dep v1.0.0 => ../dep lies outside the repository: both sides have it as it is now"},
		"further up": {"a/tree/repository", map[string]string{"go.mod": moduleWith("../../../dep")},
			"module: example.com/dep v1.0.0 => ../../../dep lies outside"},
		"by its own name": {"repository", map[string]string{"go.mod": moduleWith("../repository/fork"),
			"examples/go.mod": "module example.com/docs\n\nreplace example.com/none => ../../../none\n"}, ""},
		"in a workspace": {"repository", map[string]string{"go.work": "go 1.24\n\nuse (\n\t.\n\t../dep\n)\n"},
			"module: example.com/dep in "},
		"below its parent": {"a/repository", map[string]string{"go.mod": moduleWith("../../a/../dep")},
			"lies outside the repository"},
	} {
		t.Run(name, func(t *testing.T) {
			above := t.TempDir()
			s := newSourceIn(t, filepath.Join(above, filepath.FromSlash(c.place)), c.more)
			beside := &source{t: t, dir: above}
			beside.write("dep/go.mod", "module example.com/dep\n\ngo 1.24\n")
			beside.write("dep/dep.go", "package dep\n\nconst Name = \"beside\"\n")
			s.renew()
			builds, base, now := s.build()
			dep := "beside"
			if c.differs == "" {
				dep = "fork"
			}
			require.Equal(t, "new-harness old-delivery old-banner old-wire "+dep, base)
			require.Equal(t, "new-harness new-delivery new-banner new-wire "+dep, now)
			if c.differs == "" {
				require.Empty(t, builds.Differences)
				return
			}
			require.Len(t, builds.Differences, 1)
			require.Contains(t, builds.Differences[0].Text, c.differs)
			require.Empty(t, checkout.Functions(builds.Differences), "what both sides share can't be a cause")
		})
	}

	// Each side has its own files of the repository. The base's go.mod names a directory beside it that is gone.
	s := newSourceIn(t, filepath.Join(t.TempDir(), "repository"), map[string]string{"go.mod": moduleWith("../gone")})
	s.rewrite("go.mod", "../gone", "./dep")
	_, err := s.revision("HEAD").open(t.Context(), "", t.TempDir())
	require.ErrorAs(t, err, new(*checkout.Error))
	require.Regexp(t, `^base \([0-9a-f]{12}\): its go.mod names the directory ../gone, which isn't there beside the repository: put it there, or name a revision that doesn't need it$`, err.Error())
}

// moduleWith returns a go.mod that replaces the dependency by a directory.
func moduleWith(dir string) string { return strings.ReplaceAll(files()["go.mod"], "./dep", dir) }
