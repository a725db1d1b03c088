package mockfleet

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

func connects(f *Fleet) error {
	nc, err := net.DialTimeout("tcp", strings.TrimPrefix(f.DeviceAddress(0), "http://"), testDeadline)
	if err == nil {
		err = nc.Close()
	}
	return err
}

const health = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"

func TestAPortRefusesConnections(t *testing.T) {
	for _, kind := range []string{"refuse", "offline"} {
		t.Run(kind, func(t *testing.T) {
			f := startFleet(t, Config{Devices: 2, Addressing: address.Port, Behavior: withFaults(fault.Fault{Kind: kind})})
			require.ErrorIs(t, connects(f), syscall.ECONNREFUSED)
			_, err := net.Listen("tcp", strings.TrimPrefix(f.DeviceAddress(0), "http://"))
			require.ErrorIs(t, err, syscall.EADDRINUSE, "the port stays the device's")
			require.NoError(t, f.SetFaults(0, behavior.Behavior{}))
			require.Contains(t, exchange(t, f, health), "200 OK")
			require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: kind})))
			require.ErrorIs(t, connects(f), syscall.ECONNREFUSED)
			f.Reset()
			require.ErrorIs(t, connects(f), syscall.ECONNREFUSED, "behaviors stay")
			require.Zero(t, f.Status().AcceptErrors)
		})
	}
}

func TestAShareOfPortsRefuses(t *testing.T) {
	f := startFleet(t, Config{Devices: 200, Addressing: address.Port, Seed: 5,
		Behavior: withFaults(fault.Fault{Kind: "refuse", Share: 0.3})})
	refusing := 0
	for i := range f.Devices() {
		if _, err := dialDevice(t, f, i); err != nil {
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			refusing++
		}
	}
	require.InDelta(t, 60, refusing, 25)
}

func TestAPortThatRefusesOpensAfterItsDelay(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
	require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: "refuse", Delay: delayOf(t, 300*time.Millisecond)})))
	require.ErrorIs(t, connects(f), syscall.ECONNREFUSED)
	require.Eventually(t, func() bool { return connects(f) == nil }, testDeadline, time.Millisecond)
}

// stalls reports whether a connection to device 0 is still pending after the kernel had time to
// answer it.
func stalls(t *testing.T, f *Fleet) bool {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Close(fd)) }()
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(portOf(f)), Addr: [4]byte{127, 0, 0, 1}})
	require.ErrorIs(t, err, unix.EINPROGRESS)
	// On the loopback interface a connection is made, or refused, within the call that begins it.
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 50)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Poll(fds, 50)
	}
	require.NoError(t, err)
	return n == 0
}

func TestAPortStallsConnections(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port,
		Behavior: withFaults(fault.Fault{Kind: "connect-stall"})})
	for range 3 {
		require.True(t, stalls(t, f))
	}
	require.NoError(t, f.SetFaults(0, behavior.Behavior{}))
	require.Contains(t, exchange(t, f, health), "200 OK")
	require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: "connect-stall"})))
	require.True(t, stalls(t, f))
	require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: "refuse"})))
	require.ErrorIs(t, connects(f), syscall.ECONNREFUSED)
	require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: "connect-stall"})))
	require.True(t, stalls(t, f))
	require.Zero(t, f.Status().Connections)
}

func TestAFlappingPortRefusesBeforeEachConnection(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
	require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: "flapping", Delay: delayOf(t, 200*time.Millisecond)})))
	for range 3 {
		require.ErrorIs(t, connects(f), syscall.ECONNREFUSED)
		var c bareClient
		require.Eventually(t, func() bool {
			var err error
			c, err = dialDevice(t, f, 0)
			return err == nil
		}, testDeadline, time.Millisecond)
		c.send([]byte(health)) // an accepted connection is served although the port has closed
		response, _ := c.response(bufio.NewReader(c))
		require.Equal(t, 200, response.StatusCode)
		require.NoError(t, c.Close())
	}
}

func TestADeviceThatRebootsIsGone(t *testing.T) {
	for _, a := range addressings() {
		t.Run(string(a), func(t *testing.T) {
			f := startFleet(t, Config{Devices: 1, Addressing: a,
				Behavior: withFaults(fault.Fault{Kind: "reboot", First: 1, Delay: delayOf(t, random.MaxDuration)})})
			kept := mustDialDevice(t, f, 0)
			version := "GET " + path(f, 0, "/version") + " HTTP/1.1\r\nHost: a\r\n\r\n"
			kept.send([]byte(version))
			kept.response(bufio.NewReader(kept))
			c := mustDialDevice(t, f, 0)
			c.send(pushRequest(path(f, 0, "/update"), []byte("x")))
			response, body := c.response(bufio.NewReader(c))
			require.Equal(t, 202, response.StatusCode)
			require.True(t, response.Close)
			require.Contains(t, body, `"success":true,"message":"rebooting"`)

			if a == address.Port {
				require.ErrorIs(t, connects(f), syscall.ECONNREFUSED)
			} else {
				_, end := visit(t, f, 0, version)
				require.Equal(t, "reset", end)
			}
			kept.send([]byte(version))
			_, end := kept.rest()
			require.Equal(t, "reset", end)

			require.NoError(t, f.SetFaults(0, behavior.Behavior{})) // ends the reboot
			require.Contains(t, exchangeWith(t, f, 0, version), `"version":"2.0.0"`)
			e := settled(t, f, 0)
			require.Equal(t, map[string]uint32{"reboot": 1}, e.Faults)
			require.Equal(t, []uint32{1, 1}, []uint32{e.Pushes, e.Applied})
		})
	}
}

func TestADeviceIsBackAfterItsReboot(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port,
		Behavior: withFaults(fault.Fault{Kind: "reboot", Delay: delayOf(t, 100*time.Millisecond)})})
	require.Contains(t, exchange(t, f, string(pushRequest("/update", []byte("x")))), "202 Accepted")
	require.Eventually(t, func() bool { return connects(f) == nil }, testDeadline, time.Millisecond)
	require.Contains(t, exchange(t, f, "GET /version HTTP/1.1\r\nHost: a\r\n\r\n"), `"version":"2.0.0"`)
}

// TestAPortIsAsItWasSetLast checks that a port ends up in the state that was set last, although
// clients come and go meanwhile.
func TestAPortIsAsItWasSetLast(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			for ctx.Err() == nil {
				d := net.Dialer{Timeout: time.Millisecond}
				if nc, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(f.DeviceAddress(0), "http://")); err == nil {
					_ = nc.Close()
				}
			}
		})
	}
	for n := range 100 {
		kind := []string{"refuse", "connect-stall", "flapping", ""}[n%4]
		b := behavior.Behavior{}
		if kind != "" {
			b = withFaults(fault.Fault{Kind: kind})
		}
		require.NoError(t, f.SetFaults(0, b))
	}
	cancel()
	clients.Wait()
	require.Contains(t, exchange(t, f, health), "200 OK")
	require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: "refuse"})))
	require.ErrorIs(t, connects(f), syscall.ECONNREFUSED)
}
