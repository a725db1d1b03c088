package mockfleet

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
)

func TestAnAddressThatIsNoDevicesIsClosedAtOnce(t *testing.T) {
	f := startFleet(t, Config{Devices: 300, Addressing: address.IP})
	port := portOf(f)
	client := newClient(t)
	require.Equal(t, address.DeviceID(299), getVersion(t, client, fmt.Sprintf("http://127.1.1.43:%d", port)).DeviceID)
	for _, host := range []string{"127.0.0.1", "127.1.1.44", "127.255.255.254"} {
		nc, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
		require.NoError(t, err)
		require.NoError(t, nc.SetDeadline(time.Now().Add(testDeadline)))
		_, err = nc.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF, host)
		require.NoError(t, nc.Close())
	}
	s := f.Status()
	require.EqualValues(t, 3, s.ConnectionsRefused)
	require.Zero(t, s.ConnectionsNoRoom)
	for _, p := range s.Health.Problems {
		require.NotContains(t, p.Text, "for want of room", "strangers want none")
	}
}

func TestPortAddressingNeedsDescriptors(t *testing.T) {
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	t.Cleanup(func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) })
	low := limit
	low.Cur = 500
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	_, err := Start(context.Background(), Config{Devices: 450, Addressing: address.Port})
	var bad *ConfigError
	require.ErrorAs(t, err, &bad)
	require.EqualError(t, err, "mockfleet: devices: 450: the process may open 500 files: "+
		"port addressing needs 514 of them (ulimit -n), the others need 64")
	startFleet(t, Config{Devices: 100, Addressing: address.Port})
}
