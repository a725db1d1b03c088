package target

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestFleetThatDoesNotComeUp checks that the error quotes the fleet's first line, or else what it
// printed on standard error.
func TestFleetThatDoesNotComeUp(t *testing.T) {
	for script, want := range map[string]string{
		`echo 'fleetmark: in use' >&2; echo '{"error":"mockfleet: listen: in use"}'; exit 2`: "the fleet did not come up: mockfleet: listen: in use",
		"echo 'panic: one' >&2; echo 'and two' >&2; exit 2":                                  "the fleet did not come up: panic: one; and two",
		"exit 7":     "the fleet did not come up: exit status 7",
		":":          "the fleet did not come up: its process ended without a word",
		"echo hello": "the fleet did not come up: its first line is \"hello\\n\": want one that says where it is, as {\"address\":…,\"control\":…,\"token\":…}",
	} {
		var stderr bytes.Buffer
		_, err := Open(t.Context(), Options{Command: []string{"/bin/sh", "-c", script}, Stderr: &stderr}, small(), nil)
		require.EqualError(t, err, want)
		require.Empty(t, stderr.String(), "the reason is in the error, and not printed as well")
	}
}

// stubborn is a fleet's process that comes up, and doesn't exit when it is told to.
const stubborn = `read order; echo early >&2; echo '{"address":"http://127.0.0.1:1","control":"http://127.0.0.1:1","token":"t"}'; echo late >&2; exec 2>&- ; sleep 1000 & wait`

// TestFleetThatDoesNotEnd checks that such a process is killed, and that the error says so. A child
// of the process keeps its output open, which must not delay Close.
func TestFleetThatDoesNotEnd(t *testing.T) {
	var stderr bytes.Buffer
	p, err := Open(t.Context(), Options{Command: []string{"/bin/sh", "-c", stubborn}, Stderr: &stderr,
		StopTimeout: time.Millisecond}, small(), nil)
	require.NoError(t, err)
	require.EqualError(t, p.Close(), "the fleet's process did not end within 1ms of being told to: it was killed")
	require.Equal(t, "early\nlate\n", stderr.String(), "the output of a fleet that is up is passed on")
}

// TestFleetThatEndedFirst checks that Close returns no further error because the process's input is
// closed already.
func TestFleetThatEndedFirst(t *testing.T) {
	f, err := StartProcess(t.Context(), []string{"/bin/sh", "-c",
		strings.Replace(stubborn, "sleep 1000 & wait", "exit 0", 1)}, small(), nil)
	require.NoError(t, err)
	<-f.Exited()
	<-f.child.Ended()
	require.NoError(t, f.Close())
}

func TestFleetThatNeverSpeaks(t *testing.T) {
	command := []string{"/bin/sh", "-c", "read order; read end"}
	_, err := startProcess(t.Context(), Options{Command: command, Stderr: io.Discard}, small(), time.Millisecond)
	require.EqualError(t, err, "the fleet did not come up: its process said nothing in 1ms")
}
