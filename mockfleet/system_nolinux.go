//go:build !linux

package mockfleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// lot is only to be had on Linux.
type lot struct{}

func newLot() (*lot, error) { return nil, nil }

func (*lot) watch(int) bool             { return false }
func (*lot) await([]int32) (int, error) { return 0, errors.ErrUnsupported }
func (*lot) close() error               { return nil }

// acceptQueue is only known on Linux.
func acceptQueue(*net.TCPListener) (length, limit int) { return 0, 0 }

// acceptOverflows is only known on Linux.
func acceptOverflows() uint64 { return 0 }

func listenLoopback(context.Context, uint16) (net.Listener, error) {
	return nil, fmt.Errorf("%w (only Linux routes all of 127.0.0.0/8: %w)", errNotLoopbackAlone, errors.ErrUnsupported)
}

// preferLoopback leaves a socket as it is: its address decides who can reach it.
func preferLoopback(_, _ string, _ syscall.RawConn) error { return nil }

const canShut = false

func shutSocket(int) error  { return errors.ErrUnsupported }
func openSocket(int) error  { return errors.ErrUnsupported }
func stallSocket(int) error { return errors.ErrUnsupported }

// residentBytes is known on Linux only.
func residentBytes() uint64 { return 0 }

// openDescriptors is known on Linux only.
func openDescriptors() int { return 0 }
