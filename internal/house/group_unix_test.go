//go:build unix

package house

import (
	"os/exec"
	"syscall"
)

// ownGroup puts what a command starts into a process group of its own.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// endGroup ends whatever is left of a command's group, and says whether anything was.
func endGroup(cmd *exec.Cmd) bool { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) == nil }
