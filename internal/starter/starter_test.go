package starter

import (
	"bytes"
	"context"
	"go/format"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/scenarios"
)

const goMod = "module example.com/acme/fota/v2\n\ngo 1.26.0\n"

// tree makes files below a new directory, and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return root
}

// contents returns the files below root, by their paths.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		files[filepath.ToSlash(name)] = string(text)
		return err
	}))
	return files
}

func commands(r *Result) (list []string) {
	for _, s := range r.Next {
		list = append(list, strings.Replace(s.Command, ".exe", "", 1))
	}
	return list
}

func TestWrite(t *testing.T) {
	root := tree(t, map[string]string{"go.mod": goMod, ".git/HEAD": "", ".github/CODEOWNERS": ""})
	r, err := Write(t.Context(), Options{Dir: root, Program: "cmd/bench"})
	require.NoError(t, err)
	written := []string{"cmd/bench/main.go", "bench/push.yaml", ".github/workflows/gate.yml", ".gitignore", "fleetmark.yaml"}
	require.Equal(t, written, r.Written)
	require.Empty(t, r.Kept)
	require.Empty(t, r.Add)
	require.Equal(t, root, r.Root)
	require.Equal(t, []string{
		"go get ./cmd/bench",
		"go build -o fota-bench ./cmd/bench",
		"./fota-bench run bench/push.yaml",
		"git add go.mod go.sum cmd/bench/main.go bench/push.yaml .github/workflows/gate.yml .gitignore fleetmark.yaml",
		"git commit -qm 'Measure the delivery client'",
		"./fota-bench gate --base HEAD",
	}, commands(r))

	first := contents(t, root)
	require.Len(t, first, 3+len(written), "nothing else is left behind")
	code := first["cmd/bench/main.go"]
	require.Contains(t, code, `app.WithClient("fota", newClient)`)
	require.NotContains(t, code, "acme")
	formatted, err := format.Source([]byte(code))
	require.NoError(t, err)
	require.Equal(t, string(formatted), code)
	found, err := project.Find(root)
	require.NoError(t, err)
	require.Equal(t, project.Config{
		Client: project.Client{Build: "go build -trimpath -buildvcs=false -o {out} ./cmd/bench"},
		Gate:   project.Gate{Scenarios: []string{"bench/push.yaml"}},
	}, found.Config)
	spec, err := scenarios.Parse("push.yaml", []byte(first["bench/push.yaml"]))
	require.NoError(t, err)
	require.NoError(t, spec.Validate())

	// A second time, nothing is left to write.
	r, err = Write(t.Context(), Options{Dir: root, Program: "cmd/bench"})
	require.NoError(t, err)
	require.Empty(t, r.Written)
	require.Empty(t, r.Add)
	require.Equal(t, written, r.Kept)
	require.Equal(t, first, contents(t, root))
	require.NotContains(t, strings.Join(commands(r), "\n"), "commit")
}

// TestScenarioComments checks that the lines which the scenario offers in comments are valid in the
// place of those that stand there.
func TestScenarioComments(t *testing.T) {
	for key, instead := range map[string]string{
		"fleet": "#   fleet: ", "artifact": "{file: ", "client": "#   client: ",
	} {
		_, offered, found := strings.Cut(scenarioFile, instead)
		require.True(t, found, key)
		offered, _, _ = strings.Cut(offered, "\n")
		if key == "artifact" {
			offered = "{file: " + offered
		}
		text := "name: x\n" + key + ": " + offered + "\n"
		spec, err := scenarios.Parse("x.yaml", []byte(text))
		require.NoError(t, err, text)
		require.NoError(t, spec.Validate(), text)
	}
}

func TestWrite_overwritesNothing(t *testing.T) {
	mine := map[string]string{
		"go.mod": goMod, ".git/HEAD": "", "cmd/bench/main.go": "mine 1", "bench/push.yaml": "mine 2",
		".github/workflows/gate.yml": "mine 3", ".gitignore": "/runs\n*.o", "fleetmark.yaml": "units: {x: {better: lower}}\n",
	}
	root := tree(t, mine)
	r, err := Write(t.Context(), Options{Dir: root, Program: "cmd/bench"})
	require.NoError(t, err)
	require.Empty(t, r.Written)
	require.Equal(t, mine, contents(t, root))
	binary := "/fota-bench"
	if strings.Contains(r.Add[0].Text, ".exe") {
		binary += ".exe"
	}
	require.Equal(t, []Lines{
		{".gitignore", binary + "\n"},
		{"fleetmark.yaml", "client:\n  build: go build -trimpath -buildvcs=false -o {out} ./cmd/bench\ngate:\n  scenarios: [bench/push.yaml]\n"},
	}, r.Add)

	// What is missing is written beside what is there, and a link that leads nowhere is there.
	require.NoError(t, os.Remove(filepath.Join(root, "bench", "push.yaml")))
	if err := os.Symlink("nowhere", filepath.Join(root, "bench", "push.yaml")); err == nil {
		r, err = Write(t.Context(), Options{Dir: root, Program: "cmd/bench"})
		require.NoError(t, err)
		require.Empty(t, r.Written)
		require.NoError(t, os.Remove(filepath.Join(root, "bench", "push.yaml")))
	}
	r, err = Write(t.Context(), Options{Dir: root, Program: "cmd/bench"})
	require.NoError(t, err)
	require.Equal(t, []string{"bench/push.yaml"}, r.Written)
}

// TestWrite_throughLinks checks that a link within the project is followed, and that nothing is written
// if one leads out of it.
func TestWrite_throughLinks(t *testing.T) {
	outside := t.TempDir()
	for name, c := range map[string]struct{ link, to, want string }{
		"within":              {"bench", "tools", ""},
		"out":                 {"bench", outside, "bench/push.yaml: the link "},
		"out by the workflow": {".github", outside, ".github/workflows/gate.yml: the link "},
		"out by a parent":     {"cmd", outside, "cmd/bench/main.go: the link "},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, map[string]string{"go.mod": goMod, ".git/HEAD": "", "tools/x": ""})
			if err := os.Symlink(c.to, filepath.Join(root, c.link)); err != nil {
				testenv.Missing(t, "symbolic links: "+err.Error())
			}
			r, err := Write(t.Context(), Options{Dir: root, CI: GitHub})
			entries, readErr := os.ReadDir(outside)
			require.NoError(t, readErr)
			require.Empty(t, entries)
			if c.want == "" {
				require.NoError(t, err)
				require.FileExists(t, filepath.Join(root, "tools", "push.yaml"))
				return
			}
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "out of the project: want a directory there")
			require.Nil(t, r)
			require.NoFileExists(t, filepath.Join(root, "fleetmark.yaml"))
		})
	}
}

// TestWrite_clientThatIsAProcess checks that a client which is configured isn't said to be missing.
func TestWrite_clientThatIsAProcess(t *testing.T) {
	root := tree(t, map[string]string{
		"go.mod": goMod, "fleetmark.yaml": "client: {command: [python3, push.py]}\n",
	})
	r, err := Write(t.Context(), Options{Dir: root})
	require.NoError(t, err)
	require.Equal(t, []Lines{{"fleetmark.yaml", "gate:\n  scenarios: [bench/push.yaml]\n"}}, r.Add)
}

// A team may have moved its client to other files.
func TestWrite_renamedProgram(t *testing.T) {
	root := tree(t, map[string]string{
		"go.mod": goMod, "cmd/bench/client.go": "package main\n",
		"fleetmark.yaml": "client:\n  build: go build -o {out} ./cmd/bench\n",
	})
	r, err := Write(t.Context(), Options{Dir: root, Program: "cmd/bench"})
	require.NoError(t, err)
	require.Equal(t, []string{"bench/push.yaml"}, r.Written)
	require.Equal(t, []string{"cmd/bench/main.go", "fleetmark.yaml"}, r.Kept)
	require.Equal(t, []Lines{{"fleetmark.yaml", "gate:\n  scenarios: [bench/push.yaml]\n"}}, r.Add)
	require.NoFileExists(t, filepath.Join(root, "cmd", "bench", "main.go"))
}

func TestWrite_goesOnAfterAFailure(t *testing.T) {
	root := tree(t, map[string]string{"go.mod": goMod, "bench": "a file"})
	r, err := Write(t.Context(), Options{Dir: root, Program: "cmd/bench"})
	require.ErrorContains(t, err, "bench")
	require.Equal(t, []string{"cmd/bench/main.go"}, r.Written)
	require.Empty(t, r.Next)
	require.Len(t, contents(t, root), 3)
	require.NoError(t, os.Remove(filepath.Join(root, "bench")))
	r, err = Write(t.Context(), Options{Dir: root, Program: "cmd/bench"})
	require.NoError(t, err)
	require.Equal(t, []string{"bench/push.yaml", "fleetmark.yaml"}, r.Written, "without a repository there is no .gitignore")
	require.NotContains(t, strings.Join(commands(r), "\n"), "git ")
	require.NotContains(t, strings.Join(commands(r), "\n"), "gate")
}

func TestWrite_interrupted(t *testing.T) {
	root := tree(t, map[string]string{"go.mod": goMod})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := Write(ctx, Options{Dir: root, Program: "cmd/bench"})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, r.Written)
	require.Len(t, contents(t, root), 1)
}

func TestWrite_fromBelow(t *testing.T) {
	root := tree(t, map[string]string{
		".git/HEAD": "", "go.mod": "module example.com/outer\n", "go/fota/go.mod": goMod, "go/fota/deep/er/x": "",
		"go/fota/vendor/modules.txt": "",
	})
	r, err := Write(t.Context(), Options{
		Dir: filepath.Join(root, "go", "fota", "deep", "er"), Program: "bench/driver", Client: "a.b", CI: GitHub,
	})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "go", "fota"), r.Root)
	require.Equal(t, []string{
		"bench/driver/main.go", "bench/push.yaml", "../../.github/workflows/gate.yml", ".gitignore", "fleetmark.yaml",
	}, r.Written)
	require.Equal(t, []string{
		"cd " + filepath.Join("..", ".."), "go get ./bench/driver", "go mod vendor", "go build -o a.b-bench ./bench/driver",
		"./a.b-bench run bench/push.yaml",
	}, commands(r)[:5])
	require.Contains(t, commands(r)[5], " fleetmark.yaml vendor")
	files := contents(t, root)
	require.Contains(t, files["go/fota/bench/driver/main.go"], "// Command driver has")
	requireWorkflow(t, files[".github/workflows/gate.yml"])
	require.Contains(t, files[".github/workflows/gate.yml"], "working-directory: \"go/fota\"\n")
	require.Contains(t, files[".github/workflows/gate.yml"], "go-version-file: \"go/fota/go.mod\"\n")
}

func TestWrite_refuses(t *testing.T) {
	const noDir = "want a directory within the module, such as cmd/bench, whose name may stand in an import path"
	for name, c := range map[string]struct {
		files map[string]string
		o     Options
		want  string
	}{
		"no project": {nil, Options{}, "no go.mod and no git repository here or in a directory above: " +
			"run it in the project whose client you want to measure, or begin one with `git init` or `go mod init`"},
		"a script's name": {map[string]string{".git/HEAD": ""}, Options{Client: "acme"}, "--client: there is no go.mod here, " +
			"and results call a client in shell by its file: leave it out"},
		"a script elsewhere":   {map[string]string{".git/HEAD": ""}, Options{Program: "../x"}, `--dir "../x": want a directory of the repository`},
		"a script in a file":   {map[string]string{".git/HEAD": "", "x": ""}, Options{Program: "x"}, "--dir x: it is a file: want a directory"},
		"a script in brackets": {map[string]string{".git/HEAD": ""}, Options{Program: "[x]"}, `--dir "[x]": want a directory of the repository`},
		"a go.mod without a path": {map[string]string{"go.mod": "go 1.26.0\n"}, Options{},
			"names no module: want a go.mod as `go mod init` writes it"},
		"a mistake": {map[string]string{"go.mod": goMod, "fleetmark.yaml": "client: {bild: x}\n"}, Options{},
			`fleetmark.yaml:1:10: client: unknown key "bild": want one of build, packages, command, own`},
		"a name":       {map[string]string{"go.mod": goMod}, Options{Client: "a b"}, `--client "a b": want a word of at most 64 letters`},
		"a long name":  {map[string]string{"go.mod": goMod}, Options{Client: strings.Repeat("a", 65)}, "want a word of at most 64 letters"},
		"a flag":       {map[string]string{"go.mod": goMod}, Options{Client: "-v"}, `--client "-v": want a word`},
		"a server":     {map[string]string{"go.mod": goMod}, Options{CI: "gitlab"}, `--ci "gitlab": want github or none`},
		"above":        {map[string]string{"go.mod": goMod}, Options{Program: "../bench"}, `--dir "../bench": ` + noDir},
		"absolute":     {map[string]string{"go.mod": goMod}, Options{Program: "/bench"}, `--dir "/bench": ` + noDir},
		"the root":     {map[string]string{"go.mod": goMod}, Options{Program: "cmd/.."}, `--dir ".": ` + noDir},
		"no path":      {map[string]string{"go.mod": goMod}, Options{Program: "a b"}, `--dir "a b": ` + noDir},
		"a file":       {map[string]string{"go.mod": goMod, "cmd": ""}, Options{Program: "cmd"}, "--dir cmd: it is a file: want a directory"},
		"code":         {map[string]string{"go.mod": goMod, "cmd/x.go": ""}, Options{Program: "cmd"}, "--dir cmd: it has Go files already: name a directory that has none"},
		"other module": {map[string]string{"go.mod": goMod, "cmd/go.mod": "module x\n"}, Options{}, "--dir cmd/bench: it is in another module"},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, c.files)
			if found, err := project.Find(filepath.Dir(root)); err != nil || found.Root != "" {
				t.Skip("the temporary directory is in a project")
			}
			c.o.Dir = root
			before := contents(t, root)
			_, err := Write(t.Context(), c.o)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, before, contents(t, root))
		})
	}
}

// TestWrite_script checks which client a project gets that is no Go module.
func TestWrite_script(t *testing.T) {
	for file, want := range map[string]struct{ client, language, command, needs string }{
		"package.json":         {"bench/push.mjs", "Node", `node, "push.mjs"`, "Node"},
		"pyproject.toml":       {"bench/push.py", "Python", `python3, "push.py"`, "Python"},
		"requirements-dev.txt": {"bench/push.py", "Python", `python3, "push.py"`, "Python"},
		"push.rb":              {"bench/push.sh", "shell", `sh, "push.sh"`, "sh and curl"},
	} {
		root := tree(t, map[string]string{".git/HEAD": "", ".github/x": "", file: ""})
		r, err := Write(t.Context(), Options{Dir: root})
		require.NoError(t, err)
		require.Equal(t, want.language, r.Script)
		require.Equal(t, []string{
			want.client, "bench/push.yaml", ".github/workflows/gate.yml", ".gitignore", "fleetmark.yaml",
		}, r.Written)
		require.Equal(t, []string{
			"fleetmark run bench/push.yaml",
			"git add " + want.client + " bench/push.yaml .github/workflows/gate.yml .gitignore fleetmark.yaml",
			"git commit -qm 'Measure the delivery client'",
			"fleetmark gate --base HEAD",
		}, commands(r))
		found, err := project.Find(root)
		require.NoError(t, err)
		require.Equal(t, project.Config{Gate: project.Gate{Scenarios: []string{"bench/push.yaml"}}}, found.Config)
		files := contents(t, root)
		example, err := os.ReadFile("../../docs/examples/process/" + filepath.Base(want.client))
		require.NoError(t, err)
		require.Equal(t, string(example), files[want.client])
		require.Contains(t, files["bench/push.yaml"], "  command: ["+want.command+"]\n")
		spec, err := scenarios.Parse("push.yaml", []byte(files["bench/push.yaml"]))
		require.NoError(t, err)
		require.NoError(t, spec.Validate())
		workflow := files[".github/workflows/gate.yml"]
		requireWorkflow(t, workflow)
		require.NotContains(t, workflow, "working-directory")
		require.Contains(t, workflow, "go-version: stable\n")
		require.Contains(t, workflow, "go install github.com/fleetmark/fleetmark/cmd/fleetmark@latest\n")
		require.Contains(t, workflow, "# Install here what the client needs besides "+want.needs+".\n")
		r, err = Write(t.Context(), Options{Dir: root})
		require.NoError(t, err)
		require.Empty(t, r.Written)
		require.Empty(t, r.Add)
		require.Equal(t, files, contents(t, root))
	}

	root := tree(t, map[string]string{".git/HEAD": ""})
	r, err := Write(t.Context(), Options{Dir: root, Program: "tools/client"})
	require.NoError(t, err)
	require.NotContains(t, r.Written, ".github/workflows/gate.yml", "nothing says that it is on GitHub")
	require.FileExists(t, filepath.Join(root, "tools", "client", "push.sh"))
	require.Contains(t, contents(t, root)["bench/push.yaml"], `  command: [sh, "../tools/client/push.sh"]`)
}

func TestClientName(t *testing.T) {
	for path, want := range map[string]string{
		"example.com/acme/fota": "fota", "example.com/fota/v2": "fota", "gopkg.in/fota.v3": "fota", "fota": "fota",
		"example.com/a~b": "a-b", "example.com/_x": "x", "example.com/~": "client",
		"example.com/" + strings.Repeat("n", 99): strings.Repeat("n", 64),
	} {
		got, err := clientName("", path)
		require.NoError(t, err)
		require.Equal(t, want, got, path)
	}
}

func TestWrite_workflowOnGitHub(t *testing.T) {
	git := testenv.Program(t, "git")
	for remote, want := range map[string]bool{
		"":                                false,
		"git@github.com:acme/fota.git":    true,
		"https://github.com/acme/fota":    true,
		"https://x@GitHub.com/acme/fota":  true,
		"ssh://git@ssh.github.com:443/a":  true,
		"https://gitlab.com/github/fota":  false,
		"https://notgithub.com/acme/fota": false,
	} {
		root := tree(t, map[string]string{"go.mod": goMod})
		args := [][]string{{"init", "-q"}}
		if remote != "" {
			args = append(args, []string{"remote", "add", "origin", remote})
		}
		for _, a := range args {
			out, err := exec.Command(git, append([]string{"-C", root}, a...)...).CombinedOutput()
			require.NoError(t, err, "%s", out)
		}
		r, err := Write(t.Context(), Options{Dir: root, Program: "cmd/bench", CI: NoCI})
		require.NoError(t, err)
		require.NotContains(t, r.Written, ".github/workflows/gate.yml")
		r, err = Write(t.Context(), Options{Dir: root, Program: "cmd/bench"})
		require.NoError(t, err)
		require.Equal(t, want, len(r.Written) == 1 && r.Written[0] == ".github/workflows/gate.yml", remote)
	}
}

func TestWorkflow(t *testing.T) {
	root := tree(t, map[string]string{"go.mod": goMod})
	_, err := Write(t.Context(), Options{Dir: root, Program: "cmd/bench", CI: GitHub})
	require.NoError(t, err)
	text := contents(t, root)[".github/workflows/gate.yml"]
	requireWorkflow(t, text)
	require.NotContains(t, text, "working-directory")
	require.Contains(t, text, "go-version-file: \"go.mod\"\n")
}

// requireWorkflow checks that a workflow is valid for GitHub, and safe to run on pull requests of
// strangers.
func requireWorkflow(t *testing.T, text string) {
	t.Helper()
	const path = ".github/workflows/gate.yml"
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	require.NoError(t, err)
	problems, err := linter.Lint(path, []byte(text), nil)
	require.NoError(t, err)
	for _, p := range problems {
		t.Errorf("%s:%d:%d: %s", path, p.Line, p.Column, p.Message)
	}
	for _, placeholder := range []string{"GOVERSION", "BUILD", "PRESENT", "PROGRAM", "ROOT"} {
		require.NotContains(t, text, placeholder)
	}
	workflow, problems := actionlint.Parse([]byte(text))
	require.Empty(t, problems)
	require.Len(t, workflow.On, 1)
	require.Equal(t, "pull_request", workflow.On[0].EventName(),
		"pull_request_target would run a stranger's code with a token that may write")
	require.Nil(t, workflow.Permissions.All)
	require.Len(t, workflow.Permissions.Scopes, 1)
	require.Equal(t, "read", workflow.Permissions.Scopes["contents"].Value.Value)
	require.NotContains(t, text, "secrets.")
	require.NotContains(t, text, "github.token")
	require.Contains(t, text, "persist-credentials: false")
	require.Contains(t, text, "fetch-depth: 0")
	bash := testenv.Program(t, "bash")
	for _, job := range workflow.Jobs {
		require.Nil(t, job.Permissions, "a job has no permissions beyond the workflow's")
		for _, step := range job.Steps {
			if run, ok := step.Exec.(*actionlint.ExecRun); ok {
				require.NotContains(t, run.Run.Value, "${{", "a stranger may choose the text that an expression expands to")
				cmd := exec.Command(bash, "-n")
				cmd.Stdin = strings.NewReader(run.Run.Value)
				var said bytes.Buffer
				cmd.Stderr = &said
				require.NoError(t, cmd.Run(), "%s\n%s", run.Run.Value, said.String())
			}
		}
	}
}
