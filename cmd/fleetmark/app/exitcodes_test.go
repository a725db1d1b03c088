//go:build unix

package app

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
)

// inputs returns a directory with the inputs of the commands of TestExitCodes.
func inputs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("a.txt", "goos: linux\nBenchmarkA 1 100 ns/op\nBenchmarkA 1 101 ns/op\n")
	write("b.txt", "goos: linux\nBenchmarkB 1 100 ns/op\n")
	write("empty", "")
	write("typo.yaml", "name: typo\nlaod: {}\n")
	write("small.yaml", "name: small\nfleet: {devices: 3}\nrepetitions: 1\nwarmup: 0\nprofiled: 0\n")
	write("all-fail.yaml", "name: all-fail\nfleet: {devices: 3, behavior: {fail_first: 9}}\nclient: {max_attempts: 1}\nrepetitions: 1\nwarmup: 0\nprofiled: 0\n")
	write("unmet.yaml", "name: unmet\nfleet: {devices: 3, behavior: {fail_first: 1}}\nclient: {max_attempts: 1}\nrepetitions: 1\nwarmup: 0\nprofiled: 0\n"+
		"load: {duration: 100ms, workers: 1}\nthresholds: [ops/s < 1/h]\n")
	// A checkout that doesn't compile, but has a go.mod and a delivery package.
	write("tree/go.mod", "module example.com/broken\n\ngo 1.24\n")
	write("tree/fleetmark.yaml", "client:\n  build: go build -o {out} ./cmd/fleetmark\n")
	write("module/go.mod", "module example.com/module\n\ngo 1.24\n")
	write("no-repository/go.mod", "module example.com/module\n\ngo 1.24\n")
	write("no-repository/fleetmark.yaml", "client:\n  build: go build -o {out} .\n")
	write("tree/delivery/delivery.go", "package delivery\n")
	write("tree/delivery/delivery_test.go", "package delivery\n\nimport \"testing\"\n\nfunc BenchmarkA(*testing.B) {}\n")
	write("tree/cmd/fleetmark/main.go", "package main\n\nfunc main() { nobody() }\n")
	for _, args := range [][]string{
		{"init", "--quiet"}, {"add", "."},
		{"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "begin"},
	} {
		out, err := exec.Command("git", append([]string{"-C", filepath.Join(dir, "tree")}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	for name, unit := range map[string]string{"1.pb.gz": "nanoseconds", "2.pb.gz": "bytes"} {
		kind := map[string]string{"nanoseconds": "cpu", "bytes": "space"}[unit]
		f := &profile.Function{ID: 1, Name: "main.main"}
		l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f}}}
		p := &profile.Profile{
			SampleType: []*profile.ValueType{{Type: kind, Unit: unit}}, PeriodType: &profile.ValueType{Type: kind, Unit: unit},
			Period:   1,
			Function: []*profile.Function{f}, Location: []*profile.Location{l},
			Sample: []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{7}}},
		}
		var data bytes.Buffer
		require.NoError(t, p.Write(&data))
		write(name, data.String())
	}
	d, err := rundir.Create(dir, "small", results.Run{}.Started, "abcdef")
	require.NoError(t, err)
	run := results.Run{Scenario: "small", Status: results.StatusFinished, Valid: true, Repetitions: 1,
		Machine: results.Machine{GOMAXPROCS: 1}}
	require.NoError(t, d.WriteRun(run))
	require.NoError(t, d.AppendRepetition([]results.Record{{Scenario: "small", Op: "push", Ops: 1,
		Values: []results.Value{{Unit: "ns/op", Value: 1}}}}))
	require.NoError(t, d.WriteRun(run))
	require.NoError(t, d.Close())
	require.NoError(t, os.Rename(d.Path(), filepath.Join(dir, "run")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "git"), 0o700))
	return dir
}

// TestExitCodes checks that exit code 4 means an invalid run and nothing else, and that everything
// else that keeps a command from judging exits 2. The table has at least one line for each command.
func TestExitCodes(t *testing.T) {
	dir := inputs(t)
	const nowhere = "/nonexistent/fleetmark"
	withoutGo := "PATH=" + filepath.Join(dir, "bin")
	withoutShell := "PATH=" + filepath.Join(dir, "git")
	for link, program := range map[string]string{"bin/git": "git", "bin/sh": "sh", "git/git": "git"} {
		path, err := exec.LookPath(program)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(dir, link)))
	}
	tried := map[string]bool{}
	for _, c := range []struct {
		code int
		args string // split at spaces
		said string // a part of standard error
		in   string // the working directory, below the directory of inputs
		env  []string
	}{
		{code: cli.ExitUsage, args: "run rolout", said: "did you mean rollout?"},
		{code: cli.ExitUsage, args: "run --devices 0", said: "--devices 0: want"},
		{code: cli.ExitUsage, args: "run small.yaml --out a.txt", said: "a.txt: no run directory can be made in it"},
		{code: cli.ExitUsage, args: "run small.yaml --fleet http://127.0.0.1:1", said: "does not answer"},
		{code: cli.ExitUsage, args: "run small.yaml --baseline typo.yaml", said: "typo.yaml:1:"},
		{code: cli.ExitPass, args: "run small.yaml --no-progress", said: "there is none"},
		{code: cli.ExitPass, args: "run small.yaml --no-progress", said: "there is none",
			env: []string{"TMPDIR=" + nowhere, "HOME=", "PATH="}},
		{code: cli.ExitInconclusive, args: "run small.yaml --no-progress --baseline nowhere.md",
			said: "nowhere.md: there is none"},
		{code: cli.ExitInvalid, args: "run all-fail.yaml --no-progress", said: "3 of 3"},
		{code: cli.ExitRegressed, args: "run unmet.yaml --no-progress", said: "operations failed"},
		{code: cli.ExitUsage, args: "scenarios list more", said: "unknown command"},
		{code: cli.ExitUsage, args: "scenarios show nosuch", said: "no such scenario"},
		{code: cli.ExitUsage, args: "scenarios validate typo.yaml", said: "typo.yaml:2:1:"},
		{code: cli.ExitUsage, args: "scenarios schema more", said: "unknown command"},
		{code: cli.ExitPass, args: "compare a.txt a.txt"},
		{code: cli.ExitUsage, args: "compare a.txt a.txt --alpha 2", said: "--alpha 2: want above 0 and at most 1"},
		{code: cli.ExitUsage, args: "compare a.txt a.txt --alpha 0", said: "--alpha 0: want above 0 and at most 1"},
		{code: cli.ExitUsage, args: "compare a.txt a.txt --confidence -1",
			said: "--confidence -1: want above 0 and at most 1"},
		{code: cli.ExitUsage, args: "compare a.txt --filter ((", said: "filter: syntax error"},
		{code: cli.ExitUsage, args: "compare a.txt --row ((", said: "row: syntax error"},
		{code: cli.ExitUsage, args: "compare a.txt --filter .name:nosuch", said: "the filter leaves no result"},
		{code: cli.ExitUsage, args: "compare a.txt --format nosuch", said: "want text, markdown, csv or json"},
		{code: cli.ExitUsage, args: "compare empty", said: "holds no benchmark results"},
		{code: cli.ExitInconclusive, args: "compare a.txt b.txt", said: "nothing could be compared"},
		{code: cli.ExitUsage, args: "gate", said: "no such file"},
		{code: cli.ExitUsage, args: "gate --base HEAD --budget 1ms", said: "--budget 1ms: want"},
		{code: cli.ExitUsage, args: "gate --base HEAD", said: "no git repository here"},
		{code: cli.ExitUsage, args: "gate --base HEAD", said: "there is no fleetmark.yaml here", in: "module"},
		{code: cli.ExitUsage, args: "gate --base HEAD", said: "no git repository here", in: "no-repository"},
		{code: cli.ExitUsage, args: "gate --base HEAD", said: "nobody", in: "tree"},
		{code: cli.ExitUsage, args: "gate --base nosuch", said: "no such revision", in: "tree"},
		{code: cli.ExitUsage, args: "gate --base HEAD", said: "git", in: "tree", env: []string{"PATH="}},
		{code: cli.ExitUsage, args: "gate --base HEAD", said: "(exit status 127): mend client.build", in: "tree",
			env: []string{withoutGo}}, // the line after that is the shell's, about go
		{code: cli.ExitUsage, args: "gate --base HEAD", said: "install a shell that is called sh", in: "tree",
			env: []string{withoutShell}},
		{code: cli.ExitUsage, args: "gate --base HEAD", said: "git", in: "tree",
			env: []string{"GIT_TEST_ASSUME_DIFFERENT_OWNER=1"}},
		{code: cli.ExitUsage, args: "gate --base HEAD", said: "cache", in: "tree",
			env: []string{"HOME=", "GOCACHE=", "XDG_CACHE_HOME="}},
		{code: cli.ExitUsage, args: "gate --base HEAD", said: nowhere, in: "tree", env: []string{"TMPDIR=" + nowhere}},
		{code: cli.ExitUsage, args: "gate --base HEAD --bench A", said: "no git repository here"},
		{code: cli.ExitUsage, args: "gate --base HEAD --bench A ./delivery", said: "git is not installed", in: "tree",
			env: []string{"PATH="}},
		{code: cli.ExitUsage, args: "gate --base HEAD --bench A ./delivery", said: "go is not installed", in: "tree",
			env: []string{withoutGo}},
		{code: cli.ExitUsage, args: "gate --base HEAD --bench A ./delivery", said: "safe.directory", in: "tree",
			env: []string{"GIT_TEST_ASSUME_DIFFERENT_OWNER=1"}},
		{code: cli.ExitUsage, args: "gate --base HEAD --bench A ./delivery", said: "cache", in: "tree",
			env: []string{"HOME=", "GOCACHE=", "XDG_CACHE_HOME="}},
		{code: cli.ExitUsage, args: "gate --base HEAD --bench A ./delivery", said: "set TMPDIR", in: "tree",
			env: []string{"TMPDIR=" + nowhere}},
		{code: cli.ExitUsage, args: "gate --base HEAD --bench A ./cmd/fleetmark", said: "cmd/fleetmark", in: "tree"},
		{code: cli.ExitUsage, args: "gate --bench A --baseline nosuch.md", said: "nosuch.md"},
		{code: cli.ExitUsage, args: "runs empty", said: "empty"},
		{code: cli.ExitUsage, args: "runs --since never", said: "--since"},
		{code: cli.ExitUsage, args: "baseline --check", said: "BASELINE_METRICS.md"},
		{code: cli.ExitUsage, args: "baseline --text", said: "BASELINE_METRICS.md"},
		{code: cli.ExitUsage, args: "baseline --from nowhere", said: "nowhere"},
		{code: cli.ExitUsage, args: "baseline --from run --file page.md --sections code", said: "another machine than this"},
		{code: cli.ExitUsage, args: "report nowhere", said: "nowhere"},
		{code: cli.ExitUsage, args: "report empty", said: "empty"},
		{code: cli.ExitUsage, args: "report run --html nowhere/page.html", said: "--html nowhere/page.html"},
		{code: cli.ExitUsage, args: "report run --github", said: "GITHUB_STEP_SUMMARY isn't set",
			env: []string{"GITHUB_STEP_SUMMARY="}},
		{code: cli.ExitUsage, args: "profile", said: "wants a command"},
		{code: cli.ExitUsage, args: "profile top empty", said: "empty"},
		{code: cli.ExitUsage, args: "profile top 1.pb.gz --sample-index nosuch", said: "holds no such number"},
		{code: cli.ExitUsage, args: "profile diff 1.pb.gz 2.pb.gz --raw", said: "it counts"},
		{code: cli.ExitUsage, args: "profile diff 1.pb.gz 2.pb.gz --by-line --json", said: "by-line"},
		{code: cli.ExitUsage, args: "profile explain 1.pb.gz 2.pb.gz", said: "want 5 to 400"},
		{code: cli.ExitUsage, args: "profile explain 1.pb.gz 1.pb.gz --alpha 2", said: "alpha 2"},
		{code: cli.ExitUsage, args: "profile flame 1.pb.gz 2.pb.gz --raw", said: "it counts"},
		{code: cli.ExitUsage, args: "profile web 1.pb.gz 2.pb.gz --raw", said: "it counts"},
		{code: cli.ExitUsage, args: "profile web 1.pb.gz --port 99999", said: "--port 99999"},
		{code: cli.ExitUsage, args: "profile capture http://127.0.0.1:1 --for 1s", said: "127.0.0.1:1"},
		{code: cli.ExitUsage, args: "profile capture http://127.0.0.1:1 --for 1ms", said: "1ms: want"},
		{code: cli.ExitUsage, args: "profile take a.txt/b", said: "not a directory"},
		{code: cli.ExitUsage, args: "profile take taken", said: "set TMPDIR", env: []string{"TMPDIR=" + nowhere}},
		{code: cli.ExitUsage, args: "profile overhead --budget 1ms", said: "--budget 1ms: want"},
		{code: cli.ExitUsage, args: "fleet --devices 0", said: "devices: 0: want"},
		{code: cli.ExitUsage, args: "fleet --listen 192.0.2.1:80", said: "loopback"},
		{code: cli.ExitUsage, args: "fleet --scenario nosuch", said: "no such scenario"},
		{code: cli.ExitUsage, args: "doctor more", said: "unknown command"},
		{code: cli.ExitUsage, args: "agent --join 192.0.2.1:4242", said: "there are no credentials"},
		{code: cli.ExitUsage, args: "agent --role pilot", said: `role "pilot": want both, driver or fleet`},
		{code: cli.ExitUsage, args: "agent --name a.b", said: `agent name "a.b"`},
		{code: cli.ExitUsage, args: "run --local", said: "--local is for a run with agents"},
		{code: cli.ExitUsage, args: "run --agents 1 --local --lease 0s", said: "want more than 0s"},
		{code: cli.ExitUsage, args: "run --agents 1 --local --agents-wait 0s", said: "want more than 0s"},
		{code: cli.ExitUsage, args: "run --agents 0", said: "0 agents: want 1 to 4096"},
		{code: cli.ExitUsage, args: "run --agents 2 --cluster-listen 0.0.0.0:0", said: "make a set with `fleetmark cluster keys DIR`"},
		{code: cli.ExitPass, args: "cluster keys keys-of-test"},
		{code: cli.ExitUsage, args: "cluster keys a.txt", said: "keys in a.txt"},
		{code: cli.ExitUsage, args: "init", said: "no go.mod and no git repository here"},
		{code: cli.ExitUsage, args: "version now", said: "unknown command"},
		{code: cli.ExitUsage, args: "completion tcsh", said: "want bash, zsh, fish or powershell"},
		{code: cli.ExitUsage, args: "drive", said: "holds no order"}, // standard input is empty
		{code: cli.ExitUsage, args: "opcost", said: "EOF"},
		{code: cli.ExitPass, args: "noop-client"}, // standard input is empty
		{code: cli.ExitUsage, args: "nosuch", said: `has no command "nosuch"`},
	} {
		words := strings.Fields(c.args)
		for i := range words {
			tried[strings.Join(words[:i+1], " ")] = true
		}
		t.Run(strings.Join(append([]string{c.args}, c.env...), " "), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), filepath.Join(built, "fleetmark"), words...)
			cmd.Dir = filepath.Join(dir, c.in)
			cmd.Env = append(append(os.Environ(), "GOWORK=off", "GOFLAGS="), c.env...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Run(); err != nil {
				require.ErrorAs(t, err, new(*exec.ExitError))
			}
			require.Equal(t, c.code, cmd.ProcessState.ExitCode(), "%s", stderr.String())
			require.Contains(t, stderr.String(), c.said)
		})
	}
	var walk func(cmd *cobra.Command, path string)
	walk = func(cmd *cobra.Command, path string) {
		for _, sub := range cmd.Commands() {
			if name := strings.TrimSpace(path + " " + sub.Name()); name != "help" {
				require.True(t, tried[name], "the table has no line for %s", name)
				walk(sub, name)
			}
		}
	}
	walk(newRoot(cli.Console{}), "")
}

// TestErrorsThatWrapSeveral checks that the words of an error which wraps several are printed once.
func TestErrorsThatWrapSeveral(t *testing.T) {
	one, other := errors.New("undefined: a"), errors.New("undefined: b")
	both := fmt.Errorf("it compiles neither so (%w) nor so (%w)", one, other)
	require.Equal(t, []error{both}, scenarios.SplitErrors(both))
	require.Equal(t, []error{one, both}, scenarios.SplitErrors(errors.Join(one, errors.Join(nil, both))))
	require.Empty(t, scenarios.SplitErrors(nil))
}

// TestInterruptedChild checks that a Ctrl-C which ends the command's child too is reported as an
// interruption, not as the child's failure.
func TestInterruptedChild(t *testing.T) {
	cmd, dir := command(t, "gate", "--base", "HEAD")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/module\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "fleetmark.yaml"), []byte("client:\n  build: make {out}\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\ntouch started\nexec sleep 60\n"), 0o700))
	cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	eventually(t, "git runs", func() bool {
		_, err := os.Stat(filepath.Join(dir, "started"))
		return err == nil
	})
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)) // the whole group, as a terminal does
	require.Error(t, cmd.Wait())
	require.Equal(t, cli.ExitInterrupted, cmd.ProcessState.ExitCode(), "%s", stderr.String())
	require.Contains(t, stderr.String(), "fleetmark: interrupted\n")
}
