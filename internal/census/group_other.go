//go:build !unix

package census

import "os/exec"

func ownGroup(*exec.Cmd) {} // there are no process groups here
