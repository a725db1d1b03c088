//go:build !unix

package childproc

import "os/exec"

// SetGroup does nothing: there are no process groups here.
func SetGroup(*exec.Cmd) {}

// killGroup kills a started command. What it started itself may go on.
func killGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// QuitGroup kills a started command, for there is no signal here that asks for its stacks.
func QuitGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
