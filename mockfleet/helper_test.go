package mockfleet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// helper is what this test binary does instead of testing when it is started again with that name as
// its first argument: tests that need a second process, or one in another network, start their own.
func helper(name string) func(arguments []string, in io.Reader, out io.Writer) error {
	switch name {
	case "knock":
		return knock
	}
	return nil
}

// help does what the arguments of this process say if they name a helper, and then doesn't return.
func help() {
	if len(os.Args) < 2 {
		return
	}
	run := helper(os.Args[1])
	if run == nil {
		return
	}
	if err := run(os.Args[2:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// What knocking at an address comes to, when it isn't another error.
const (
	knockOpened  = "opened"
	knockRefused = "refused"
	knockDropped = "dropped"
)

// knockLimit is when a connection that nobody answers counts as dropped; Linux tries again after 1 s.
const knockLimit = 3 * time.Second

// knock tries a connection to each address, and prints what came of it, a line each.
func knock(addresses []string, _ io.Reader, out io.Writer) error {
	for _, address := range addresses {
		nc, err := net.DialTimeout("tcp", address, knockLimit)
		result := knockOpened
		switch {
		case err == nil:
			_ = nc.Close() // nothing was said on it
		case errors.Is(err, syscall.ECONNREFUSED):
			result = knockRefused
		case errors.Is(err, os.ErrDeadlineExceeded):
			result = knockDropped
		default:
			result = err.Error()
		}
		if _, err := fmt.Fprintln(out, result); err != nil {
			return err
		}
	}
	return nil
}
