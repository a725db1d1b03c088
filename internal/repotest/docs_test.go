package repotest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"

	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// TestCommandsInTheDocumentation runs every fenced block marked sh of README.md, CONTRIBUTING.md
// and the pages in docs, as a reader would type them: the blocks of a page one after another, in
// one directory. It compares what they print with the blocks marked output. It makes three changes:
// `go run ./cmd/fleetmark` becomes the command built from this tree, this tree is cloned or
// required instead of the public repository, and commands that would run these tests again or take
// many minutes are left to the tests that elsewhere names.
func TestCommandsInTheDocumentation(t *testing.T) {
	testenv.Slow(t)
	if testenv.Raced {
		t.Skip("the commands that it runs are the same without the race detector")
	}
	root := repository(t)
	bash := testenv.Program(t, "bash")
	bin := t.TempDir()
	for name, pkg := range map[string]string{"fleetmark.built": "./cmd/fleetmark",
		"benchstat": "golang.org/x/perf/cmd/benchstat"} {
		build := exec.Command("go", "build", "-o", filepath.Join(bin, name), pkg)
		build.Dir = root
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	front := fmt.Sprintf(verdictsAreFine, filepath.Join(bin, "fleetmark.built"), root, wantExitEnv)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "fleetmark"), []byte(front), 0o700))
	for _, page := range pages(t, root) {
		if slices.Contains(withoutCommands(), filepath.Base(page)) {
			continue
		}
		name, err := filepath.Rel(root, page)
		require.NoError(t, err)
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			script, err := newDocScript(string(text), t.TempDir())
			require.NoError(t, err)
			dir := t.TempDir()
			baseline, err := os.ReadFile(filepath.Join(root, "BASELINE_METRICS.md"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "BASELINE_METRICS.md"), baseline, 0o600))
			commands := script.text.String()
			if strings.Contains(commands, repositoryURL) {
				commands = strings.ReplaceAll(commands, repositoryURL, sourceRepository(t, root)+" fleetmark")
			}
			commands = strings.ReplaceAll(commands, goGet, fmt.Sprintf(requireTree, root))
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // for a page that hangs
			defer cancel()
			cmd := exec.CommandContext(ctx, bash, "-c", commands)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			childproc.SetGroup(cmd)
			cmd.WaitDelay = 30 * time.Second // for a page that fails and leaves a process with its output
			out, err := cmd.CombinedOutput()
			left := childproc.KillGroup(cmd) == nil
			require.NoError(t, err, "%s\n%s", commands, out)
			require.False(t, left, "the page leaves a process running")
			for _, o := range script.outputs {
				found, err := os.ReadFile(o.found)
				require.NoError(t, err)
				missing := missingLine(o.want, string(found))
				require.Empty(t, missing, "%s:%d: the commands before it don't print this line, or not in this order; they print:\n%s", name, o.line, found)
			}
		})
	}
}

// sourceRepository returns a git repository with the files of this tree in its only commit.
func sourceRepository(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	copyRepository(t, root, dir)
	for _, args := range [][]string{
		{"init", "--quiet"}, {"add", "--all"},
		{"-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "--message", "this tree"},
	} {
		git := exec.Command("git", args...)
		git.Dir = dir
		out, err := git.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return dir
}

// requireTree is a command that makes the module in the current directory require this tree.
const requireTree = "go mod edit -require=github.com/fleetmark/fleetmark@v0.0.0-00010101000000-000000000000" +
	" -replace=github.com/fleetmark/fleetmark='%[1]s' && cp '%[1]s/go.sum' . && export GOFLAGS=\"${GOFLAGS-} -mod=mod\""

// wantExitEnv names the environment variable that tells verdictsAreFine which exit code the page
// promises.
const wantExitEnv = "FLEETMARK_WANT_EXIT"

// verdictsAreFine is a script that runs instead of the command, since it comes first in PATH. These
// tests share the machine with others, so times mean nothing: a run may end regressed (1) or
// inconclusive (3), and gate --base and profile overhead may find the machine too busy to measure
// (4). A run that can't begin, or whose counts are wrong, still fails. If the page promises an exit
// code, the command must end with it; a run or a gate that finds the machine too busy may try three
// times. gate --base runs in the source tree unless the page has made another one. The script uses
// exec for any other command, so that a page can end by process id what it started.
const verdictsAreFine = `#!/bin/sh
case "$1 $2" in
"gate --base") [ -f go.mod ] || [ -f fleetmark.yaml ] || cd '%[2]s' || exit 2; fine='1 3 4' ;;
"gate "*) fine= ;;
"profile overhead") fine=4 ;;
"run "*) fine='1 3' ;;
*) exec '%[1]s' "$@" ;;
esac
for try in 1 2 3; do
	'%[1]s' "$@"
	code=$?
	if [ -z "$%[3]s" ]; then
		for f in $fine; do [ $code -ne $f ] || exit 0; done
		exit $code
	fi
	for want in $%[3]s; do [ $code -ne $want ] || exit $code; done
	case $code in 3 | 4) ;; *) exit $code ;; esac
done
exit $code
`

// elsewhere maps commands of the documentation that other tests run to the name of what runs them.
func elsewhere() map[string]string {
	return map[string]string{
		"go test ./...": "this test is part of it",
		"make test":     "TestMakefile", "make bench": "TestMakefile", "make baseline": "TestMakefile",
		"make lint": "TestMakefile", "make fuzz": "TestMakefile", "make build": "TestMakefile",
		".ci/run": "CI itself",
		"go test -run '^$' -bench 'Push|Verify|Reference' -benchmem -count 10 ./delivery":     ".ci/run, but once and shorter",
		"go test -run '^$' -bench 'Push|Verify' -benchmem -count 10 ./delivery > current.txt": "TestCommandsOfThePage",
		"go tool benchstat BASELINE_METRICS.md current.txt":                                   "TestCommandsOfThePage",
	}
}

// withoutCommands returns the pages whose commands this test doesn't run: those of the changelog
// are of older versions, TestCommandsOfThePage runs those of the baseline page, and the tutorial
// begins with that of the README.
func withoutCommands() []string { return append(pagesAsOfThen(), "README.md") }

// pagesAsOfThen returns the pages that describe the code as it was.
func pagesAsOfThen() []string { return []string{"CHANGELOG.md", baseline.FileName} }

// runnable returns a line as the test runs it.
func runnable(line string) string {
	command, _, _ := strings.Cut(line, " #")
	if _, ok := elsewhere()[strings.TrimSpace(command)]; ok {
		return ": " + strings.TrimSpace(command)
	}
	line = strings.ReplaceAll(line, "go tool benchstat", "benchstat")
	return strings.ReplaceAll(line, "go run ./cmd/fleetmark", "fleetmark")
}

// blocks returns the contents of a page's fenced sh blocks.
func blocks(page string) []string {
	var all []string
	for _, f := range fences(page) {
		if f.language == "sh" {
			all = append(all, f.text)
		}
	}
	return all
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(root, "go.mod"))
	return root
}

// TestREADMEOpensWithTheTwoCommands checks the first two commands that a newcomer sees. They are
// all that the README has, and TestCommandsInTheDocumentation runs the first in the tutorial.
func TestREADMEOpensWithTheTwoCommands(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository(t), "README.md"))
	require.NoError(t, err)
	all := blocks(string(text))
	require.Len(t, all, 1)
	commands := commandsOf(all[0])
	require.Equal(t, []string{"go run ./cmd/fleetmark run", "go test ./..."}, commands)
	tutorial, err := os.ReadFile(filepath.Join(repository(t), "docs", "tutorial.md"))
	require.NoError(t, err)
	require.Contains(t, commandsOf(strings.Join(blocks(string(tutorial)), "")), commands[0])
}

func commandsOf(block string) []string {
	var all []string
	for line := range strings.SplitSeq(strings.TrimSpace(block), "\n") {
		command, _, _ := strings.Cut(line, " #")
		all = append(all, strings.TrimSpace(command))
	}
	return all
}

// TestMakefile checks that each target exists, has a comment, and has a recipe that make and the
// shell can parse.
func TestMakefile(t *testing.T) {
	root := repository(t)
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	targets := []string{"build", "test", "bench", "bench-all", "baseline", "lint", "fuzz"}
	require.Contains(t, string(text), ".PHONY: "+strings.Join(targets, " ")+"\n")
	for _, target := range targets {
		require.Regexp(t, "(?m)^"+target+": # .+\n\t", string(text),
			"Makefile has no target %s with a comment and a recipe", target)
	}
	for _, program := range []string{"make", "sh"} {
		testenv.Program(t, program)
	}
	for _, target := range targets {
		print := exec.Command("make", "--dry-run", "--directory", root, "--no-print-directory", target)
		recipe, err := print.Output()
		require.NoError(t, err, target)
		require.NotEmpty(t, recipe, target)
		read := exec.Command("sh", "-n")
		read.Stdin = strings.NewReader(string(recipe))
		out, err := read.CombinedOutput()
		require.NoError(t, err, "%s: %s", target, out)
	}
}

// TestNothingOfAMachineIsInTheRepository checks that no file names this machine, its paths or a
// registry.
func TestNothingOfAMachineIsInTheRepository(t *testing.T) {
	root := repository(t)
	out, err := exec.Command("git", "-C", root, "ls-files", "-z").Output()
	if err != nil {
		t.Skip("not a git checkout")
	}
	host, err := os.Hostname()
	require.NoError(t, err)
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			continue // removed, but not yet committed
		}
		for _, word := range []string{root + "/", home + "/", "proxy." + "golang.org", "deb." + "debian.org"} {
			require.NotContains(t, string(text), word, name)
		}
		if len(host) > 4 {
			require.NotContains(t, string(text), host, name)
		}
	}
}
