//go:build !linux

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// epollSet exists on Linux only.
type epollSet struct{}

func newEpollSet() (*epollSet, error) { return nil, nil }

func (*epollSet) watch(int) bool             { return false }
func (*epollSet) await([]int32) (int, error) { return 0, errors.ErrUnsupported }
func (*epollSet) close() error               { return nil }

// acceptQueue is only known on Linux.
func acceptQueue(*net.TCPListener) (length, limit int) { return 0, 0 }

// acceptOverflows is only known on Linux.
func acceptOverflows() uint64 { return 0 }

func listenLoopback(context.Context, uint16) (net.Listener, error) {
	return nil, fmt.Errorf("%w (only Linux routes all of 127.0.0.0/8: %w)", errNotLoopbackAlone, errors.ErrUnsupported)
}

// preferLoopback leaves a socket as it is: its address decides who can reach it.
func preferLoopback(_, _ string, _ syscall.RawConn) error { return nil }

// GatesSupported is true on Linux only.
const GatesSupported = false

func shutSocket(int) error  { return errors.ErrUnsupported }
func openSocket(int) error  { return errors.ErrUnsupported }
func stallSocket(int) error { return errors.ErrUnsupported }

// ResidentBytes is known on Linux only.
func ResidentBytes() uint64 { return 0 }

// OpenDescriptors is known on Linux only.
func OpenDescriptors() int { return 0 }
