package childproc

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOutput(t *testing.T) {
	out, err := Output(t.Context(), "/", "sh", "-c", "pwd; echo")
	require.NoError(t, err)
	require.Equal(t, "/", out)

	_, err = Output(t.Context(), "", "sh", "-c", "echo first >&2; echo second >&2; exit 3")
	require.EqualError(t, err, "sh -c: first …")
	var failed *Error
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "first\nsecond", failed.Stderr)
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 3, exit.ExitCode())

	_, err = Output(t.Context(), "", "sh", "-c", "exit 3")
	require.EqualError(t, err, "sh -c: exit status 3")
	_, err = Output(t.Context(), "", "no-such-program", "x")
	require.EqualError(t, err, "no-such-program is not installed, or not in PATH")
}

// TestTheEndOfTheContextEndsTheGroup starts a program whose child holds the pipes open, which would
// keep Wait waiting if only the program were killed.
func TestTheEndOfTheContextEndsTheGroup(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cmd := Command(ctx, "sh", "-c", "sleep 1000 & echo started; wait")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line := make([]byte, 8)
	_, err = out.Read(line)
	require.NoError(t, err)
	cancel()
	n, err := out.Read(line) // until the last holder of the pipe has ended
	require.Zero(t, n)
	require.Error(t, err)
	require.Error(t, cmd.Wait())
}

func TestTailKeepsTheEnd(t *testing.T) {
	tail := Tail{Limit: 10}
	for i := range 100 {
		n, err := fmt.Fprintf(&tail, "%d\n", i)
		require.NoError(t, err)
		require.Positive(t, n)
	}
	require.Equal(t, "97\n98\n99", tail.String(), "ten bytes, of which the first and the last are line feeds")
	n, err := tail.Write([]byte(strings.Repeat("y", 1000) + "end\xff"))
	require.NoError(t, err)
	require.Equal(t, 1004, n)
	require.Equal(t, "yyyyyyend\uFFFD", tail.String())
	require.LessOrEqual(t, len(tail.kept), 20)
}

func TestPanicLine(t *testing.T) {
	for output, want := range map[string]string{
		"":                                "",
		"no panic: here\n":                "",
		"PASS\n  panic: a\npanic: b\n":    "panic: a",
		"x\r\nfatal error: deadlock!\r\n": "fatal error: deadlock!",
	} {
		require.Equal(t, want, PanicLine(output))
	}
}
