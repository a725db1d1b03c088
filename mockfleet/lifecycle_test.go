package mockfleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	latency, err := random.Fixed(time.Hour)
	require.NoError(t, err)
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port, Behavior: behavior.Behavior{Latency: latency}})
	idle := dialFleet(t, f)
	_, err = io.WriteString(idle, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	_, err = http.ReadResponse(bufio.NewReader(idle), nil)
	require.NoError(t, err)
	waiting := dialFleet(t, f)
	_, err = waiting.Write(pushRequest("/update", []byte("x")))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return f.Status().Applied == 1 }, testDeadline, time.Millisecond)
	require.EqualValues(t, 2, f.Status().Connections)

	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	require.Zero(t, f.Status().Connections)
	for _, nc := range []net.Conn{idle, waiting} {
		_, err = nc.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
	}
	_, err = net.Dial("tcp", strings.TrimPrefix(f.DeviceAddress(0), "http://"))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestTheContextEndsTheFleet(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	f, err := Start(ctx, Config{Devices: 1, Addressing: address.Port})
	require.NoError(t, err)
	nc := dialFleet(t, f)
	cancel()
	_, err = nc.Read(make([]byte, 1))
	require.Error(t, err)
	require.NoError(t, f.Close())

	_, err = Start(ctx, Config{Devices: 1})
	require.ErrorIs(t, err, context.Canceled)
}

func TestConnectionsBeyondTheLimitAreClosedAndCounted(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port, MaxConnections: 2})
	kept := []net.Conn{dialFleet(t, f), dialFleet(t, f)}
	for _, nc := range kept {
		_, err := io.WriteString(nc, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		_, err = nc.Read(make([]byte, 1))
		require.NoError(t, err)
	}
	_, err := dialFleet(t, f).Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	s := f.Status()
	require.Equal(t, []uint64{2, 3, 1}, []uint64{s.Connections, s.ConnectionsTotal, s.ConnectionsRefused})
	require.NoError(t, kept[0].Close())
	require.Eventually(t, func() bool { return f.Status().Connections == 1 }, testDeadline, time.Millisecond)
	require.Contains(t, exchange(t, f, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"), "200 OK")
}

// inBubble serves one in-memory connection of a fleet whose housekeeper runs, under a clock that
// the test moves.
func inBubble(t *testing.T, cfg Config, test func(t *testing.T, f *Fleet, client net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(cfg.withDefaults())
		f.server.KeepTime()
		client, server := net.Pipe()
		require.True(t, f.server.ServeConn(server, 0))
		test(t, f, client)
		require.NoError(t, errors.Join(f.server.Close(), client.Close()))
	})
}

// TestLatencyDelaysTheAnswerAsTheSeedSays checks that the latency of each attempt is the one that
// the seed gives it, whatever came before.
func TestLatencyDelaysTheAnswerAsTheSeedSays(t *testing.T) {
	latency, err := random.Lognormal(50*time.Millisecond, time.Minute)
	require.NoError(t, err)
	cfg := Config{Devices: 1, Seed: 42, Behavior: behavior.Behavior{Latency: latency, FailFirst: 1}}
	inBubble(t, cfg, func(t *testing.T, _ *Fleet, client net.Conn) {
		reader := bufio.NewReader(client)
		for attempt := range uint32(20) {
			begun := time.Now()
			_, err := client.Write(pushRequest("/update", fmt.Appendf(nil, "artifact %d", attempt)))
			require.NoError(t, err)
			response, err := http.ReadResponse(reader, nil)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			want := latency.Sample(random.Draw(42, 0, attempt+1, random.StreamLatency))
			require.Equal(t, want, time.Since(begun))
		}
	})
}

func TestStartRefusesWhatTheMachineRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	at := taken.Addr().String()
	for _, cfg := range []Config{
		{Listen: at, Addressing: address.Path},
		{Listen: at, Addressing: address.Port},
		{Listen: at, Addressing: address.IP},
		{ControlListen: at, Addressing: address.Path},
	} {
		cfg.Devices = 1
		_, err := Start(context.Background(), cfg)
		var bad *ConfigError
		require.ErrorAs(t, err, &bad)
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.ErrorContains(t, err, at)
		require.ErrorContains(t, err, "choose another port, or port 0 for a free one")
	}
	_, err = Start(context.Background(), Config{Devices: 100, Listen: "127.0.0.1:65500", Addressing: address.Port})
	require.ErrorContains(t, err, "beyond 65535")
}
