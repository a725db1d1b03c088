//go:build unix

package childproc

import (
	"bufio"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInterruptGroup checks that the signal reaches what a command started, here a shell that
// another shell waits for.
func TestInterruptGroup(t *testing.T) {
	const inner = `trap "echo interrupted; exit" INT; echo ready; while :; do sleep 0.01; done`
	cmd := exec.Command("sh", "-c", `trap : INT; sh -c '`+inner+`'; exit 7`)
	SetGroup(cmd)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	require.Equal(t, "ready", lines.Text())
	require.NoError(t, InterruptGroup(cmd))
	require.True(t, lines.Scan())
	require.Equal(t, "interrupted", lines.Text())
	require.Error(t, cmd.Wait())
	require.Equal(t, 7, cmd.ProcessState.ExitCode(), "the outer shell traps the signal and continues")
}

// TestGroupEnded starts a command that leaves a process of its group behind, and one that doesn't.
func TestGroupEnded(t *testing.T) {
	for script, left := range map[string]bool{"true": false, "sleep 1000 >/dev/null 2>&1 &": true} {
		cmd := exec.Command("sh", "-c", script)
		SetGroup(cmd)
		require.NoError(t, cmd.Start())
		require.False(t, GroupEnded(cmd), "nobody has waited for it")
		require.NoError(t, cmd.Wait())
		require.Equal(t, !left, GroupEnded(cmd))
		if left {
			require.NoError(t, KillGroup(cmd))
		}
	}
}
