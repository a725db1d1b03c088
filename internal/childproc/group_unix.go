//go:build unix

package childproc

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// SetGroup makes a command run in a process group of its own. It must be called before the command
// starts.
func SetGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// KillGroup kills the process group of a started command, for which SetGroup must have been called.
// It returns os.ErrProcessDone if all processes of the group have ended.
func KillGroup(cmd *exec.Cmd) error { return signalGroup(cmd, syscall.SIGKILL) }

// QuitGroup sends SIGQUIT to the process group of a started command. A Go program then prints the
// stacks of its goroutines and exits. QuitGroup returns os.ErrProcessDone if all processes of the
// group have ended.
func QuitGroup(cmd *exec.Cmd) error { return signalGroup(cmd, syscall.SIGQUIT) }

// InterruptGroup sends SIGINT to the process group of a started command, as Ctrl-C in a terminal
// does. The go command then removes its temporary files, which it leaves behind when it is killed.
// InterruptGroup returns os.ErrProcessDone if all processes of the group have ended.
func InterruptGroup(cmd *exec.Cmd) error { return signalGroup(cmd, syscall.SIGINT) }

// GroupEnded reports whether all processes of the group of a started command have ended. A command
// that nobody has waited for yet counts as running. Once GroupEnded reports true, the group must not
// be signaled: another process may get its number.
func GroupEnded(cmd *exec.Cmd) bool { return errors.Is(signalGroup(cmd, 0), os.ErrProcessDone) }

func signalGroup(cmd *exec.Cmd, s syscall.Signal) error {
	err := syscall.Kill(-cmd.Process.Pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
