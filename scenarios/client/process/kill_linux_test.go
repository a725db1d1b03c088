package process

import (
	"bufio"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
)

// TestDriverIsKilled checks that no process is left of a driver that is killed, even if the process
// ignores the end of its input.
func TestDriverIsKilled(t *testing.T) {
	driver := exec.Command(clientCommand("")[0], "client", "driver")
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
	awaitEnd(pid)
}

// awaitEnd waits until a process that isn't this one's child has ended.
func awaitEnd(pid int) {
	for {
		p, err := procfs.NewProc(pid)
		if err != nil {
			return
		}
		// The process that adopts it may not wait for it at once.
		if stat, err := p.Stat(); err == nil && stat.State == "Z" {
			return
		}
		runtime.Gosched()
	}
}

// TestClose_grandchildren checks that a program that a process started, and that holds its output
// open, ends with the pool, and delays nothing.
func TestClose_grandchildren(t *testing.T) {
	_, cfg := update(t, "")
	cfg.Command = []string{"sh", "-c", `sleep 1000 & echo "{\"protocol\":1,\"version\":\"$!\"}"; cat >/dev/null`}
	cfg.CloseTimeout = 100 * time.Millisecond
	p, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	pid, err := strconv.Atoi(p.Hello().Version)
	require.NoError(t, err)
	_, err = procfs.NewProc(pid)
	require.NoError(t, err)
	require.NoError(t, p.Close())
	awaitEnd(pid)
}
