package mockfleet

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
)

// parkedIn is how many connections of f have no goroutine.
func parkedIn(f *Fleet) int { return f.server.Parked() }

// eventually is for what the housekeeper or another goroutine brings about.
func eventually(t testing.TB, what func() bool) {
	t.Helper()
	require.Eventually(t, what, testDeadline, time.Millisecond)
}

func TestIdleConnectionsHaveNoGoroutine(t *testing.T) {
	const connections = 50
	f := startFleet(t, Config{Devices: connections, Behavior: behavior.Behavior{Network: behavior.Network{MaxConnections: 1}}})
	before := runtime.NumGoroutine()
	var all []bareClient
	var readers []*bufio.Reader
	for i := range connections {
		all = append(all, mustDialDevice(t, f, i))
		readers = append(readers, bufio.NewReader(all[i]))
	}
	ask := func(i int, request string) {
		all[i].send([]byte(request))
		response, _ := all[i].response(readers[i])
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
	for i := range connections {
		if i%2 == 0 { // the others have never asked anything when they are parked
			ask(i, askVersion)
		}
	}
	for range 3 {
		eventually(t, func() bool { return parkedIn(f) == connections })
		eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }) // one of them asks
		require.EqualValues(t, connections, f.Status().Connections)
		for i := range connections {
			ask(i, string(pushRequest("/update", bytes.Repeat([]byte("a"), 3000))))
			ask(i, askVersion)
		}
	}
	eventually(t, func() bool { return parkedIn(f) == connections })
	for i := range connections { // clients leave, one way or another
		if i%3 == 0 {
			require.NoError(t, all[i].SetLinger(0))
		}
		require.NoError(t, all[i].Close())
	}
	eventually(t, func() bool { return f.Status().Connections == 0 })
	for i := range connections { // and their devices have room again
		c := mustDialDevice(t, f, i)
		c.send([]byte(askHealth))
		c.response(bufio.NewReader(c))
	}
	require.Zero(t, f.Status().ConnectionsOverLimit)
}

func TestParkedConnectionsEndWithTheFleet(t *testing.T) {
	f := startFleet(t, Config{Devices: 10})
	var all []bareClient
	for i := range 10 {
		all = append(all, mustDialDevice(t, f, i))
	}
	eventually(t, func() bool { return parkedIn(f) == 10 })
	require.NoError(t, f.Close())
	for _, c := range all {
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	}
	require.Zero(t, f.Status().Connections)
}

// A parked connection expires as any other.
func TestAParkedConnectionExpires(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Behavior: behavior.Behavior{Network: behavior.Network{MaxConnections: 1}}})
	c := mustDialDevice(t, f, 0)
	eventually(t, func() bool { return parkedIn(f) == 1 })
	f.server.CloseIdle()
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, f.Status().Connections)
	require.Zero(t, f.store.Kept().OpenConns)
}

// Whenever the housekeeper comes, no request is lost by it: here it comes all the time.
func TestNudgesDisturbNobody(t *testing.T) {
	f := startFleet(t, Config{Devices: 64, Addressing: address.Path})
	stop := make(chan struct{})
	var nudging, clients sync.WaitGroup
	nudging.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			f.server.ParkWaiting()
			runtime.Gosched()
		}
	})
	address := strings.TrimPrefix(f.Ready().Address, "http://")
	for client := range 16 {
		clients.Go(func() {
			dice := rand.New(rand.NewPCG(1, uint64(client)))
			nc, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			if err := nc.SetDeadline(time.Now().Add(10 * testDeadline)); err != nil {
				t.Error(err)
				return
			}
			b := bufio.NewReader(nc)
			for range 300 {
				request := pushRequest(path(f, client, "/update"), bytes.Repeat([]byte("a"), 1000*client+1))
				for len(request) > 0 && err == nil { // in pieces, between which it is idle or not
					n := min(len(request), 1+dice.IntN(8000))
					_, err = nc.Write(request[:n])
					request = request[n:]
					if dice.IntN(4) == 0 {
						runtime.Gosched()
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
				response, err := http.ReadResponse(b, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err = io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
					t.Error(response.Status, err)
					return
				}
			}
		})
	}
	clients.Wait()
	close(stop)
	nudging.Wait()
	s := f.Status()
	require.EqualValues(t, 16*300, s.Pushes)
	require.Zero(t, s.Incomplete+s.Malformed+s.Rejected)
}
