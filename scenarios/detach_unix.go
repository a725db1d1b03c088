//go:build unix

package scenarios

import (
	"os/exec"
	"syscall"
)

// detach puts a command into a process group of its own, so that a terminal's
// Ctrl-C does not reach it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
