package codestats

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCountGo(t *testing.T) {
	for _, c := range []struct {
		text string
		want Lines
	}{
		{"", Lines{1, 0, 0, 0}},
		{"package a", Lines{1, 0, 0, 1}},
		{"// a\n\npackage a // b\n", Lines{1, 1, 1, 1}},
		{"/* a\n\n b */\npackage a\n\n", Lines{1, 1, 3, 1}},
		{"package a\n\nvar s = `\n// no comment\n\n`\n", Lines{1, 1, 0, 5}},
		{"package a\n\nvar s = \"/* no comment */\"\nvar t = 1 /* begins\n ends */ + 2\n", Lines{1, 1, 0, 4}},
		{"package a\r\n\r\n// b\r\n", Lines{1, 1, 1, 1}},
		{"no go at all: @\n", Lines{1, 0, 0, 1}},
	} {
		require.Equal(t, c.want, countGo([]byte(c.text)), "%q", c.text)
	}
}

func TestCountPlain(t *testing.T) {
	require.Equal(t, Lines{1, 1, 2, 2}, countPlain([]byte("# a\n\n  # b\nc: d # e\nf"), "#"))
	require.Equal(t, Lines{1, 1, 0, 2}, countPlain([]byte("# a\n\ntext\n"), ""))
}

// lineCount returns the number of lines in text. It counts a last line without a line break.
func lineCount(text []byte) int {
	n := bytes.Count(text, []byte("\n"))
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return n
}

func FuzzCountGo(f *testing.F) {
	for _, s := range []string{"package a\n", "/*\n*/", "`\n", "\"\n", "//\r\n", "\xff\n\x01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		require.Equal(t, lineCount(text), countGo(text).All())
		require.Equal(t, lineCount(text), countPlain(text, "#").All())
	})
}

// checkout makes a module in a git repository, and returns its directory.
func checkout(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func small(t *testing.T) string {
	return checkout(t, map[string]string{
		"go.mod":      "module example.com/small\n\ngo 1.26\n",
		"a.go":        "// Package small is.\npackage small\n\nfunc A(b bool) int {\n\tif b {\n\t\treturn 1\n\t}\n\treturn 2\n}\n",
		"a_test.go":   "package small\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {\n\tt.Run(\"sub\", func(*testing.T) { A(true) })\n}\n\nfunc TestSkipped(t *testing.T) { t.Skip() }\nfunc Testify() {}\nfunc BenchmarkA(*testing.B) {}\nfunc FuzzA(f *testing.F) { f.Fuzz(func(*testing.T, int) {}) }\nfunc ExampleA() {}\n",
		"b/b.go":      "package b\n",
		"b/b_test.go": "package b\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { t.Fail() }\n",
		"Makefile":    "# all\nall:\n",
		"run":         "#!/bin/sh\necho\n",
		"testdata/x":  "x\n",
		"c.yaml":      "# c\nd: e\n",
		"image":       "\x89\x00",
	})
}

func TestCount(t *testing.T) {
	dir := small(t)
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	require.NoError(t, exec.Command("git", "-C", dir, "init", "-q").Run())
	c, err := Count(t.Context(), dir)
	require.NoError(t, err)
	require.Equal(t, []Language{
		{"Go", Lines{4, 6, 1, 21}}, {"go.mod", Lines{1, 1, 0, 2}}, {"Makefile", Lines{1, 0, 1, 1}},
		{"YAML", Lines{1, 0, 1, 1}},
		{"shell", Lines{1, 0, 1, 1}}, {"test data", Lines{1, 0, 0, 1}},
	}, c.Languages)
	require.Equal(t, []Package{
		{".", Lines{1, 1, 1, 7}, Lines{1, 3, 0, 10}}, {"b", Lines{1, 0, 0, 1}, Lines{1, 2, 0, 3}},
	}, c.Packages)
	require.Equal(t, 1, c.Binary)
	require.Equal(t, 38, c.Total().All())
	_, err = Count(t.Context(), filepath.Join(dir, "nowhere"))
	require.ErrorContains(t, err, "want git")
}

func TestNamesOfTests(t *testing.T) {
	names, err := Names(small(t))
	require.NoError(t, err)
	require.Equal(t, map[string]TestNames{
		".": {"Test": {"TestA", "TestSkipped"}, "Benchmark": {"BenchmarkA"}, "Fuzz": {"FuzzA"}, "Example": {"ExampleA"}},
		"b": {"Test": {"TestB"}},
	}, names)
}

func TestTest(t *testing.T) {
	got, err := Test(t.Context(), small(t))
	require.NoError(t, err)
	require.Positive(t, got.Elapsed)
	got.Elapsed = 0
	require.Equal(t, &TestReport{
		Passed: 2, Failed: 1, Skipped: 1, Subtests: 1, FailedNames: []string{"b.TestB"},
		Coverage: map[string]Coverage{".": {3, 2}},
	}, got)
	require.InDelta(t, 2./3, got.Coverage["."].Fraction(), 1e-9)

	_, err = Test(t.Context(), checkout(t, map[string]string{"go.mod": "module example.com/none\n"}))
	require.ErrorContains(t, err, "no test ran")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Test(ctx, small(t))
	require.ErrorIs(t, err, context.Canceled)
}
