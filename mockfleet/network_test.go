package mockfleet

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

const askHealth = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"

// TestARoundTripTakesItsTime checks that every answer is delayed by the round-trip time that the
// seed gives it, and the answer to an update by its latency too.
func TestARoundTripTakesItsTime(t *testing.T) {
	rtt, err := random.Uniform(time.Second, 20*time.Second)
	require.NoError(t, err)
	n := behavior.Network{RTT: rtt}
	cfg := Config{Devices: 1, Seed: 9, Behavior: behavior.Behavior{Latency: delayOf(t, time.Minute), Network: n}}
	inBubble(t, cfg, func(t *testing.T, _ *Fleet, client net.Conn) {
		for round := range uint32(3) {
			for _, test := range []struct {
				request string
				wait    time.Duration
			}{
				{string(pushRequest("/update", []byte("x"))), time.Minute + n.ExtraDelay(9, 0, round+1, random.StreamRTT)},
				{askVersion, n.ExtraDelay(9, 0, round+1, random.StreamVersionRTT)},
				{askHealth, n.ExtraDelay(9, 0, 0, random.StreamRTT)},
			} {
				begun := time.Now()
				_, err := io.WriteString(client, test.request)
				require.NoError(t, err)
				response, err := http.ReadResponse(bufio.NewReader(client), nil)
				require.NoError(t, err)
				_, err = io.Copy(io.Discard, response.Body)
				require.NoError(t, err)
				require.Equal(t, test.wait, time.Since(begun))
				require.GreaterOrEqual(t, test.wait, time.Second)
			}
		}
	})
}

// TestABodyIsReadAtTheBandwidth checks that a body is read at the bandwidth of the device, or at
// the rate of the fault slow-read if that is lower.
func TestABodyIsReadAtTheBandwidth(t *testing.T) {
	for name, test := range map[string]struct {
		bandwidth, slower int64
		want              time.Duration
	}{
		"bandwidth":       {1000, 0, 20 * time.Second},
		"a slower fault":  {1000, 100, 200 * time.Second},
		"a faster fault":  {100, 1000, 200 * time.Second},
		"the fault alone": {0, 100, 200 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := behavior.Behavior{Network: behavior.Network{Bandwidth: exactly(t, test.bandwidth)}}
			if test.slower > 0 {
				b.Faults = []fault.Fault{{Kind: "slow-read", Rate: exactly(t, test.slower)}}
			}
			inBubble(t, Config{Devices: 1, Behavior: b}, func(t *testing.T, _ *Fleet, client net.Conn) {
				begun := time.Now()
				var answer wire.UpdateAnswer
				artifact := bytes.Repeat([]byte("a"), 20_000)
				require.Equal(t, 200, asked(t, client, string(pushRequest("/update", artifact)), &answer))
				require.Equal(t, sha(artifact), answer.Digest)
				require.InDelta(t, test.want.Seconds(), time.Since(begun).Seconds(), 0.2)
			})
		})
	}
}

// TestWritesBlockAtTheBandwidth checks that a client's writes block if it sends faster than the
// device reads, although the kernel could take megabytes.
func TestWritesBlockAtTheBandwidth(t *testing.T) {
	f := startFleet(t, Config{Devices: 1,
		Behavior: behavior.Behavior{Network: behavior.Network{Bandwidth: exactly(t, 1000)}}})
	c := mustDialDevice(t, f, 0)
	require.NoError(t, c.SetWriteBuffer(fault.SmallBuffer))
	request := pushRequest("/update", make([]byte, 8<<20))
	require.NoError(t, c.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
	n, err := c.Write(request)
	require.ErrorContains(t, err, "timeout")
	require.Less(t, n, 512<<10)
	require.NoError(t, c.Close())
}

func TestADeviceHasSoManyConnections(t *testing.T) {
	for _, a := range []address.Mode{address.IP, address.Port} {
		t.Run(string(a), func(t *testing.T) {
			f := startFleet(t, Config{Devices: 2, Addressing: a,
				Behavior: behavior.Behavior{Network: behavior.Network{MaxConnections: 2}}})
			answered := func(c bareClient) bool {
				c.send([]byte(askHealth))
				_, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					require.Equal(t, "reset", endOf(t, err))
				}
				return err == nil
			}
			kept := []bareClient{mustDialDevice(t, f, 0), mustDialDevice(t, f, 0)}
			for _, c := range kept {
				require.True(t, answered(c))
			}
			_, end := visit(t, f, 0, askHealth)
			require.Equal(t, "reset", end)
			require.True(t, answered(mustDialDevice(t, f, 1)), "another device has its own")
			f.Reset() // clears the counts, but not the connections
			_, end = visit(t, f, 0, askHealth)
			require.Equal(t, "reset", end)
			require.NoError(t, kept[0].Close())
			require.Eventually(t, func() bool { return f.Status().Connections == 2 }, testDeadline, time.Millisecond)
			require.True(t, answered(mustDialDevice(t, f, 0)))
			e := entryOf(t, f, 0)
			require.EqualValues(t, 1, e.ConnectionsOverLimit)
			require.Zero(t, e.ConnectionsAborted)
			require.EqualValues(t, 1, f.Status().ConnectionsOverLimit)
		})
	}
}

// TestMaxRequestsEndsAConnection checks that the last answer of a connection with
// MaxRequests says Connection: close, and that the connection then ends.
func TestMaxRequestsEndsAConnection(t *testing.T) {
	for _, a := range []address.Mode{address.Port, address.Path} {
		f := startFleet(t, Config{Devices: 1, Addressing: a,
			Behavior: behavior.Behavior{Network: behavior.Network{MaxRequests: 3}}})
		c := mustDialDevice(t, f, 0)
		b := bufio.NewReader(c)
		for n := range 3 {
			c.send([]byte(strings.Replace(askVersion, "/version", path(f, 0, "/version"), 1)))
			response, _ := c.response(b)
			require.Equal(t, n == 2, response.Close)
		}
		_, err := b.ReadByte()
		require.ErrorIs(t, err, io.EOF)
	}
}

func TestADeviceSpeaksHTTP10(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port,
		Behavior: behavior.Behavior{Network: behavior.Network{HTTP10: true}}})
	for _, request := range []string{askVersion, askHealth, string(pushRequest("/update", []byte("x"))),
		"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"} {
		answer, end := visit(t, f, 0, request)
		require.Equal(t, "closed", end)
		require.True(t, strings.HasPrefix(answer, "HTTP/1.0 "), answer)
		require.Contains(t, answer, "\r\nConnection: close\r\n")
	}
}

func TestANetworkIsValidated(t *testing.T) {
	tests := map[string]struct {
		network behavior.Network
		a       address.Mode
		want    string
	}{
		"all of it": {behavior.Network{ReceiveBuffer: 1 << 10, MaxConnections: 65535, MaxRequests: 1, HTTP10: true},
			address.Port, ""},
		"buffer": {behavior.Network{ReceiveBuffer: 100}, address.Port,
			"network.receive_buffer: 100: want 1024 to 16777216, or 0 for none"},
		"open": {behavior.Network{MaxConnections: -1}, address.Port,
			"network.max_connections: -1: want 1 to 65535, or 0 for none"},
		"requests": {behavior.Network{MaxRequests: -1}, address.Port,
			"network.max_requests: -1: want 1 to 1073741824, or 0 for none"},
		"path": {behavior.Network{MaxConnections: 1}, address.Path,
			"network.max_connections: 1: want ip or port addressing: in path addressing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := Config{Devices: 1, Addressing: test.a, Behavior: behavior.Behavior{Network: test.network}}.Validate()
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			var bad *ConfigError
			require.True(t, errors.As(err, &bad))
			require.ErrorContains(t, err, test.want)
		})
	}
}
