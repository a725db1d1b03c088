//go:build !unix

package scenarios

import "os/exec"

// detach does nothing here: the fleet ends with its input in any case.
func detach(*exec.Cmd) {}
