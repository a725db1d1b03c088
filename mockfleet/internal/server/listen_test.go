package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

func TestAListenErrorSaysWhatToDo(t *testing.T) {
	for want, err := range map[string]error{
		"choose another port, or port 0 for a free one": syscall.EADDRINUSE,
		"choose port or path addressing":                fmt.Errorf("%w (%w)", errNotLoopbackAlone, syscall.EPERM),
		"choose a port from 1024 on":                    syscall.EACCES,
		"choose another address":                        syscall.EADDRNOTAVAIL,
	} {
		got := ListenError("listen", "127.0.0.1:80", err)
		require.ErrorIs(t, got, err)
		require.ErrorContains(t, got, "mockfleet: listen: 127.0.0.1:80: ")
		require.ErrorContains(t, got, ": "+want)
	}
}

type brokenListener struct {
	net.Listener
	failures int
	closed   chan struct{}
}

func (l *brokenListener) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, errors.New("too many open files")
	}
	<-l.closed
	return nil, net.ErrClosed
}

func TestAcceptingGoesOnAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Devices: device.Config{Devices: 1}})
		l := &brokenListener{failures: 5, closed: make(chan struct{})}
		begun := time.Now()
		s.running.Go(func() { s.accept(l, 0) })
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		require.EqualValues(t, 5, s.acceptErrors.Load())
		close(l.closed)
		s.running.Wait()
		require.Equal(t, time.Second, time.Since(begun))
	})
}

func TestAFreeBlockIsFoundBesideAPortThatIsTaken(t *testing.T) {
	// Of eleven ports, the middle one is taken: no ten in a row, but five on either side.
	ctx, host := context.Background(), netip.MustParseAddr("127.0.0.1")
	free, err := listenFreeBlock(ctx, host, freePortRange, 11, 1)
	require.NoError(t, err)
	first := free[0].Addr().(*net.TCPAddr).Port
	closeListeners(free)
	taken, err := listenBlock(ctx, host, first+5, 1)
	require.NoError(t, err)
	defer closeListeners(taken)
	_, err = listenFreeBlock(ctx, host, portRange{first, first + 10}, 10, 1)
	require.ErrorContains(t, err, "no 10 free ports in a row")
	for seed := range uint64(5) {
		found, err := listenFreeBlock(ctx, host, portRange{first, first + 10}, 5, seed)
		require.NoError(t, err)
		closeListeners(found)
		require.Contains(t, []int{first, first + 6}, found[0].Addr().(*net.TCPAddr).Port)
	}
}

func TestThePortsOfABlockAreInARow(t *testing.T) {
	cfg := testConfig(200, address.Port, behavior.Behavior{})
	a := startServer(t, cfg)
	b := startServer(t, cfg) // the same seed: looks first where a is
	for _, s := range []*Server{a, b} {
		require.Len(t, s.listeners, 200)
		for i, l := range s.listeners {
			require.Equal(t, s.DeviceAddress(i), "http://"+l.Addr().String())
			require.Equal(t, s.listeners[0].Addr().(*net.TCPAddr).Port+i, l.Addr().(*net.TCPAddr).Port)
		}
	}
}
