package abtest

import (
	"crypto/sha256"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
)

// A source is a small source tree with the layout of this one. Its driver prints what it was built
// from.
type source struct {
	t   *testing.T
	dir string
}

// files returns the files of the first commit. Each value that a driver prints names the state that
// it is from.
func files() map[string]string {
	return map[string]string{
		"go.mod":                   "module example.com/tiny\n\ngo 1.24\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ./dep\n",
		"dep/go.mod":               "module example.com/dep\n\ngo 1.24\n",
		"dep/dep.go":               "package dep\n\nconst Name = \"old-dep\"\n",
		"fork/go.mod":              "module example.com/dep\n\ngo 1.24\n",
		"fork/dep.go":              "package dep\n\nconst Name = \"fork\"\n",
		"internal/wire/wire.go":    "package wire\n\nconst Name = \"old-wire\"\n",
		"delivery/delivery.go":     "package delivery\n\nimport (\n\t_ \"embed\"\n\n\t\"example.com/dep\"\n\t\"example.com/tiny/internal/wire\"\n)\n\n//go:embed banner.txt\nvar banner string\n\nfunc Names() string { return name + \" \" + banner + \" \" + wire.Name + \" \" + dep.Name }\n",
		"delivery/banner.txt":      "old-banner",
		"delivery/old.go":          "package delivery\n\nconst name = \"old-delivery\"\n",
		"cmd/fleetmark/main.go":    "package main\n\nimport (\n\t\"os\"\n\n\t\"example.com/tiny/delivery\"\n)\n\nfunc main() { os.Stdout.WriteString(harness + \" \" + delivery.Names()) }\n",
		"cmd/fleetmark/harness.go": "package main\n\nconst harness = \"old-harness\"\n",
		"docs/page.md":             "",
		".gitattributes":           "delivery/old.go export-ignore\n", // hides nothing from the gate
	}
}

// newSource commits files in a new directory, and makes its subdirectory docs the current
// directory.
func newSource(t *testing.T, more map[string]string) *source {
	t.Helper()
	return newSourceIn(t, t.TempDir(), more)
}

// newSourceIn does the same as newSource in a given directory, which it makes.
func newSourceIn(t *testing.T, dir string, more map[string]string) *source {
	t.Helper()
	s := &source{t: t, dir: dir}
	all := files()
	maps.Copy(all, more)
	for name, text := range all {
		s.write(name, text)
	}
	s.git("init", "-q")
	s.commit()
	t.Chdir(filepath.Join(s.dir, "docs"))
	return s
}

func (s *source) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o600))
}

// rewrite replaces text in a file. The file must contain it.
func (s *source) rewrite(name, old, text string) {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(name)))
	require.NoError(s.t, err)
	require.Contains(s.t, string(data), old)
	s.write(name, strings.ReplaceAll(string(data), old, text))
}

func (s *source) remove(name string) {
	s.t.Helper()
	require.NoError(s.t, os.Remove(filepath.Join(s.dir, filepath.FromSlash(name))))
}

func (s *source) git(args ...string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "git", args...)
	cmd.Dir = s.dir
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "git %v: %s", args, out)
}

func (s *source) commit() {
	s.t.Helper()
	s.git("add", "-A")
	s.git("-c", "user.name=test", "-c", "user.email=test@example.invalid", "commit", "-qm", "change")
}

// renew replaces every value except that of delivery's dependency, and commits nothing.
func (s *source) renew() {
	s.t.Helper()
	s.remove("delivery/old.go")
	s.write("delivery/new.go", "package delivery\n\nconst name = \"new-delivery\"\n")
	s.write("delivery/banner.txt", "new-banner")
	s.rewrite("internal/wire/wire.go", "old-wire", "new-wire")
	s.rewrite("cmd/fleetmark/harness.go", "old-harness", "new-harness")
}

// revision returns the client of the source tree in a revision: its package delivery.
func (s *source) revision(ref string) Revision {
	return Revision{Ref: ref, Project: Project{
		Dir: s.dir, Build: "go build -o {out} ./cmd/fleetmark", Packages: []string{"./delivery/..."},
	}}
}

// build builds both sides, with HEAD as the base, and returns what each driver says it was built
// from.
func (s *source) build() (builds *Builds, base, now string) {
	s.t.Helper()
	builds, err := s.revision("HEAD").open(s.t.Context(), "", s.t.TempDir())
	require.NoError(s.t, err)
	said := func(program string) string {
		out, err := exec.CommandContext(s.t.Context(), program).Output()
		require.NoError(s.t, err)
		return string(out)
	}
	return builds, said(builds.Base.Program), said(builds.Now.Program)
}

// TestBuild checks that the base's driver has its own delivery package, with all that it imports,
// in today's harness.
func TestBuild(t *testing.T) {
	s := newSource(t, nil)
	s.renew()
	builds, base, now := s.build()
	require.Equal(t, "new-harness old-delivery old-banner old-wire old-dep", base)
	require.Equal(t, "new-harness new-delivery new-banner new-wire old-dep", now)
	require.Equal(t, CurrentHarness, builds.Harness)
	require.Empty(t, builds.Shared)
	require.Empty(t, builds.Differences)
	require.Empty(t, builds.Same)
	require.ElementsMatch(t, []string{"delivery/old.go", "delivery/new.go", "delivery/banner.txt",
		"internal/wire/wire.go", "cmd/fleetmark/harness.go"}, builds.NowTree.Changed)
}

// TestBuild_packagesBelow checks that packages below delivery, and what only they import, are the
// base's too.
func TestBuild_packagesBelow(t *testing.T) {
	s := newSource(t, map[string]string{
		"delivery/rollout/rollout.go": "package rollout\n\nimport \"example.com/tiny/internal/lines\"\n\nconst Name = \"old-rollout \" + lines.Name\n",
		"internal/lines/lines.go":     "package lines\n\nconst Name = \"old-lines\"\n",
	})
	s.renew()
	s.rewrite("cmd/fleetmark/harness.go", "const harness = \"new-harness\"",
		"import \"example.com/tiny/delivery/rollout\"\n\nconst harness = \"new-harness \" + rollout.Name")
	s.rewrite("delivery/rollout/rollout.go", "old-rollout", "new-rollout")
	s.rewrite("internal/lines/lines.go", "old-lines", "new-lines")
	builds, base, now := s.build()
	require.Equal(t, "new-harness old-rollout old-lines old-delivery old-banner old-wire old-dep", base)
	require.Equal(t, "new-harness new-rollout new-lines new-delivery new-banner new-wire old-dep", now)
	require.Equal(t, CurrentHarness, builds.Harness)
}

// TestBuild_harnessThatDoesNotFit checks that the base has its own harness if today's uses what the
// base's delivery package lacks, and today's harness if it only uses names that delivery shares
// with devices.
func TestBuild_harnessThatDoesNotFit(t *testing.T) {
	s := newSource(t, nil)
	s.renew()
	s.write("delivery/more.go", "package delivery\n\nconst More = true\n")
	s.write("cmd/fleetmark/more.go", "package main\n\nimport \"example.com/tiny/delivery\"\n\nvar _ = delivery.More\n")
	builds, base, _ := s.build()
	require.Equal(t, "old-harness old-delivery old-banner old-wire old-dep", base)
	require.Equal(t, OwnHarness, builds.Harness)

	s.write("internal/wire/more.go", "package wire\n\nconst More = true\n")
	s.write("cmd/fleetmark/more.go", "package main\n\nimport \"example.com/tiny/internal/wire\"\n\nvar _ = wire.More\n")
	builds, base, _ = s.build()
	require.Equal(t, "new-harness old-delivery old-banner new-wire old-dep", base)
	require.Equal(t, CurrentHarness, builds.Harness)
	require.Equal(t, []string{"internal/wire"}, builds.Shared)
}

// TestBuild_harnessThatNeedsAllThatDiffers checks that a package which delivery imports is judged, even if
// today's harness needs today's state of it and nothing else differs.
func TestBuild_harnessThatNeedsAllThatDiffers(t *testing.T) {
	s := newSource(t, nil)
	s.rewrite("internal/wire/wire.go", "old-wire", "new-wire")
	s.write("internal/wire/more.go", "package wire\n\nconst More = true\n")
	s.write("cmd/fleetmark/more.go", "package main\n\nimport \"example.com/tiny/internal/wire\"\n\nvar _ = wire.More\n")
	builds, base, now := s.build()
	require.Equal(t, "old-harness old-delivery old-banner old-wire old-dep", base)
	require.Equal(t, "old-harness old-delivery old-banner new-wire old-dep", now)
	require.Equal(t, OwnHarness, builds.Harness)
	require.Empty(t, builds.Shared)
	require.Empty(t, builds.Same)
}

// TestBuild_modules checks that each side's delivery package is built with its own modules, and
// that the difference is reported.
func TestBuild_modules(t *testing.T) {
	s := newSource(t, nil)
	s.renew()
	s.rewrite("go.mod", "./dep", "./fork")
	builds, base, now := s.build()
	require.Equal(t, "new-harness old-delivery old-banner old-wire old-dep", base)
	require.Equal(t, "new-harness new-delivery new-banner new-wire fork", now)
	require.Equal(t, CurrentHarness, builds.Harness)
	require.Equal(t, []string{"module: example.com/dep v1.0.0 => ./dep, now example.com/dep v1.0.0 => ./fork"},
		checkout.Texts(builds.Differences))

	// Both sides are built with the changed directory.
	s.commit()
	s.rewrite("fork/dep.go", "fork", "changed-fork")
	builds, base, now = s.build()
	require.Equal(t, "new-harness new-delivery new-banner new-wire fork", base)
	require.Equal(t, "new-harness new-delivery new-banner new-wire changed-fork", now)
	require.Equal(t, []string{"module: example.com/dep v1.0.0 => ./fork: 1 file differs in ./fork"},
		checkout.Texts(builds.Differences))

	// A dependency that only today's harness has.
	s.commit()
	s.write("other/go.mod", "module example.com/other\n\ngo 1.24\n")
	s.write("other/other.go", "package other\n\nconst Name = \"harness-of-other\"\n")
	s.rewrite("fork/dep.go", "changed-fork", "newest-fork")
	s.rewrite("go.mod", "require example.com/dep v1.0.0\n",
		"require example.com/dep v1.0.0\n\nrequire example.com/other v1.0.0\n\nreplace example.com/other => ./other\n")
	s.write("cmd/fleetmark/harness.go", "package main\n\nimport \"example.com/other\"\n\nconst harness = other.Name\n")
	_, base, now = s.build()
	require.Equal(t, "harness-of-other new-delivery new-banner new-wire changed-fork", base)
	require.Equal(t, "harness-of-other new-delivery new-banner new-wire newest-fork", now)
}

// TestBuild_vendorAndWorkspace checks that each side is built with its own vendor directory and its
// own workspace.
func TestBuild_vendorAndWorkspace(t *testing.T) {
	t.Run("vendor", func(t *testing.T) {
		s := newSource(t, map[string]string{
			"vendor/modules.txt":            "# example.com/dep v1.0.0 => ./dep\n## explicit; go 1.24\nexample.com/dep\n# example.com/dep => ./dep\n",
			"vendor/example.com/dep/dep.go": "package dep\n\nconst Name = \"old-vendored\"\n",
		})
		s.renew()
		s.rewrite("vendor/example.com/dep/dep.go", "old-vendored", "new-vendored")
		builds, base, now := s.build()
		require.Equal(t, "new-harness old-delivery old-banner old-wire old-vendored", base)
		require.Equal(t, "new-harness new-delivery new-banner new-wire new-vendored", now)
		require.Equal(t, CurrentHarness, builds.Harness)
		require.Equal(t, []string{"module: example.com/dep v1.0.0 => ./dep: 1 file differs in ./vendor/example.com/dep"},
			checkout.Texts(builds.Differences))
	})
	t.Run("workspace", func(t *testing.T) {
		s := newSource(t, map[string]string{"go.work": "go 1.24\n\nuse (\n\t.\n\t./dep\n)\n"})
		s.renew()
		s.rewrite("go.work", "./dep", "./fork")
		builds, base, now := s.build()
		require.Equal(t, "new-harness old-delivery old-banner old-wire old-dep", base)
		require.Equal(t, "new-harness new-delivery new-banner new-wire fork", now)
		require.Equal(t, []string{"module: example.com/dep in ./dep, now example.com/dep in ./fork"},
			checkout.Texts(builds.Differences))
	})
	t.Run("a workspace that the base lacked", func(t *testing.T) {
		s := newSource(t, nil)
		s.renew()
		s.write("go.work", "go 1.24\n\nuse (\n\t.\n\t./fork\n)\n")
		builds, base, now := s.build()
		require.Equal(t, "new-harness old-delivery old-banner old-wire old-dep", base)
		require.Equal(t, "new-harness new-delivery new-banner new-wire fork", now)
		require.Equal(t, CurrentHarness, builds.Harness)
		require.Equal(t, []string{"module: example.com/dep v1.0.0 => ./dep, now example.com/dep in ./fork"},
			checkout.Texts(builds.Differences))

		// And one that only the base had.
		s.commit()
		s.remove("go.work")
		_, base, now = s.build()
		require.Equal(t, "new-harness new-delivery new-banner new-wire fork", base)
		require.Equal(t, "new-harness new-delivery new-banner new-wire old-dep", now)
	})
}

// TestBuild_relink checks that other layouts contain the same code, and that nothing is compiled
// again for them.
func TestBuild_relink(t *testing.T) {
	s := newSource(t, nil)
	s.renew()
	s.rewrite("internal/wire/wire.go", "new-wire", t.TempDir()) // a value that can't be in any build cache
	tools := filepath.Join(t.TempDir(), "tools")
	trace := filepath.Join(t.TempDir(), "trace")
	text := "#!/bin/sh\ncase \"$2\" in -V*) ;; *) echo \"${1##*/}\" >>'" + tools + "' ;; esac\nexec \"$@\"\n"
	require.NoError(t, os.WriteFile(trace, []byte(text), 0o700))
	t.Setenv("GOFLAGS", "-toolexec="+trace)
	builds, base, now := s.build()
	ran, err := os.ReadFile(tools)
	require.NoError(t, err)
	require.Contains(t, string(ran), "compile\n")
	require.NoError(t, os.Remove(tools))

	var seen [][sha256.Size]byte // layouts of now
	for seed := range uint64(3) {
		inBase, inNow, err := builds.Relink(t.Context(), seed+1)
		require.NoError(t, err)
		programs := []string{inBase.Program, inNow.Program}
		for i, want := range []string{base, now} {
			out, err := exec.CommandContext(t.Context(), programs[i]).Output()
			require.NoError(t, err)
			require.Equal(t, want, string(out))
		}
		program, err := os.ReadFile(programs[1])
		require.NoError(t, err)
		require.NotContains(t, seen, sha256.Sum256(program), "seed %d has the layout of another", seed+1)
		seen = append(seen, sha256.Sum256(program))
	}
	ran, err = os.ReadFile(tools)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("link\n", 6), string(ran), "the tools that ran for three layouts of two sides")
}

// TestBuild_same checks that identical drivers aren't measured.
func TestBuild_same(t *testing.T) {
	s := newSource(t, nil)
	s.write("docs/page.md", "changed\n")
	s.write("delivery/delivery_test.go", "package delivery\n")
	builds, _, _ := s.build()
	require.Equal(t, judge.IdenticalDrivers, builds.Same)
	out, err := Run(t.Context(), Options{Builds: *builds})
	require.NoError(t, err)
	require.Equal(t, results.Pass, out.Judgement.Verdict)
	require.Contains(t, report.Sentence(out.Judgement), "the same, byte for byte")
	require.Zero(t, out.Pairs)
}

// TestBuild_compare checks that programs which are the same are measured if a process of a scenario may
// read a file that differs.
func TestBuild_compare(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(program, []byte("program"), 0o700))
	for name, c := range map[string]struct {
		process, any bool
		differs      []string
		want         judge.Code
	}{
		"no process":                       {false, false, []string{"push.py"}, judge.IdenticalDrivers},
		"processes alone":                  {true, true, []string{"push.py"}, ""},
		"a process beside the driver's":    {false, true, []string{"push.py"}, ""},
		"a process and no difference":      {true, true, nil, judge.IdenticalDrivers},
		"one beside it, and no difference": {false, true, nil, judge.IdenticalDrivers},
	} {
		t.Run(name, func(t *testing.T) {
			b := &build{
				Project: Project{Process: c.process, AnyProcess: c.any},
				Builds:  &Builds{NowTree: &checkout.Tree{Differs: c.differs}},
			}
			require.NoError(t, b.compare(program, program))
			require.Equal(t, c.want, b.Same)
		})
	}
}

// TestBuild_whatDoesNotCompile checks that the error names the side and the commit, and quotes the
// compiler.
func TestBuild_whatDoesNotCompile(t *testing.T) {
	s := newSource(t, nil)
	fails := func(ref string, wants ...string) {
		t.Helper()
		_, err := s.revision(ref).open(t.Context(), "", t.TempDir())
		require.ErrorAs(t, err, new(*checkout.Error))
		for _, want := range wants {
			require.ErrorContains(t, err, want)
		}
	}
	fails("nowhere", `no such revision here: "nowhere"`)
	fails("", "want a revision")
	fails("--all", `revision "--all": want a revision`)

	const broken = "package delivery\n\nvar x int = \"no number\"\n"
	s.write("delivery/broken.go", broken)
	fails("HEAD", "now (", " and 1 changed file): the client isn't built by \"go build -o {out} ./cmd/fleetmark\" (exit status 1)", "delivery/broken.go:3:13: cannot use")
	s.commit()
	s.remove("delivery/broken.go")
	fails("HEAD", "base (", "its ./delivery/... compiles neither with today's harness nor with its own",
		"delivery/broken.go:3:13: cannot use")

	s.dir = t.TempDir()
	fails("HEAD", "no git repository here")
}

// TestRecipe_compile checks what is said of a build command that fails, or writes no program.
func TestRecipe_compile(t *testing.T) {
	const (
		program = ": have client.build in fleetmark.yaml write the program there"
		mend    = ": mend client.build in fleetmark.yaml, or the code"
		other   = ": name a revision that it builds, or change client.build in fleetmark.yaml so that it builds this one too"
	)
	for _, c := range []struct{ side, build, want string }{
		{checkout.Now, "printf x >{out}; chmod +x {out}", ""},
		{checkout.Now, "true", ""},
		{checkout.Now, "exit 3", "(exit status 3)" + mend},
		{checkout.Base, "exit 3", "(exit status 3)" + other},
		{checkout.Now, "echo one; echo two >&2; exit 3", "(exit status 3)" + mend + "\n\tone\n\ttwo"},
		{checkout.Now, "true {out}", "(nothing that can be run was written to {out})" + program},
		{checkout.Now, "touch {out}", "(nothing that can be run was written to {out})" + program},
		{checkout.Now, "mkdir {out}", "(nothing that can be run was written to {out})" + program},
		{checkout.Now, "echo serving; sleep 60 &", "(it ended, but left a process behind that keeps its output open): " +
			"have it wait for what it starts, and start no server that stays\n\tserving"},
	} {
		t.Run(c.side+" "+c.build, func(t *testing.T) {
			t.Parallel()
			tree := &checkout.Tree{Side: c.side, Dir: t.TempDir(), Commit: "0123456789abcdef"}
			err := recipe{project: &Project{Build: c.build}, tree: tree}.compile(t.Context(), filepath.Join(t.TempDir(), "out"))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.side+" (0123456789ab): the client isn't built by "+strconv.Quote(c.build)+" "+c.want)
			require.ErrorAs(t, err, new(*checkout.Error))
		})
	}
}
