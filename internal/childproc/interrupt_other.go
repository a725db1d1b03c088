//go:build !unix

package childproc

import "os/exec"

// InterruptGroup kills a started command, for there is no signal here that asks it to end.
func InterruptGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
