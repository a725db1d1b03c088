//go:build unix

package app

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// A stalledGate is a gate whose go build never ends.
type stalledGate struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	dir            string // the source tree
	temporary      string // TMPDIR
	goPID          int
}

// stallGate starts a gate --base HEAD, in a process group of its own as a shell does, and waits
// until it builds.
func stallGate(t *testing.T, args ...string) *stalledGate {
	t.Helper()
	goCommand, err := exec.LookPath("go")
	require.NoError(t, err)
	g := &stalledGate{dir: t.TempDir(), temporary: t.TempDir()}
	bin, mark := t.TempDir(), filepath.Join(t.TempDir(), "pid")
	for path, text := range map[string]string{
		filepath.Join(bin, "go"):                          "#!/bin/sh\nif [ \"$1\" = build ] || [ \"$1\" = test ]; then echo $$ >'" + mark + ".new'; mv '" + mark + ".new' '" + mark + "'; exec sleep 1000; fi\nexec '" + goCommand + "' \"$@\"\n",
		filepath.Join(g.dir, "fleetmark.yaml"):            "client:\n  build: go build -o {out} ./cmd/fleetmark\n  packages: [./delivery]\n",
		filepath.Join(g.dir, "go.mod"):                    "module example.com/tiny\n\ngo 1.24\n",
		filepath.Join(g.dir, "tiny_test.go"):              "package tiny\n\nimport \"testing\"\n\nfunc BenchmarkTiny(b *testing.B) {\n\tfor b.Loop() {\n\t}\n}\n",
		filepath.Join(g.dir, "delivery", "delivery.go"):   "package delivery\n",
		filepath.Join(g.dir, "cmd", "fleetmark", "go.go"): "package main\n\nfunc main() {}\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o700))
	}
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "-A"}, {"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "change"},
	} {
		git := exec.Command("git", args...)
		git.Dir = g.dir
		out, err := git.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	g.cmd, _ = command(t, append([]string{"gate", "--base", "HEAD", "--no-progress"}, args...)...)
	g.cmd.Dir, g.cmd.Stdout, g.cmd.Stderr = g.dir, &g.stdout, &g.stderr
	g.cmd.Env = append(os.Environ(), "TMPDIR="+g.temporary, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, g.cmd.Start())
	eventually(t, "it builds", func() bool {
		text, err := os.ReadFile(mark)
		if err != nil {
			return false
		}
		g.goPID, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	return g
}

// TestGateBase_interruptedWhileBuilding checks that the gate handles Ctrl-C by itself: it ends the
// build, says so in every report, and leaves nothing behind.
func TestGateBase_interruptedWhileBuilding(t *testing.T) {
	for mode, args := range map[string][]string{"base": {"gate-push"}, "bench": {"--bench", "Tiny"}} {
		t.Run(mode, func(t *testing.T) {
			g := stallGate(t, append(args, "--junit", "gate.xml", "--markdown", "gate.md", "--json")...)
			require.NoError(t, syscall.Kill(-g.cmd.Process.Pid, syscall.SIGINT)) // as a terminal does
			require.Error(t, g.cmd.Wait())
			require.Equal(t, cli.ExitInterrupted, g.cmd.ProcessState.ExitCode(), g.stderr.String())
			require.Equal(t, "fleetmark: interrupted\n", g.stderr.String())
			require.Equal(t, `{"mode":"`+mode+`","verdict":"invalid","reason":"interrupted: nothing is judged","exit_code":130}`+"\n", g.stdout.String())
			requireReports(t, g.dir, cli.ExitInterrupted, "interrupted: nothing is judged")
			left, err := os.ReadDir(g.temporary)
			require.NoError(t, err)
			require.Empty(t, left)
			eventually(t, "the build has ended", func() bool { // whoever adopted it waits for it
				return errors.Is(syscall.Kill(g.goPID, 0), syscall.ESRCH)
			})
		})
	}
}

// TestGateBase_removesWhatAKilledOneLeft checks that a gate removes what a killed gate left in the
// directory for temporary files.
func TestGateBase_removesWhatAKilledOneLeft(t *testing.T) {
	g := stallGate(t, "gate-push")
	require.NoError(t, g.cmd.Process.Kill())
	require.Error(t, g.cmd.Wait())
	defer func() { require.NoError(t, syscall.Kill(g.goPID, syscall.SIGKILL)) }()
	left, err := os.ReadDir(g.temporary)
	require.NoError(t, err)
	require.Len(t, left, 1)

	next := fleetmark(t, g.dir, []string{"TMPDIR=" + g.temporary}, "gate", "--base", "nonesuch", "gate-push",
		"--no-progress")
	require.Equal(t, cli.ExitUsage, next.code, next.stderr)
	left, err = os.ReadDir(g.temporary)
	require.NoError(t, err)
	require.Empty(t, left)
}
