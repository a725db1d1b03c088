package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// The yardstick: pairs of bare sockets pass as many bytes to and fro as a push of 1 KiB and its
// answer, as fast as they can, for a block of time. It uses the machine as a run does (all
// processors, the scheduler, the loopback interface) and nothing of the code under test.
const (
	YardstickBlock   = 30 * time.Millisecond // how long one block takes
	yardstickRequest = 1324                  // bytes: an artifact and its header
	yardstickAnswer  = 250
	pairsPerCore     = 4
)

// socketPair is the two ends of a connection.
type socketPair struct{ near, far net.Conn }

func (p socketPair) close() error { return errors.Join(p.near.Close(), p.far.Close()) }

// Yardstick measures one block, in nanoseconds a round trip.
func Yardstick(ctx context.Context) (_ float64, err error) {
	pairs, err := openPairs(ctx, pairsPerCore*runtime.GOMAXPROCS(0))
	defer func() {
		for _, p := range pairs {
			err = errors.Join(err, p.close())
		}
		if err != nil {
			err = fmt.Errorf("yardstick: %w", err)
		}
	}()
	if err != nil {
		return 0, err
	}
	var workers sync.WaitGroup
	var trips atomic.Int64
	errs := make([]error, 2*len(pairs))
	began := time.Now()
	for i, p := range pairs {
		workers.Go(func() { errs[2*i] = ping(p.near, began.Add(YardstickBlock), &trips) })
		workers.Go(func() { errs[2*i+1] = echo(p.far) })
	}
	workers.Wait()
	elapsed := time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	// Each pair makes one trip at least, however slow the machine.
	return float64(elapsed) / float64(trips.Load()), nil
}

func openPairs(ctx context.Context, n int) (pairs []socketPair, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, listener.Close()) }()
	var dialer net.Dialer
	for range n {
		near, err := dialer.DialContext(ctx, "tcp", listener.Addr().String())
		if err != nil {
			return pairs, err
		}
		far, err := listener.Accept() // it is there already
		if err != nil {
			return pairs, errors.Join(err, near.Close())
		}
		pairs = append(pairs, socketPair{near, far})
	}
	return pairs, nil
}

// ping makes round trips until the deadline, and says that there will be no more.
func ping(c net.Conn, deadline time.Time, trips *atomic.Int64) error {
	out, in := make([]byte, yardstickRequest), make([]byte, yardstickAnswer)
	for more := true; more; more = time.Now().Before(deadline) {
		if _, err := c.Write(out); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, in); err != nil {
			return err
		}
		trips.Add(1)
	}
	return c.(*net.TCPConn).CloseWrite() // a TCP connection, as openPairs made it
}

// echo answers until the other side has no more.
func echo(c net.Conn) error {
	in, out := make([]byte, yardstickRequest), make([]byte, yardstickAnswer)
	for {
		if _, err := io.ReadFull(c, in); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if _, err := c.Write(out); err != nil {
			return err
		}
	}
}
