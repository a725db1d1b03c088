//go:build !linux

package mockfleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

func listenLoopback(context.Context, uint16) (net.Listener, error) {
	return nil, fmt.Errorf("%w (only Linux routes all of 127.0.0.0/8: %w)", errNotLoopbackAlone, errors.ErrUnsupported)
}

// preferLoopback leaves a socket as it is: its address decides who can reach it.
func preferLoopback(_, _ string, _ syscall.RawConn) error { return nil }
