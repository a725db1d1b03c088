//go:build !unix

package scenarios

import (
	"errors"
	"os"
	"os/exec"
)

// detach does nothing here: the fleet ends with its input in any case.
func Detach(*exec.Cmd) {}

// kill ends a command at once.
func kill(cmd *exec.Cmd) error {
	err := cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
