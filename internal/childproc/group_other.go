//go:build !unix

package childproc

import "os/exec"

// SetGroup does nothing: there are no process groups here.
func SetGroup(*exec.Cmd) {}

// KillGroup kills a started command. What the command started may go on.
func KillGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// QuitGroup kills a started command, since no signal here asks for its stacks.
func QuitGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// InterruptGroup kills a started command, since no signal here asks it to end.
func InterruptGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
