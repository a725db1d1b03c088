//go:build unix

package scenarios

import (
	"os/exec"
	"syscall"
)

// Detach puts a command into a process group of its own, so that a terminal's
// Ctrl-C does not reach it.
func Detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// kill ends a detached command at once, and what it started in its group.
func kill(cmd *exec.Cmd) error {
	err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if err == syscall.ESRCH { // it ended just now
		return nil
	}
	return err
}
