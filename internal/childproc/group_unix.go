//go:build unix

package childproc

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// SetGroup makes a command run in a process group of its own once it is started.
func SetGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills a started command and all that it started in its group. It returns
// os.ErrProcessDone if they have ended.
func killGroup(cmd *exec.Cmd) error { return signalGroup(cmd, syscall.SIGKILL) }

// QuitGroup asks the Go programs of a command's group to print the stacks of their goroutines and
// exit, by SIGQUIT.
func QuitGroup(cmd *exec.Cmd) error { return signalGroup(cmd, syscall.SIGQUIT) }

func signalGroup(cmd *exec.Cmd, s syscall.Signal) error {
	err := syscall.Kill(-cmd.Process.Pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
