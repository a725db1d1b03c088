package childproc

import (
	"os/exec"
	"syscall"
)

// KillWithThread makes the kernel kill the process of a command when the thread that started it
// ends, and therefore when this process is killed. It must be called after [SetGroup]. Start the
// command on a goroutine that is locked to its thread (runtime.LockOSThread) for as long as the
// command is to run, because Go may end any other thread.
func KillWithThread(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL }
