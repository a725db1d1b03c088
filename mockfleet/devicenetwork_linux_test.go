package mockfleet

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
)

// TestDevicesOfANetworkOnLoopback checks that a fleet serves the addresses of its network and no
// others. The whole machine's loopback interface has them, so it takes no route.
func TestDevicesOfANetworkOnLoopback(t *testing.T) {
	network := netip.MustParsePrefix("127.77.3.64/26")
	for _, mode := range []behavior.TLSMode{behavior.TLSNone, behavior.TLSGood} {
		f := startFleet(t, Config{Devices: 62, Addressing: address.IP, Network: network, TLS: mode})
		text, err := json.Marshal(f.Ready())
		require.NoError(t, err)
		require.Contains(t, string(text), `"network":"127.77.3.64/26"`)
		status, err := openControl(t, f).Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, network, status.Network)

		client := newClient(t)
		if mode != behavior.TLSNone {
			client.Transport.(*http.Transport).TLSClientConfig = trusting(t, f, "")
		}
		for i, host := range map[int]string{0: "127.77.3.65", 61: "127.77.3.126"} {
			at := fmt.Sprintf("%s:%d", host, portOf(f))
			require.Contains(t, f.DeviceAddress(i), "://"+at)
			require.Equal(t, address.DeviceID(i), getVersion(t, client, f.DeviceAddress(i)).DeviceID)
		}
		for _, host := range []string{"127.77.3.64", "127.77.3.127", "127.0.0.1", "127.1.0.0"} {
			nc, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(portOf(f))))
			require.NoError(t, err)
			n, err := nc.Read(make([]byte, 1))
			require.Error(t, err, "the fleet closes the connection and says nothing")
			require.Zero(t, n)
			require.NoError(t, nc.Close())
		}
	}
}

func TestAFleetWithoutItsNetworkSaysWhatToDo(t *testing.T) {
	// RFC 5737 sets 198.51.100.0/24 aside for documentation, so no machine has it.
	cfg := Config{Devices: 1, Addressing: address.IP, Network: netip.MustParsePrefix("198.51.100.0/24"), AllowRemote: true}
	_, err := Start(t.Context(), cfg)
	require.EqualError(t, err, "mockfleet: device-network: 198.51.100.0/24: listen udp4 198.51.100.1:0: bind: "+
		"cannot assign requested address: make its addresses this machine's own (Linux): "+
		"sudo ip route add local 198.51.100.0/24 dev lo")
	require.ErrorIs(t, err, syscall.EADDRNOTAVAIL)
}
