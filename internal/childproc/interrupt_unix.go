//go:build unix

package childproc

import (
	"os/exec"
	"syscall"
)

// InterruptGroup asks every process of a command's group to end, as Ctrl-C in a terminal does. The go
// command then removes its temporary files, which it leaves behind when it is killed.
func InterruptGroup(cmd *exec.Cmd) error { return signalGroup(cmd, syscall.SIGINT) }
