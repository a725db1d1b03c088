package mockfleet

import (
	"bufio"
	"bytes"
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
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
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

// inBubble serves one in-memory connection of a fleet that keeps house, under a clock that the test moves.
func inBubble(t *testing.T, cfg Config, test func(t *testing.T, f *Fleet, client net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(cfg.withDefaults())
		f.running.Go(f.keepHouse)
		f.running.Go(func() { f.store.RunTimers(f.done, func(i int) { f.setDoors(i, i+1) }) })
		client, server := net.Pipe()
		c := newConn(f, server, 0)
		require.True(t, f.registry.add(c))
		f.running.Go(c.serve)
		test(t, f, client)
		close(f.done)
		f.registry.closeAll()
		require.NoError(t, client.Close())
		f.running.Wait()
	})
}

func TestAConnectionExpires(t *testing.T) {
	const halfPush = "POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc"
	for name, test := range map[string]struct {
		sent  string
		limit time.Duration
	}{
		"without a request":  {"", idleLimit},
		"within a head":      {"GET /health HT", stallLimit},
		"within a body":      {halfPush, stallLimit},
		"within a tiny body": {strings.Replace(halfPush, "100000", "10", 1), stallLimit},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{Devices: 1}, func(t *testing.T, f *Fleet, client net.Conn) {
				begun := time.Now()
				if test.sent != "" { // a pipe would deliver nothing as something
					_, err := io.WriteString(client, test.sent)
					require.NoError(t, err)
				}
				_, err := client.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)
				require.GreaterOrEqual(t, time.Since(begun), test.limit)
				require.LessOrEqual(t, time.Since(begun), test.limit+2*tick)
				require.Zero(t, f.Status().Malformed)
			})
		})
	}
}

func TestASlowBodyThatGoesOnDoesNotExpire(t *testing.T) {
	inBubble(t, Config{Devices: 1}, func(t *testing.T, _ *Fleet, client net.Conn) {
		const size = 20_000
		_, err := fmt.Fprintf(client, "POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
		require.NoError(t, err)
		for range size / 1000 {
			time.Sleep(stallLimit - time.Second) // the bubble's clock
			_, err = client.Write(make([]byte, 1000))
			require.NoError(t, err)
		}
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode)
	})
}

// The latency of each attempt is the one that the seed gives it, whatever came before.
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

func TestTheDateMoves(t *testing.T) {
	inBubble(t, Config{Devices: 1}, func(t *testing.T, _ *Fleet, client net.Conn) {
		reader := bufio.NewReader(client)
		for range 3 {
			time.Sleep(10*time.Second + 700*time.Millisecond)
			_, err := io.WriteString(client, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
			require.NoError(t, err)
			response, err := http.ReadResponse(reader, nil)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			at, err := http.ParseTime(response.Header.Get("Date"))
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), at, time.Second+tick)
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
		var bad *field.Error
		require.ErrorAs(t, err, &bad)
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.ErrorContains(t, err, at)
		require.ErrorContains(t, err, "choose another port, or port 0 for a free one")
	}
	_, err = Start(context.Background(), Config{Devices: 100, Listen: "127.0.0.1:65500", Addressing: address.Port})
	require.ErrorContains(t, err, "beyond 65535")
}

func TestThePortsOfABlockAreInARow(t *testing.T) {
	a := startFleet(t, Config{Devices: 200, Addressing: address.Port, Seed: 1})
	b := startFleet(t, Config{Devices: 200, Addressing: address.Port, Seed: 1}) // looks where a already is
	for _, f := range []*Fleet{a, b} {
		require.Len(t, f.listeners, 200)
		for i, l := range f.listeners {
			require.Equal(t, f.DeviceAddress(i), "http://"+l.Addr().String())
			require.Equal(t, f.listeners[0].Addr().(*net.TCPAddr).Port+i, l.Addr().(*net.TCPAddr).Port)
		}
	}

	// Of eleven ports, the middle one is a's: no ten in a row, but five on either side.
	first := int(a.address.Port())
	require.NoError(t, a.Close())
	taken, err := listenBlock(context.Background(), a.address.Addr(), first+5, 1)
	require.NoError(t, err)
	defer closeListeners(taken)
	_, err = listenFreeBlock(context.Background(), a.address.Addr(), portRange{first, first + 10}, 10, 1)
	require.ErrorContains(t, err, "no 10 free ports in a row")
	for seed := range uint64(5) {
		found, err := listenFreeBlock(context.Background(), a.address.Addr(), portRange{first, first + 10}, 5, seed)
		require.NoError(t, err)
		closeListeners(found)
		require.Contains(t, []int{first, first + 6}, found[0].Addr().(*net.TCPAddr).Port)
	}
}

func TestAListenErrorSaysWhatToDo(t *testing.T) {
	for want, err := range map[string]error{
		"choose another port, or port 0 for a free one": syscall.EADDRINUSE,
		"choose port or path addressing":                fmt.Errorf("%w (%w)", errNotLoopbackAlone, syscall.EPERM),
		"choose a port from 1024 on":                    syscall.EACCES,
		"choose another address":                        syscall.EADDRNOTAVAIL,
	} {
		got := listenError("listen", "127.0.0.1:80", err)
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
		f := newFleet(Config{Devices: 1}.withDefaults())
		l := &brokenListener{failures: 5, closed: make(chan struct{})}
		begun := time.Now()
		f.running.Go(func() { f.accept(l, 0) })
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		require.EqualValues(t, 5, f.acceptErrors.Load())
		close(l.closed)
		f.running.Wait()
		require.Equal(t, time.Second, time.Since(begun))
	})
}

func TestTheMemoryOfALargeBodyIsConstant(t *testing.T) {
	f := newFleet(Config{Devices: 8}.withDefaults())
	const size = 256 << 20
	head := fmt.Appendf(nil, "POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
	c := newConn(f, &zeroConn{head: bytes.NewReader(head), left: size}, 7)
	allocated := testing.AllocsPerRun(1, func() {
		c.Conn = &zeroConn{head: bytes.NewReader(head), left: size}
		ready, _ := c.await()
		require.True(t, ready)
		require.True(t, c.answerNext())
	})
	require.Less(t, allocated, 100.0)
	require.EqualValues(t, 2*size, entryOf(t, f, 7).BytesReceived)
}

// zeroConn reads a head and then zeros without end.
type zeroConn struct {
	replayConn
	head *bytes.Reader
	left int
}

func (c *zeroConn) Read(p []byte) (int, error) {
	if c.head.Len() > 0 {
		return c.head.Read(p)
	}
	n := min(len(p), c.left)
	c.left -= n
	clear(p[:n])
	return n, nil
}
