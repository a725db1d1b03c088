//go:build !linux

package childproc

import "os/exec"

// KillWithThread does nothing: this system doesn't kill a process with its parent.
func KillWithThread(*exec.Cmd) {}
