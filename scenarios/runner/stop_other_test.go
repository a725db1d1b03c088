//go:build unix && !linux

package runner

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// stopProcess stops a child of the test's process.
func stopProcess(t *testing.T, p *os.Process) {
	t.Helper()
	require.NoError(t, p.Signal(syscall.SIGSTOP))
}
