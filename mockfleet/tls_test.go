package mockfleet

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
)

// trusting returns the TLS configuration of a client that trusts the fleet's CA, for a device at
// host.
func trusting(t testing.TB, f *Fleet, host string) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(f.Ready().CA)))
	return &tls.Config{RootCAs: pool, ServerName: host}
}

func clientTLS(t testing.TB, f *Fleet, c bareClient) *tls.Conn {
	t.Helper()
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	require.NoError(t, err)
	over := tls.Client(c.TCPConn, trusting(t, f, host))
	require.NoError(t, over.Handshake())
	return over
}

func TestDevicesSpeakTLS(t *testing.T) {
	for _, a := range addressings() {
		t.Run(string(a), func(t *testing.T) {
			f := startFleet(t, Config{Devices: 5, Addressing: a, TLS: behavior.TLSGood})
			require.True(t, strings.HasPrefix(f.DeviceAddress(3), "https://"))
			derived, err := address.DeviceAddress(f.Ready().Address, a, f.Ready().Network, 3)
			require.NoError(t, err)
			require.Equal(t, f.DeviceAddress(3), derived)
			client := newClient(t)
			client.Transport.(*http.Transport).TLSClientConfig = trusting(t, f, "")
			status, _ := update{artifact: make([]byte, 100_000), version: "2"}.send(t, client, f.DeviceAddress(3))
			require.Equal(t, 200, status)
			require.Equal(t, "2", getVersion(t, client, f.DeviceAddress(3)).Version)
			ready, err := json.Marshal(f.Ready())
			require.NoError(t, err)
			require.Contains(t, string(ready), `"ca":"-----BEGIN CERTIFICATE-----\n`)
		})
	}
}

func TestDevicesThatSpeakTLSBadly(t *testing.T) {
	for mode, check := range map[behavior.TLSMode]func(t *testing.T, err error){
		behavior.TLSExpired: func(t *testing.T, err error) {
			var invalid x509.CertificateInvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, x509.Expired, invalid.Reason)
		},
		behavior.TLSWrongName: func(t *testing.T, err error) {
			var hostname x509.HostnameError
			require.ErrorAs(t, err, &hostname)
		},
		behavior.TLSUnknownCA: func(t *testing.T, err error) {
			var unknown x509.UnknownAuthorityError
			require.ErrorAs(t, err, &unknown)
		},
		behavior.TLS11: func(t *testing.T, err error) {
			require.ErrorContains(t, err, "protocol version not supported")
		},
	} {
		t.Run(string(mode), func(t *testing.T) {
			f := startFleet(t, Config{Devices: 1, Addressing: address.Port, TLS: mode})
			c := mustDialDevice(t, f, 0)
			over := tls.Client(c.TCPConn, trusting(t, f, "127.0.0.1"))
			check(t, over.Handshake())
			require.NoError(t, c.Close())
			require.Zero(t, settled(t, f, 0).Pushes)

			c = mustDialDevice(t, f, 0) // apart from the one defect, TLS works
			over = tls.Client(c.TCPConn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10})
			_, err := io.WriteString(over, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
			require.NoError(t, err)
			response, err := http.ReadResponse(bufio.NewReader(over), nil)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, 200, response.StatusCode)
			require.Equal(t, mode == behavior.TLS11, over.ConnectionState().Version == tls.VersionTLS11)
		})
	}
}

func TestAHandshakeThatStallsEndsWithItsClient(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port, TLS: behavior.TLSStall})
	c := mustDialDevice(t, f, 0)
	ctx, cancel := context.WithCancel(t.Context())
	shaken := make(chan error, 1)
	go func() { shaken <- tls.Client(c.TCPConn, trusting(t, f, "127.0.0.1")).HandshakeContext(ctx) }()
	require.Eventually(t, func() bool { return f.Status().BytesIn > 0 }, testDeadline, time.Millisecond)
	require.EqualValues(t, 1, f.Status().Connections)
	require.Zero(t, f.Status().BytesOut)
	cancel() // which closes the connection
	require.Error(t, <-shaken)
	settled(t, f, 0)
}

func TestAnUnknownTLSModeIsRefused(t *testing.T) {
	var bad *ConfigError
	require.ErrorAs(t, Config{Devices: 1, Addressing: address.Path, TLS: "bad"}.Validate(), &bad)
	require.Equal(t, "tls", bad.Field)
}

// TestAGroupHasATLSModeOfItsOwn checks that the devices of a group use the TLS mode of the group,
// and all others that of the fleet.
func TestAGroupHasATLSModeOfItsOwn(t *testing.T) {
	f := startFleet(t, Config{Devices: 40, Addressing: address.IP, TLS: behavior.TLSGood, Groups: []behavior.Group{
		{Name: "old", Share: 0.2, TLS: behavior.TLSExpired}, {Name: "strange", Share: 0.2, TLS: behavior.TLSUnknownCA},
	}})
	for i := range f.Devices() {
		c := mustDialDevice(t, f, i)
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		require.NoError(t, err)
		err = tls.Client(c.TCPConn, trusting(t, f, host)).Handshake()
		d, deviceErr := f.Device(i)
		require.NoError(t, deviceErr)
		switch d.Group {
		case "old":
			require.ErrorContains(t, err, "expired")
		case "strange":
			require.ErrorContains(t, err, "unknown authority")
		default:
			require.NoError(t, err)
		}
	}
}
