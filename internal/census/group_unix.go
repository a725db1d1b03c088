//go:build unix

package census

import (
	"os/exec"
	"syscall"
)

// ownGroup has an end of the command be one of all that it started: tests that the go
// command runs would outlive it.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
