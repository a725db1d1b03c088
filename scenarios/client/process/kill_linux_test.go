package process

import (
	"bufio"
	"os/exec"
	"strconv"
	"testing"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
)

// TestDriverIsKilled checks that no process is left of a driver that is killed, even if the process
// ignores the end of its input.
func TestDriverIsKilled(t *testing.T) {
	driver := exec.Command(command("")[0], "client", "driver")
	in, err := driver.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	out, err := driver.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, driver.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	pid, err := strconv.Atoi(lines.Text())
	require.NoError(t, err)
	_, err = procfs.NewProc(pid)
	require.NoError(t, err)
	require.NoError(t, driver.Process.Kill())
	require.Error(t, driver.Wait())
	for {
		p, err := procfs.NewProc(pid)
		if err != nil {
			break
		}
		// The process that adopts it may not wait for it at once.
		if stat, err := p.Stat(); err == nil && stat.State == "Z" {
			break
		}
	}
}
