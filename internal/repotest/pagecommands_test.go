package repotest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"

	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// shortGo is a script that runs instead of the go command, since it comes first in PATH. It makes
// benchmarks short: the test checks what a command prints, not what it measures. A benchmark that
// takes a CPU profile needs some time, at a hundred samples a second.
const shortGo = `#!/bin/sh
time=
if [ "$1" = test ]; then
	for arg in "$@"; do
		case $arg in
		-bench | -bench=*) time=-benchtime=5x ;;
		-cpuprofile) time=-benchtime=300ms ;;
		esac
	done
fi
exec '%s' "$@" $time
`

// TestCommandsOfThePage runs each command that BASELINE_METRICS.md names under "How to measure
// again", as it stands, in a copy of this repository.
func TestCommandsOfThePage(t *testing.T) {
	testenv.Slow(t)
	if testenv.Raced {
		t.Skip("the commands that it runs are the same without the race detector")
	}
	for _, program := range []string{"bash", "make", "git"} {
		testenv.Program(t, program)
	}
	root := repository(t)
	page, err := os.ReadFile(filepath.Join(root, baseline.FileName))
	require.NoError(t, err)
	dir := t.TempDir()
	copyRepository(t, root, dir)

	realGo, err := exec.LookPath("go")
	require.NoError(t, err)
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "go"), fmt.Appendf(nil, shortGo, realGo), 0o700))
	shell := pageShell{dir: dir, env: append(os.Environ(),
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"GOFLAGS=-trimpath -buildvcs=false", // so that builds are the same in every directory and can be cached
		"GOMAXPROCS="+pageProcs(t, page),    // a benchmark's name contains it
	)}

	checks := pageChecks(dir)
	commands := pageCommands(string(page))
	require.GreaterOrEqual(t, len(commands), len(checks))
	for _, command := range commands {
		if reason, ok := elsewhereFromPage()[command]; ok {
			t.Logf("%s: %s", command, reason)
			continue
		}
		check, ok := checks[command]
		require.True(t, ok, "%q: this test doesn't know what it should print", command)
		delete(checks, command)
		comparing := strings.HasPrefix(command, "go tool benchstat ")
		if comparing {
			sameMachine(t, dir, string(page))
		}
		begun := time.Now()
		out, err := shell.run(t.Context(), command)
		if comparing { // the commands that follow need the page as it is in the repository
			require.NoError(t, os.WriteFile(filepath.Join(dir, baseline.FileName), page, 0o600))
		}
		t.Logf("%.1fs %s", time.Since(begun).Seconds(), command)
		check(t, command, out, err)
	}
	require.Empty(t, checks, "commands that the page should have")
}

// elsewhereFromPage maps commands of the page that other tests run to the name of what runs them.
func elsewhereFromPage() map[string]string {
	return map[string]string{
		"fleetmark baseline":         "cmd/fleetmark, in parts: the whole takes many minutes",
		"fleetmark baseline --check": "cmd/fleetmark, and .ci/run",
	}
}

// pageChecks maps commands that the page must have to checks of what they print.
func pageChecks(dir string) map[string]func(t *testing.T, command, out string, err error) {
	type check = func(t *testing.T, command, out string, err error)
	printing := func(patterns ...string) check {
		return func(t *testing.T, command, out string, err error) {
			require.NoError(t, err, "%s\n%s", command, out)
			for _, p := range patterns {
				require.Regexp(t, regexp.MustCompile("(?m)"+p), out, command)
			}
		}
	}
	const result = `\s+\d+\s+[\d.]+ ns/op\s+\d+ B/op\s+\d+ allocs/op$`
	single := printing(`^BenchmarkPush-\d+`+result, `^BenchmarkVerify-\d+`+result, `^BenchmarkPushNetHTTP-\d+`+result,
		"^PASS$")
	compared := ` +[\d.]+\S* ± +\S+ +[\d.]+\S* ± +\S+ .*\(p=\d\.\d+ n=\d+(\+\d+)?\)`
	profile := printing(`^ +flat +flat% +sum% +cum +cum%$`, `^ +\S+ +[\d.]+% +[\d.]+% +\S+ +[\d.]+% +\S+`)
	return map[string]check{
		"go test -run '^$' -bench=. -benchmem ./delivery":               single,
		"go test -run '^$' -bench=. -benchmem -benchtime=3s ./delivery": single,
		"go test -run '^$' -bench 'Push|Verify' -benchmem -count 10 ./delivery > current.txt": func(t *testing.T,
			command, _ string, err error) {
			require.NoError(t, err)
			text, err := os.ReadFile(filepath.Join(dir, "current.txt"))
			require.NoError(t, err)
			single(t, command, string(text), nil)
		},
		"go tool benchstat BASELINE_METRICS.md current.txt": func(t *testing.T, command, out string, err error) {
			printing(`^Push-\d+`+compared, `^Verify-\d+`+compared)(t, command, out, err)
			// One table must have a column for the page and one for the new file.
			for table := range strings.SplitSeq(out, "\n\n") {
				if strings.Contains(table, "\nPush-") && strings.Contains(table, "sec/op") {
					require.Contains(t, table, "\nVerify-")
					require.Contains(t, table, "│ BASELINE_METRICS.md │")
					require.Contains(t, table, "current.txt")
				}
			}
		},
		"make bench": printing(`^BenchmarkPush-\d+`+result, `^BenchmarkReferenceBareSockets-\d+`+result),
		"go run ./cmd/fleetmark run large-payload": func(t *testing.T, command, out string, _ error) {
			// These tests share the machine with others, so a verdict about its speed, and with it
			// the exit code, means nothing here.
			require.Regexp(t, regexp.MustCompile(`(?m)^ +MB/s +\d+MB/s`), out, command)
			require.Contains(t, out, "1 device, 1 updated, 0 failed")
		},
		"go test -run '^$' -bench '^BenchmarkPush$' -benchmem -memprofile mem.out ./delivery": printing(`^BenchmarkPush-\d+` + result),
		"go tool pprof -top -sample_index=alloc_space mem.out":                                profile,
		"go test -run '^$' -bench '^BenchmarkPush$' -cpuprofile cpu.out ./delivery":           printing(`^BenchmarkPush-\d+`),
		"go tool pprof -top cpu.out": func(t *testing.T, command, out string, err error) {
			profile(t, command, out, err)
			require.Contains(t, out, "delivery.(*Client).Push", "a function of what was measured")
		},
		"go test -run '^$' -bench '^BenchmarkPush$' -benchtime=1000x -trace trace.out ./delivery": printing(`^BenchmarkPush-\d+`),
		"go tool trace -d=parsed trace.out > trace.txt": func(t *testing.T, command, out string, err error) {
			require.NoError(t, err, "%s\n%s", command, out)
			text, err := os.ReadFile(filepath.Join(dir, "trace.txt"))
			require.NoError(t, err)
			require.Greater(t, strings.Count(string(text), "StateTransition"), 100, "goroutines that ran and waited")
		},
	}
}

// pageCommands returns the commands under "How to measure again", in their order.
func pageCommands(page string) []string {
	_, section, _ := strings.Cut(page, "\n## How to measure again\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var commands []string
	for _, block := range blocks(section) {
		for line := range strings.SplitSeq(block, "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				commands = append(commands, line)
			}
		}
	}
	return commands
}

// pageProcs returns the GOMAXPROCS at which the page's benchmarks were measured.
func pageProcs(t *testing.T, page []byte) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^BenchmarkPush-(\d+)\s`).FindSubmatch(page)
	require.NotNil(t, found, "the page has no samples of BenchmarkPush")
	return string(found[1])
}

// sameMachine gives the page in dir the configuration lines of current.txt, as if it had been
// measured here, because benchstat keeps the times of different machines apart.
func sameMachine(t *testing.T, dir, page string) {
	t.Helper()
	current, err := os.ReadFile(filepath.Join(dir, "current.txt"))
	require.NoError(t, err)
	for _, key := range []string{"goos", "goarch", "cpu"} {
		line := regexp.MustCompile(`(?m)^` + key + `: .*$`)
		here := line.Find(current)
		require.NotNil(t, here, key)
		page = line.ReplaceAllLiteralString(page, string(here))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, baseline.FileName), []byte(page), 0o600))
}

// copyRepository copies the files that git tracks or would add.
func copyRepository(t *testing.T, root, dir string) {
	t.Helper()
	out, err := exec.Command("git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Skip("not a git checkout")
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			continue // removed, but not yet committed
		}
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, text, 0o600))
	}
}

// A pageShell runs commands in a directory.
type pageShell struct {
	dir string
	env []string
}

func (s pageShell) run(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -o pipefail; "+command)
	cmd.Dir, cmd.Env = s.dir, s.env
	childproc.SetGroup(cmd)
	out, err := cmd.CombinedOutput()
	_ = childproc.KillGroup(cmd) // whatever the command left running
	return string(out), err
}
