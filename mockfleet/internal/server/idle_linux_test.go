package server

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
)

// parked returns how many connections have no goroutine.
func (s *Server) parked() (n int) {
	s.conns.each(func(c *conn) {
		if c.isParked {
			n++
		}
	})
	return n
}

// parkWaiting wakes every connection that waits for a request, so that it parks itself, however
// short its wait was.
func (s *Server) parkWaiting() {
	s.conns.each(func(c *conn) {
		if !c.isParked {
			s.conns.wake(c, c.deadline.at.Load()-int64(stallLimit)-1) // a time at which c has been idle for long
		}
	})
}

func oneConnection() behavior.Behavior {
	return behavior.Behavior{Network: behavior.Network{MaxConnections: 1}}
}

func TestIdleConnectionsHaveNoGoroutine(t *testing.T) {
	const connections = 50
	s := startServer(t, testConfig(connections, address.IP, oneConnection()))
	before := runtime.NumGoroutine()
	var all []*client
	for i := range connections {
		all = append(all, dial(t, s, i))
	}
	for i := range connections {
		if i%2 == 0 { // the others are parked without having sent a request
			all[i].ask(askVersion)
		}
	}
	for range 3 {
		eventually(t, func() bool { return s.parked() == connections })
		eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }) // one of them asks
		require.EqualValues(t, connections, s.Traffic().Connections)
		for i := range connections {
			all[i].ask(string(pushRequest("/update", bytes.Repeat([]byte("a"), 3000))))
			all[i].ask(askVersion)
		}
	}
	eventually(t, func() bool { return s.parked() == connections })
	for i := range connections { // clients leave, one way or another
		if i%3 == 0 {
			require.NoError(t, all[i].SetLinger(0))
		}
		require.NoError(t, all[i].Close())
	}
	eventually(t, func() bool { return s.Traffic().Connections == 0 })
	for i := range connections { // their devices accept connections again
		dial(t, s, i).ask(askHealth)
	}
	require.Zero(t, s.store.Totals().ConnectionsOverLimit)
}

func TestParkedConnectionsEndWithTheServer(t *testing.T) {
	s := startServer(t, testConfig(10, address.IP, behavior.Behavior{}))
	var all []*client
	for i := range 10 {
		all = append(all, dial(t, s, i))
	}
	eventually(t, func() bool { return s.parked() == 10 })
	require.NoError(t, s.Close())
	for _, c := range all {
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	}
	require.Zero(t, s.Traffic().Connections)
}

// TestAParkedConnectionExpires checks that a parked connection expires as any other does.
func TestAParkedConnectionExpires(t *testing.T) {
	s := startServer(t, testConfig(1, address.IP, oneConnection()))
	c := dial(t, s, 0)
	eventually(t, func() bool { return s.parked() == 1 })
	s.conns.closeExpired(s.elapsed.Load() + int64(IdleLimit) + 1)
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, s.Traffic().Connections)
	require.Zero(t, s.store.Kept().OpenConns)
}

// TestWakingLosesNoRequest checks that no request is lost when the housekeeper wakes its
// connection. Here it does so all the time.
func TestWakingLosesNoRequest(t *testing.T) {
	s := startServer(t, testConfig(64, address.Path, behavior.Behavior{}))
	stop := make(chan struct{})
	var waking, clients sync.WaitGroup
	waking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			s.parkWaiting()
			runtime.Gosched()
		}
	})
	for client := range 16 {
		clients.Go(func() {
			dice := rand.New(rand.NewPCG(1, uint64(client)))
			nc, err := net.Dial("tcp", s.address.String())
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
			path := address.PathPrefix + strconv.Itoa(client) + "/update"
			for range 300 {
				request := pushRequest(path, bytes.Repeat([]byte("a"), 1000*client+1))
				for len(request) > 0 && err == nil { // in pieces; the connection may be idle between them
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
	waking.Wait()
	totals := s.store.Totals()
	require.EqualValues(t, 16*300, totals.Pushes)
	require.Zero(t, totals.Incomplete+s.Traffic().Malformed+totals.Rejected)
}
