package childproc

import (
	"io"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// start starts a shell script as a child.
func start(t *testing.T, script string, grace time.Duration) *Child {
	t.Helper()
	c, err := StartChild([]string{"sh", "-c", script}, io.Discard, grace)
	require.NoError(t, err)
	return c
}

func TestChildAnswersOrders(t *testing.T) {
	c := start(t, `while read order; do echo "got $order"; done; exit 3`, time.Minute)
	for _, order := range []string{"a", "b"} {
		require.NoError(t, c.Send(order))
		require.Equal(t, `got "`+order+"\"\n", string(<-c.Lines()))
	}
	require.Error(t, c.Send(func() {}), "it can't be encoded")
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	var exit *exec.ExitError
	require.ErrorAs(t, c.Err(), &exit)
	require.Equal(t, 3, exit.ExitCode())
	require.NoError(t, c.Send("c"), "nobody reads it")
	_, ok := <-c.Lines()
	require.False(t, ok)
}

// TestChildCloseKills uses a child that ignores the end of its input, and a grandchild that keeps
// its output open.
func TestChildCloseKills(t *testing.T) {
	c := start(t, `echo line; echo another; sleep 1000 & wait`, time.Millisecond)
	require.ErrorIs(t, c.Close(), ErrKilled)
	require.Error(t, c.Err())
}

func TestStartChildRefuses(t *testing.T) {
	_, err := StartChild([]string{"no-such-program"}, nil, time.Second)
	require.ErrorIs(t, err, exec.ErrNotFound)
}
