package scenarios

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOtherProcesses: a child's time counts while it lives, and after its end with
// its parent; a process that is ours counts in no sum.
func TestOtherProcesses(t *testing.T) {
	child := exec.Command("/bin/sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done")
	before, ok := otherProcesses(os.Getpid())
	require.True(t, ok)
	mine, _ := otherProcesses()
	require.GreaterOrEqual(t, mine, before)
	require.NoError(t, child.Run())
	used := child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	after, _ := otherProcesses()
	require.GreaterOrEqual(t, after-mine, used-20*time.Millisecond, "the clock goes in steps of 10 ms")
}
