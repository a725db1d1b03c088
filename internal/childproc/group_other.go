//go:build !unix

package childproc

import "os/exec"

// SetGroup does nothing: this system has no process groups.
func SetGroup(*exec.Cmd) {}

// KillGroup kills a started command. Processes that the command started may continue.
func KillGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// GroupEnded reports whether a started command has been waited for. Processes that the command started
// may continue.
func GroupEnded(cmd *exec.Cmd) bool { return cmd.ProcessState != nil }

// QuitGroup kills a started command, since this system has no signal that asks for its stacks.
func QuitGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// InterruptGroup kills a started command, since this system has no signal that asks it to exit.
func InterruptGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
